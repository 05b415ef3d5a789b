// RESP2: what a Redis server answers, read incrementally from untrusted bytes.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

namespace segments::redis {

struct Reply {
  enum class Kind { nil, integer, text, array, error };  // text: simple and bulk strings
  Kind kind = Kind::nil;
  std::int64_t integer = 0;
  std::string text;  // also of an error: "WRONGTYPE Operation against…"
  std::vector<Reply> items;

  bool is_nil() const { return kind == Kind::nil; }
  bool is_error() const { return kind == Kind::error; }
};

// Cuts replies out of the bytes of one connection.
class ReplyReader {
 public:
  void feed(std::string_view bytes);
  // std::nullopt: more bytes are needed. Throws Error{internal} for what is not RESP2, for nesting deeper
  // than 16, and for lengths that a server does not send (bulk above 512 MiB, arrays above 2^24, lines above
  // 1 MiB): the connection is to be closed and the reader thrown away. Reading a reply costs time linear in
  // its bytes however they come in, and memory for what came, not for what was announced.
  std::optional<Reply> read();
  // Nothing is left over: neither bytes nor the beginning of a reply.
  bool is_empty() const { return at_ == bytes_.size() && bulk_ < 0 && open_.empty(); }

 private:
  struct Open {  // an array of which items are still to come
    Reply array;
    std::int64_t missing;
  };
  std::optional<std::string_view> take_line();
  std::optional<std::string> take_bulk();
  std::optional<Reply> begin_reply(std::string_view line);

  std::string bytes_;
  std::size_t at_ = 0;
  std::size_t scanned_ = 0;  // there is no line's end before it, so that no byte is searched twice
  std::int64_t bulk_ = -1;   // length of the bulk string that comes next
  std::vector<Open> open_;
};

}  // namespace segments::redis
