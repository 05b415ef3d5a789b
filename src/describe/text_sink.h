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
  explicit TextSink(std::string& text) : text_(&text) {
    const auto used = text.size();
    text.resize(text.capacity());
    take_room(used);
  }
  ~TextSink() { end(); }
  TextSink(const TextSink&) = delete;
  TextSink& operator=(const TextSink&) = delete;

  // Where to write next; there is room for so many bytes. What is written there counts from end_at() on.
  char* room_for(std::size_t count) {
    if (static_cast<std::size_t>(end_ - at_) < count) [[unlikely]]
      grow(count);
    return at_;
  }
  void end_at(char* at) { at_ = at; }
  // Room for so many bytes, which are appended by it.
  char* extend(std::size_t count) {
    char* begin = room_for(count);
    at_ = begin + count;
    return begin;
  }
  [[gnu::always_inline]] TextSink& append(const char* bytes, std::size_t count) {  // count is mostly known
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
    if (text_) text_->resize(used());
    text_ = nullptr;
  }

 private:
  std::size_t used() const { return static_cast<std::size_t>(at_ - text_->data()); }
  void take_room(std::size_t used) {
    at_ = text_->data() + used;
    end_ = text_->data() + text_->size();
  }
  [[gnu::noinline, gnu::cold]] void grow(std::size_t count) {
    const auto before = used();
    text_->resize(std::max(before + count, 2 * text_->size() + 64));
    take_room(before);
  }

  std::string* text_;
  char* at_;
  char* end_;
};

}  // namespace segments
