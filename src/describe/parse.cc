// parse_json(). Boost.JSON's own parse() of 1.81 reads numbers an ulp or two off and keeps the last of
// several equal members without a word; its parser with a handler of ours does neither.
#include <boost/json/basic_parser_impl.hpp>
#include <boost/json/value_stack.hpp>
#include <charconv>
#include <cmath>
#include <limits>
#include <set>

#include "describe/decode.h"

namespace segments {

namespace {

namespace json = boost::json;

struct Handler {
  static constexpr std::size_t max_object_size = json::object::max_size();
  static constexpr std::size_t max_array_size = json::array::max_size();
  static constexpr std::size_t max_key_size = json::string::max_size();
  static constexpr std::size_t max_string_size = json::string::max_size();
  using Code = json::error_code&;

  // One object or array that is open, kept only while duplicates are looked for.
  struct Level {
    std::string pointer;
    bool is_array = false;
    std::size_t items = 0;
    std::set<std::string> names;
    std::string name;  // of the member that is being read
  };

  Handler(unsigned char* memory, std::size_t size, json::storage_ptr storage, Faults* where_to_tell)
      : stack(json::storage_ptr(), memory, size), duplicates(where_to_tell) {
    stack.reset(std::move(storage));
  }

  json::value_stack stack;
  std::size_t member_count = 0;
  // Set for a second reading of a text that gives a member twice: finds out which.
  Faults* duplicates;
  std::vector<Level> levels;
  std::string name_so_far;

  bool on_document_begin(Code) { return true; }
  bool on_document_end(Code) { return true; }
  bool on_comment_part(json::string_view, Code) { return true; }
  bool on_comment(json::string_view, Code) { return true; }
  bool on_number_part(json::string_view, Code) { return true; }

  bool on_object_begin(Code) { return open(false); }
  bool on_array_begin(Code) { return open(true); }
  bool on_object_end(std::size_t size, Code) {
    stack.push_object(size);
    return close();
  }
  bool on_array_end(std::size_t size, Code) {
    stack.push_array(size);
    return close();
  }
  bool on_key_part(json::string_view part, std::size_t, Code) {
    stack.push_chars(part);
    if (duplicates) name_so_far += part;
    return true;
  }
  bool on_key(json::string_view part, std::size_t, Code) {
    stack.push_key(part);
    ++member_count;
    if (!duplicates) return true;
    begin_member(name_so_far + std::string(part));
    name_so_far.clear();
    return true;
  }
  bool on_string_part(json::string_view part, std::size_t, Code) {
    stack.push_chars(part);
    return true;
  }
  bool on_string(json::string_view part, std::size_t, Code) {
    stack.push_string(part);
    return value_done();
  }
  bool on_int64(std::int64_t number, json::string_view, Code) {
    stack.push_int64(number);
    return value_done();
  }
  bool on_uint64(std::uint64_t number, json::string_view, Code) {
    stack.push_uint64(number);
    return value_done();
  }
  bool on_double(double rough, json::string_view text, Code) {
    stack.push_double(exact(text, rough));
    return value_done();
  }
  bool on_bool(bool value, Code) {
    stack.push_bool(value);
    return value_done();
  }
  bool on_null(Code) {
    stack.push_null();
    return value_done();
  }

 private:
  static double exact(std::string_view text, double rough) {
    double number = 0;
    auto error = std::from_chars(text.data(), text.data() + text.size(), number).ec;
    if (error == std::errc{}) return number;
    // Out of range, and from_chars does not say on which side.
    return std::abs(rough) < 1 ? 0 : std::copysign(std::numeric_limits<double>::infinity(), rough);
  }

  bool open(bool is_array) {
    if (!duplicates) return true;
    std::string pointer;
    if (!levels.empty()) {
      const auto& outer = levels.back();
      pointer = outer.is_array ? detail::pointer_to(outer.pointer, outer.items)
                               : detail::pointer_to(outer.pointer, outer.name);
    }
    levels.push_back({std::move(pointer), is_array, 0, {}, {}});
    return true;
  }
  bool close() {
    if (duplicates) levels.pop_back();
    return value_done();
  }
  bool value_done() {
    if (!levels.empty()) ++levels.back().items;
    return true;
  }
  void begin_member(std::string name) {
    auto& level = levels.back();
    level.name = name;
    if (level.names.insert(std::move(name)).second) return;
    duplicates->push_back({detail::pointer_to(level.pointer, level.name), "duplicate",
                           "\"" + detail::shown(level.name) + "\" is given twice."});
  }
};

struct Reading {
  json::value value;
  std::size_t member_count;
};

Reading read(std::string_view text, json::storage_ptr storage, Faults* duplicates) {
  unsigned char memory[4096];
  json::basic_parser<Handler> parser({}, memory, sizeof memory, std::move(storage), duplicates);
  json::error_code error;
  auto taken = parser.write_some(false, text.data(), text.size(), error);
  if (!error && taken < text.size()) error = json::error::extra_data;
  if (error) throw Error(ErrorKind::malformed, "The text is not valid JSON: " + error.message() + ".");
  auto& handler = parser.handler();
  return {handler.stack.release(), handler.member_count};
}

std::size_t count_members(const json::value& value) {
  std::size_t count = 0;
  if (const auto* object = value.if_object()) {
    count = object->size();
    for (const auto& member : *object) count += count_members(member.value());
  } else if (const auto* array = value.if_array()) {
    for (const auto& item : *array) count += count_members(item);
  }
  return count;
}

}  // namespace

boost::json::value detail::parse_json(std::string_view text, Faults& faults, json::storage_ptr storage) {
  auto reading = read(text, std::move(storage), nullptr);
  // A tree has each name once: with fewer members in it than in the text, some were given twice.
  if (count_members(reading.value) != reading.member_count) read(text, {}, &faults);
  return std::move(reading.value);
}

boost::json::value parse_json(std::string_view text) {
  Faults duplicates;
  auto value = detail::parse_json(text, duplicates);
  detail::throw_faults(std::move(duplicates));
  return value;
}

}  // namespace segments
