#include "sqlite/segment_functions.h"

#include <sqlite3.h>

#include <algorithm>

#include "base/text.h"

namespace segments::sqlite {

namespace {

std::string_view text_of(sqlite3_value* value) {
  const auto* text = reinterpret_cast<const char*>(sqlite3_value_text(value));
  if (!text) return {};
  return {text, static_cast<std::size_t>(sqlite3_value_bytes(value))};
}

// The next string of a JSON array as encode() writes it, still escaped and with its quotes; "" at the end.
// Strings that are equal are equal escaped, since there is one way in which encode() escapes.
std::string_view next_string(std::string_view& json) {
  auto begin = json.find('"');
  if (begin == json.npos) return {};
  auto end = begin + 1;
  while (end < json.size() && json[end] != '"') end += json[end] == '\\' ? 2 : 1;
  auto string = json.substr(begin, end + 1 - begin);
  json.remove_prefix(std::min(end + 1, json.size()));
  return string;
}

bool has_string(std::string_view json, std::string_view wanted) {
  for (auto string = next_string(json); !string.empty(); string = next_string(json))
    if (string == wanted) return true;
  return false;
}

void has_tags(sqlite3_context* context, int, sqlite3_value** arguments) {
  sqlite3_result_int(context, has_all_tags(text_of(arguments[0]), text_of(arguments[1])));
}

void matches(sqlite3_context* context, int count, sqlite3_value** arguments) {
  auto needle = text_of(arguments[0]);
  bool found = false;
  try {
    for (int i = 1; i < count && !found; ++i) {
      if (sqlite3_value_type(arguments[i]) == SQLITE_NULL) continue;
      found = fold_case(text_of(arguments[i])).find(needle) != std::string::npos;
    }
    sqlite3_result_int(context, found);
  } catch (const std::bad_alloc&) {  // no exception may pass through SQLite
    sqlite3_result_error_nomem(context);
  }
}

void add_function(Connection& connection, const char* name, int arguments,
                  void (*function)(sqlite3_context*, int, sqlite3_value**)) {
  int code =
      sqlite3_create_function_v2(connection.handle(), name, arguments, SQLITE_UTF8 | SQLITE_DETERMINISTIC,
                                 nullptr, function, nullptr, nullptr, nullptr);
  if (code != SQLITE_OK) connection.fail(code, name);
}

}  // namespace

bool has_all_tags(std::string_view tags, std::string_view wanted) {
  for (auto tag = next_string(wanted); !tag.empty(); tag = next_string(wanted))
    if (!has_string(tags, tag)) return false;
  return true;
}

void add_segment_functions(Connection& connection) {
  add_function(connection, "has_tags", 2, has_tags);
  add_function(connection, "matches", -1, matches);
}

}  // namespace segments::sqlite
