// The headers of an answer, kept as the lines that go on the wire: all of them cost one allocation.
#pragma once

#include <string>
#include <string_view>

namespace segments {

class Headers {
 public:
  // Replaces; names are the same in upper and lower case. What would begin another line becomes a space.
  void set(std::string_view name, std::string_view value);
  std::string_view find(std::string_view name) const;  // "" when absent
  bool contains(std::string_view name) const { return line_of(name) != std::string::npos; }
  // "Name: value\r\n", in the order in which they were set.
  std::string_view lines() const { return lines_; }
  // Such lines, made beforehand, of names that are not there yet.
  void add_lines(std::string_view lines) { lines_ += lines; }

 private:
  std::size_t line_of(std::string_view name) const;

  std::string lines_;
};

}  // namespace segments
