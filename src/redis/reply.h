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
  // std::nullopt: more bytes are needed. Throws Error{internal} for what is not RESP2, for nesting deeper than 16, and
  // for lengths that a server does not send (bulk above 512 MiB, arrays above 2^24): the connection is to be closed.
  // Reading a reply costs time linear in its bytes however they come in, and memory for what came, not for what was announced.
  std::optional<Reply> read();

 private:
  std::string bytes_;
  std::size_t at_ = 0;
};

}  // namespace segments::redis
