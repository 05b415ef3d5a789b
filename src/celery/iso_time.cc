#include "celery/iso_time.h"

#include <algorithm>
#include <chrono>

namespace segments::celery {

namespace {

// Two or more digits at the front of `text`, taken off it; -1 when they are not there.
int take_digits(std::string_view& text, std::size_t count) {
  int number = 0;
  if (text.size() < count) return -1;
  for (char digit : text.substr(0, count)) {
    if (digit < '0' || digit > '9') return -1;
    number = number * 10 + (digit - '0');
  }
  text.remove_prefix(count);
  return number;
}

bool take_char(std::string_view& text, char c) {
  if (!text.starts_with(c)) return false;
  text.remove_prefix(1);
  return true;
}

// Minutes east of UTC; empty when `text` is no offset or goes on behind it.
std::optional<int> read_offset(std::string_view text) {
  if (text.empty() || text == "Z") return 0;
  bool west = text.front() == '-';
  if (!west && text.front() != '+') return std::nullopt;
  text.remove_prefix(1);
  int hours = take_digits(text, 2);
  take_char(text, ':');
  int minutes = take_digits(text, 2);
  if (hours < 0 || hours > 23 || minutes < 0 || minutes > 59 || !text.empty()) return std::nullopt;
  return (west ? -1 : 1) * (hours * 60 + minutes);
}

// Milliseconds of a fraction's digits, taken off the front; `rest` tells of more than milliseconds. -1: no
// digits.
int take_fraction(std::string_view& text, bool& rest) {
  int millis = 0, count = 0;
  while (!text.empty() && text.front() >= '0' && text.front() <= '9') {
    int digit = text.front() - '0';
    if (count < 3)
      millis = millis * 10 + digit;
    else
      rest = rest || digit != 0;
    ++count;
    text.remove_prefix(1);
  }
  if (count == 0) return -1;
  for (; count < 3; ++count) millis *= 10;
  return millis;
}

}  // namespace

std::optional<Millis> parse_iso_time(std::string_view text, bool up) {
  int year = take_digits(text, 4);
  bool dashed = take_char(text, '-');
  int month = take_digits(text, 2);
  if (dashed != take_char(text, '-')) return std::nullopt;
  int day = take_digits(text, 2);
  std::chrono::year_month_day date{std::chrono::year(year), std::chrono::month(static_cast<unsigned>(month)),
                                   std::chrono::day(static_cast<unsigned>(day))};
  if (!dashed || year < 1 || month < 1 || day < 1 || !date.ok()) return std::nullopt;
  int hour = 0, minute = 0, second = 0, millis = 0;
  bool rest = false;
  if (!text.empty()) {
    if (text.front() != 'T' && text.front() != ' ') return std::nullopt;
    text.remove_prefix(1);
    hour = take_digits(text, 2);
    bool colon = take_char(text, ':');
    minute = take_digits(text, 2);
    if (!colon || hour < 0 || hour > 23 || minute < 0 || minute > 59) return std::nullopt;
    if (take_char(text, ':')) {
      second = take_digits(text, 2);
      if (second < 0 || second > 59) return std::nullopt;
      if (take_char(text, '.')) millis = take_fraction(text, rest);
      if (millis < 0) return std::nullopt;
    }
  }
  auto offset = read_offset(text);
  if (!offset) return std::nullopt;
  Millis days = std::chrono::sys_days(date).time_since_epoch().count();
  return ((days * 24 + hour) * 60 + minute - *offset) * 60'000 + second * 1'000 + millis + (up && rest);
}

std::string format_iso_time(Millis at) {
  using namespace std::chrono;
  auto clamped = std::clamp<Millis>(at, -62'135'596'800'000, 253'402'300'799'999);  // years 1 to 9999
  sys_time<milliseconds> time{milliseconds(clamped)};
  auto day = floor<days>(time);
  year_month_day date(day);
  hh_mm_ss clock(time - day);
  char text[64];
  std::snprintf(text, sizeof text, "%04d-%02u-%02uT%02d:%02d:%02d.%03d000+00:00",
                static_cast<int>(date.year()), static_cast<unsigned>(date.month()),
                static_cast<unsigned>(date.day()), static_cast<int>(clock.hours().count()),
                static_cast<int>(clock.minutes().count()), static_cast<int>(clock.seconds().count()),
                static_cast<int>(clock.subseconds().count()));
  return text;
}

}  // namespace segments::celery
