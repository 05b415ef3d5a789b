// What a handler answers: bytes, a range of a file, or a stream of events.
#pragma once

#include <cstdint>
#include <functional>
#include <memory>
#include <optional>
#include <string>
#include <string_view>

#include "base/later.h"
#include "http/headers.h"

namespace segments {

class EventStream;

// An open file; closed with the last owner.
class FileHandle {
 public:
  explicit FileHandle(int descriptor) : descriptor_(descriptor) {}
  ~FileHandle();
  FileHandle(const FileHandle&) = delete;
  FileHandle& operator=(const FileHandle&) = delete;
  int descriptor() const { return descriptor_; }

 private:
  int descriptor_;
};

struct FileRange {
  std::shared_ptr<FileHandle> file;
  std::int64_t offset = 0;
  std::int64_t length = 0;  // Content-Length of the answer
};

struct Response;
using LaterResponse = LaterSource<Response>;

struct Response {
  int status = 200;
  Headers headers;  // without Content-Length, Date, Connection: the server adds them
  std::string body;
  std::optional<FileRange> file;  // instead of body
  // Instead of body: called once the head is sent, with the stream to feed. The connection closes when the
  // stream is closed.
  std::function<void(std::shared_ptr<EventStream>)> stream;
  // Instead of all else: the answer waits for something and is there later. It may then wait again.
  std::shared_ptr<LaterResponse> later;

  void set(std::string_view name, std::string_view value) { headers.set(name, value); }
};

// 200 application/json.
Response json_response(std::string body, int status = 200);
// The answer that is there later, for a handler that has begun nothing that would have to be undone.
Response later_response(Later<Response>);
// The reason phrase of a status; the client in use shows it.
std::string_view reason_phrase(int status);

}  // namespace segments
