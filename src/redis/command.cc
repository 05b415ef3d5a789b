#include <charconv>

#include "redis/client.h"

namespace segments::redis {

namespace {

void put_length(std::string& out, char type, std::size_t length) {
  char text[24];
  text[0] = type;
  char* end = std::to_chars(text + 1, text + sizeof text - 2, length).ptr;
  *end++ = '\r';
  *end++ = '\n';
  out.append(text, end);
}

}  // namespace

Command::Command(std::initializer_list<std::string_view> words) {
  for (auto word : words) add(word);
}

Command& Command::add(std::string_view word) {
  if (count_++ == 0) name_ = word;
  put_length(words_, '$', word.size());
  words_ += word;
  words_ += "\r\n";
  return *this;
}

Command& Command::add(std::int64_t number) {
  char text[24];
  return add(std::string_view(text, std::to_chars(text, text + sizeof text, number).ptr));
}

void Command::print(std::string& out) const {
  put_length(out, '*', count_);
  out += words_;
}

}  // namespace segments::redis
