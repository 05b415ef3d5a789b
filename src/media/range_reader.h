// A file behind an http or https URL, read by HTTP/1.1 range requests (RFC 9110, 14) in blocks that are kept
// for a while, so that a demuxer's jumping about costs few requests and few bytes. One connection, reused
// while the server keeps it. Throws Error{unavailable} when the file cannot be read before the deadline. One
// thread at a time.
#pragma once

#include <cstdint>
#include <map>
#include <memory>
#include <string>

#include "base/time.h"
#include "net/stream.h"

namespace segments {

class RangeReader {
 public:
  // `url`: http[s]://host[:port]/path[?query]; the certificate is verified by the system's authorities, no
  // redirects are followed. `deadline` is one of steady_ms().
  RangeReader(const std::string& url, Millis deadline);
  ~RangeReader();
  RangeReader(const RangeReader&) = delete;
  RangeReader& operator=(const RangeReader&) = delete;

  std::int64_t size();
  // At least one byte, at most `count`; 0 at the end of the file.
  int read_at(std::int64_t position, char* into, int count);

 private:
  struct Block {
    std::string bytes;
    std::uint64_t used = 0;
  };
  const std::string& block_at(std::int64_t number);
  std::int64_t blocks_from(std::int64_t number);
  void fetch(std::int64_t first_block, std::int64_t count);
  std::string request(std::int64_t first, std::int64_t last);
  std::string request_once(const std::string& text, std::int64_t first, std::int64_t last);
  void connect();
  void send_all(const std::string&);
  void receive_some(std::string& into);
  void await(short event);

  net::Peer peer_;
  std::string authority_, target_;
  Millis deadline_;
  std::unique_ptr<net::Stream> stream_;  // null where there is no connection
  std::int64_t size_ = -1;
  std::map<std::int64_t, Block> blocks_;
  std::uint64_t clock_ = 0;
  std::int64_t next_block_ = 0;  // the one after the last fetched
  std::int64_t ahead_ = 1;       // blocks to fetch at once when reading on from there
};

}  // namespace segments
