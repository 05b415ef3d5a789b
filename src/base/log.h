// The log: one JSON object a line, to standard error or to a file. Any thread may call it.
//   log_info("segment.created", {{"segment_id", id}, {"user", user}});
// prints {"time":"…","level":"info","event":"segment.created","request_id":"…","segment_id":"…","user":"…"}.
// Secrets are kept out by their callers: tokens, signatures and authorization headers are never fields.
#pragma once

#include <concepts>
#include <cstdint>
#include <initializer_list>
#include <string>
#include <string_view>
#include <variant>

namespace segments {

enum class LogLevel { debug, info, warning, error, off };

struct LogField {
  std::string_view key;
  std::variant<std::string_view, std::int64_t, double, bool> value;

  LogField(std::string_view k, std::string_view v) : key(k), value(v) {}
  LogField(std::string_view k, const std::string& v) : key(k), value(std::string_view(v)) {}
  LogField(std::string_view k, const char* v) : key(k), value(std::string_view(v)) {}
  LogField(std::string_view k, bool v) : key(k), value(v) {}
  LogField(std::string_view k, double v) : key(k), value(v) {}
  template <std::integral T>
  requires(!std::same_as<T, bool>) LogField(std::string_view k, T v)
      : key(k), value(static_cast<std::int64_t>(v)) {}
};

void write_log(LogLevel, std::string_view event, std::initializer_list<LogField> fields);
inline void log_debug(std::string_view event, std::initializer_list<LogField> f = {}) {
  write_log(LogLevel::debug, event, f);
}
inline void log_info(std::string_view event, std::initializer_list<LogField> f = {}) {
  write_log(LogLevel::info, event, f);
}
inline void log_warning(std::string_view event, std::initializer_list<LogField> f = {}) {
  write_log(LogLevel::warning, event, f);
}
inline void log_error(std::string_view event, std::initializer_list<LogField> f = {}) {
  write_log(LogLevel::error, event, f);
}

void set_log_level(LogLevel);
bool is_logged(LogLevel);
// Appends to `path` instead of standard error; false when it cannot be opened.
bool set_log_file(const std::string& path);

// While it lives, every line of this thread carries `id` under `key` ("request_id", "task_id"), a literal.
// They nest: a line carries all of them, of equal keys the innermost. It is made and destroyed on one thread,
// and `id` outlives it.
class LogScope {
 public:
  LogScope(std::string_view key, std::string_view id);
  template <class Id>
  requires std::same_as<Id, std::string> LogScope(std::string_view key, Id&& id)
  = delete;
  ~LogScope();
  LogScope(const LogScope&) = delete;
  LogScope& operator=(const LogScope&) = delete;

 private:
  friend void write_log(LogLevel, std::string_view, std::initializer_list<LogField>);
  std::string_view key_;
  std::string_view id_;
  const LogScope* outer_;
};

}  // namespace segments
