#include "base/time.h"

#include <algorithm>
#include <chrono>

namespace segments {

namespace {

namespace chrono = std::chrono;

constexpr Millis day_ms = 86'400'000;
constexpr Millis last_ms = 253'402'300'799'999;  // 9999-12-31T23:59:59.999Z

void put_digits(char* to, int count, std::int64_t number) {
  for (int i = count - 1; i >= 0; --i, number /= 10) to[i] = static_cast<char>('0' + number % 10);
}

// Takes exactly `count` digits off the front.
std::optional<int> take_digits(std::string_view& text, std::size_t count) {
  if (text.size() < count) return std::nullopt;
  int number = 0;
  for (char c : text.substr(0, count)) {
    if (c < '0' || c > '9') return std::nullopt;
    number = number * 10 + (c - '0');
  }
  text.remove_prefix(count);
  return number;
}

bool take(std::string_view& text, std::string_view any_of) {
  if (text.empty() || any_of.find(text.front()) == any_of.npos) return false;
  text.remove_prefix(1);
  return true;
}

std::optional<Millis> take_date(std::string_view& text) {
  auto year = take_digits(text, 4);
  if (!year || !take(text, "-")) return std::nullopt;
  auto month = take_digits(text, 2);
  if (!month || !take(text, "-")) return std::nullopt;
  auto day = take_digits(text, 2);
  if (!day) return std::nullopt;
  chrono::year_month_day date{chrono::year{*year}, chrono::month(static_cast<unsigned>(*month)),
                              chrono::day(static_cast<unsigned>(*day))};
  if (!date.ok()) return std::nullopt;
  return chrono::sys_days{date}.time_since_epoch().count() * day_ms;
}

std::optional<Millis> take_clock(std::string_view& text) {
  auto hour = take_digits(text, 2);
  if (!hour || *hour > 23 || !take(text, ":")) return std::nullopt;
  auto minute = take_digits(text, 2);
  if (!minute || *minute > 59 || !take(text, ":")) return std::nullopt;
  auto second = take_digits(text, 2);
  // RFC 3339 has leap seconds; one counts as the second after it, as POSIX time does.
  if (!second || *second > 60) return std::nullopt;
  Millis at = ((*hour * 60 + *minute) * 60 + *second) * Millis{1000};
  if (!take(text, ".")) return at;
  Millis unit = 100;
  std::size_t digits = 0;
  for (; digits < text.size() && text[digits] >= '0' && text[digits] <= '9'; ++digits, unit /= 10)
    at += (text[digits] - '0') * unit;
  if (digits == 0) return std::nullopt;
  text.remove_prefix(digits);
  return at;
}

std::optional<Millis> take_offset(std::string_view& text) {
  if (take(text, "Zz")) return 0;
  bool behind = text.starts_with('-');
  if (!take(text, "+-")) return std::nullopt;
  auto hours = take_digits(text, 2);
  if (!hours || *hours > 23 || !take(text, ":")) return std::nullopt;
  auto minutes = take_digits(text, 2);
  if (!minutes || *minutes > 59) return std::nullopt;
  Millis offset = (*hours * 60 + *minutes) * Millis{60'000};
  return behind ? -offset : offset;
}

}  // namespace

Millis now_ms() {
  return chrono::duration_cast<chrono::milliseconds>(chrono::system_clock::now().time_since_epoch()).count();
}

Millis steady_ms() {
  return chrono::duration_cast<chrono::milliseconds>(chrono::steady_clock::now().time_since_epoch()).count();
}

std::string format_time(Millis at) {
  at = std::clamp<Millis>(at, 0, last_ms);  // outside, the text would no longer have its fixed width
  chrono::year_month_day date{chrono::sys_days{chrono::days{at / day_ms}}};
  Millis of_day = at % day_ms;
  std::string text = "0000-00-00T00:00:00.000Z";
  put_digits(&text[0], 4, static_cast<int>(date.year()));
  put_digits(&text[5], 2, static_cast<unsigned>(date.month()));
  put_digits(&text[8], 2, static_cast<unsigned>(date.day()));
  put_digits(&text[11], 2, of_day / 3'600'000);
  put_digits(&text[14], 2, of_day / 60'000 % 60);
  put_digits(&text[17], 2, of_day / 1'000 % 60);
  put_digits(&text[20], 3, of_day % 1'000);
  return text;
}

std::optional<Millis> parse_time(std::string_view text) {
  auto date = take_date(text);
  if (!date) return std::nullopt;
  Millis at = *date;
  if (!text.empty()) {
    if (!take(text, "Tt ")) return std::nullopt;
    auto clock = take_clock(text);
    if (!clock) return std::nullopt;
    auto offset = take_offset(text);
    if (!offset || !text.empty()) return std::nullopt;
    at += *clock - *offset;
  }
  if (at < 0 || at > last_ms) return std::nullopt;
  return at;
}

}  // namespace segments
