// Appends to a string, much of it in small pieces: each costs a copy, where std::string's own append() is a
// call and a look at its whole state.
#pragma once

#include <algorithm>
#include <cstring>
#include <string>
#include <string_view>

namespace segments {

class TextSink {
 public:
  // The string is the sink's alone until end(), or until the sink goes.
  explicit TextSink(std::string& text) : text_(&text), at_(text.size()) { text.resize(text.capacity()); }
  ~TextSink() { end(); }
  TextSink(const TextSink&) = delete;
  TextSink& operator=(const TextSink&) = delete;

  // Room for so many bytes, the first `count` of which are appended by it.
  char* extend(std::size_t count) {
    if (text_->size() - at_ < count) [[unlikely]]
      text_->resize(std::max(at_ + count, 2 * text_->size() + 64));
    char* begin = text_->data() + at_;
    at_ += count;
    return begin;
  }
  TextSink& append(const char* bytes, std::size_t count) {
    std::memcpy(extend(count), bytes, count);
    return *this;
  }
  TextSink& append(std::string_view bytes) { return append(bytes.data(), bytes.size()); }
  TextSink& append(const char* begin, const char* end) {
    return append(begin, static_cast<std::size_t>(end - begin));
  }
  TextSink& operator+=(std::string_view bytes) { return append(bytes); }
  TextSink& operator+=(char byte) {
    *extend(1) = byte;
    return *this;
  }
  void end() {
    if (text_) text_->resize(at_);
    text_ = nullptr;
  }

 private:
  std::string* text_;
  std::size_t at_;
};

}  // namespace segments
