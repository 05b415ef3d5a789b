#include "base/log.h"

#include <fcntl.h>
#include <limits.h>
#include <unistd.h>

#include <array>
#include <atomic>
#include <cerrno>
#include <charconv>
#include <cmath>

#include "base/batch.h"
#include "base/text.h"
#include "base/time.h"

namespace segments {

namespace {

constexpr std::size_t max_value_bytes = 8'000;  // a line stays a line, whatever an error's detail quotes
constexpr std::size_t most_waiting_bytes = PIPE_BUF;  // so many enter a pipe as one, beside other writers

std::atomic<LogLevel> lowest{LogLevel::info};
std::atomic<int> log_fd{STDERR_FILENO};
thread_local const LogScope* innermost = nullptr;

void append_escaped(std::string& out, std::string_view text) {
  static constexpr char hex[] = "0123456789abcdef";
  for (char c : text) {
    auto byte = static_cast<unsigned char>(c);
    if (c == '"' || c == '\\') {
      out += '\\';
      out += c;
    } else if (c == '\n') {
      out += "\\n";
    } else if (byte < 0x20 || byte == 0x7f) {
      out += "\\u00";
      out += hex[byte >> 4];
      out += hex[byte & 15];
    } else {
      out += c;
    }
  }
}

void append_string(std::string& out, std::string_view text) {
  out += '"';
  if (text.size() <= max_value_bytes && is_utf8(text))
    append_escaped(out, text);
  else
    append_escaped(out, clean_utf8(text, max_value_bytes));
  if (text.size() > max_value_bytes) out += "…";
  out += '"';
}

void append_member(std::string& out, std::string_view key, std::string_view text) {
  out += ',';
  append_string(out, key);
  out += ':';
  append_string(out, text);
}

template <class Number>
void append_number(std::string& out, Number number) {
  std::array<char, 32> digits;
  auto end = std::to_chars(digits.data(), digits.data() + digits.size(), number).ptr;
  out.append(digits.data(), end);
}

void append_value(std::string& out, const LogField& field) {
  if (auto* text = std::get_if<std::string_view>(&field.value))
    append_string(out, *text);
  else if (auto* flag = std::get_if<bool>(&field.value))
    out += *flag ? "true" : "false";
  else if (auto* whole = std::get_if<std::int64_t>(&field.value))
    append_number(out, *whole);
  else if (double number = std::get<double>(field.value); std::isfinite(number))
    append_number(out, number);
  else
    out += "null";
}

const char* level_name(LogLevel level) {
  static constexpr const char* names[] = {"debug", "info", "warning", "error", "off"};
  return names[static_cast<int>(level)];
}

void write_line(std::string_view line) {
  // One write a line: lines of several threads and processes do not mix in a file opened for appending. No
  // lock, so that a child forked meanwhile can log too.
  while (!line.empty()) {
    auto wrote = write(log_fd.load(std::memory_order_relaxed), line.data(), line.size());
    if (wrote > 0)
      line.remove_prefix(static_cast<std::size_t>(wrote));
    else if (errno != EINTR)
      return;
  }
}

// The lines of a thread that has a batch leave together: a line of each request costs a system call of its
// own otherwise, a tenth of what the request costs.
struct WaitingLines {
  ~WaitingLines() { write_out(); }

  void add(std::string_view line) {
    if (text.size() + line.size() > most_waiting_bytes) write_out();
    text += line;
  }
  void write_out() {
    write_line(text);
    text.clear();
  }

  std::string text;
};

std::shared_ptr<void>& waiting_lines(Batch& batch) {
  static const char owner = 0;
  return batch.kept_for(&owner);
}

}  // namespace

void write_log(LogLevel level, std::string_view event, std::initializer_list<LogField> fields) {
  if (!is_logged(level)) return;
  int saved_errno = errno;
  std::string line;
  line.reserve(512);
  line.append("{\"time\":\"").append(now_text()).append("\",\"level\":\"").append(level_name(level)) += '"';
  append_member(line, "event", event);
  auto is_field = [&](std::string_view key) {
    for (const auto& field : fields)
      if (field.key == key) return true;
    return false;
  };
  std::array<const LogScope*, 8> scopes;
  std::size_t count = 0;
  for (auto* scope = innermost; scope && count < scopes.size(); scope = scope->outer_) {
    bool hidden = is_field(scope->key_);
    for (std::size_t i = 0; i < count; ++i) hidden = hidden || scopes[i]->key_ == scope->key_;
    if (!hidden) scopes[count++] = scope;
  }
  while (count > 0) {
    --count;
    append_member(line, scopes[count]->key_, scopes[count]->id_);
  }
  for (const auto& field : fields) {
    line += ',';
    append_string(line, field.key);
    line += ':';
    append_value(line, field);
  }
  line += "}\n";
  auto* batch = Batch::of_this_thread();
  if (batch && level < LogLevel::warning) {
    auto& waiting = waiting_lines(*batch);
    if (!waiting) waiting = std::make_shared<WaitingLines>();
    static_cast<WaitingLines*>(waiting.get())->add(line);
  } else {
    if (batch) waiting_lines(*batch).reset();  // the thread's lines stay in their order
    write_line(line);
  }
  errno = saved_errno;
}

void set_log_level(LogLevel level) {
  lowest.store(level, std::memory_order_relaxed);
}

bool is_logged(LogLevel level) {
  return level != LogLevel::off && level >= lowest.load(std::memory_order_relaxed);
}

bool set_log_file(const std::string& path) {
  int opened = open(path.c_str(), O_WRONLY | O_APPEND | O_CREAT | O_CLOEXEC, 0640);
  if (opened < 0) return false;
  int current = log_fd.load();
  if (current == STDERR_FILENO) {
    log_fd.store(opened);
    return true;
  }
  // The number stays and its file is exchanged, so that a line being written meanwhile goes to one file or
  // the other.
  bool exchanged = dup3(opened, current, O_CLOEXEC) >= 0;
  close(opened);
  return exchanged;
}

LogScope::LogScope(std::string_view key, std::string_view id) : key_(key), id_(id), outer_(innermost) {
  innermost = this;
}

LogScope::~LogScope() {
  innermost = outer_;
}

}  // namespace segments
