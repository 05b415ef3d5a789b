// How JSON is read.
#include <charconv>
#include <unordered_map>

#include "base/text.h"
#include "celery/json.h"

namespace segments::celery {
namespace {

class JsonReader {
 public:
  JsonReader(std::string_view text, std::string& why, int most_values)
      : text_(text), why_(why), most_values_(most_values) {}

  std::optional<Json> read() {
    if (!is_utf8(text_)) return refuse("it is not valid UTF-8");
    Json value;
    if (!read_value(value, 0)) return std::nullopt;
    skip_space();
    if (at_ != text_.size()) return refuse("something follows its end");
    return value;
  }

 private:
  std::nullopt_t refuse(const std::string& sentence) {
    if (why_.empty()) why_ = "The text is not JSON: " + sentence + " (byte " + std::to_string(at_) + ").";
    return std::nullopt;
  }
  bool fail(const std::string& sentence) {
    refuse(sentence);
    return false;
  }
  void skip_space() {
    while (at_ < text_.size() &&
           (text_[at_] == ' ' || text_[at_] == '\n' || text_[at_] == '\r' || text_[at_] == '\t'))
      ++at_;
  }
  char peek() const { return at_ < text_.size() ? text_[at_] : '\0'; }
  bool take(std::string_view word) {
    if (text_.substr(at_, word.size()) != word) return false;
    at_ += word.size();
    return true;
  }

  bool read_value(Json& out, int depth) {
    if (++values_ > most_values_) return fail("it has more than " + std::to_string(most_values_) + " values");
    skip_space();
    switch (peek()) {
      case '{':
        return read_object(out, depth + 1);
      case '[':
        return read_array(out, depth + 1);
      case '"': {
        std::string text;
        if (!read_text(text)) return false;
        out = Json(std::move(text));
        return true;
      }
      default:
        return read_word(out) || read_number(out) || fail("a value is missing");
    }
  }

  bool read_word(Json& out) {
    if (take("null"))
      out = Json();
    else if (take("true"))
      out = Json(true);
    else if (take("false"))
      out = Json(false);
    else if (take("NaN"))
      out = Json::number(Json::Kind::real, "NaN");
    else if (take("Infinity"))
      out = Json::number(Json::Kind::real, "Infinity");
    else if (take("-Infinity"))
      out = Json::number(Json::Kind::real, "-Infinity");
    else
      return false;
    return true;
  }

  bool take_digits() {
    auto begin = at_;
    while (peek() >= '0' && peek() <= '9') ++at_;
    return at_ > begin;
  }
  bool read_number(Json& out) {
    auto begin = at_;
    auto kind = Json::Kind::integer;
    if (peek() == '-') ++at_;
    if (peek() == '0')
      ++at_;
    else if (!take_digits())
      return false;
    if (peek() == '.') {
      ++at_;
      kind = Json::Kind::real;
      if (!take_digits()) return false;
    }
    if (peek() == 'e' || peek() == 'E') {
      ++at_;
      kind = Json::Kind::real;
      if (peek() == '+' || peek() == '-') ++at_;
      if (!take_digits()) return false;
    }
    out = Json::number(kind, std::string(text_.substr(begin, at_ - begin)));
    return true;
  }

  bool read_array(Json& out, int depth) {
    if (depth > max_json_depth) return fail("it is nested too deeply");
    ++at_;
    out = Json::array();
    skip_space();
    if (peek() == ']') return ++at_, true;
    while (true) {
      if (!read_value(out.items().emplace_back(), depth)) return false;
      skip_space();
      if (peek() == ']') return ++at_, true;
      if (peek() != ',') return fail("a comma is missing");
      ++at_;
    }
  }

  bool read_object(Json& out, int depth) {
    if (depth > max_json_depth) return fail("it is nested too deeply");
    ++at_;
    out = Json::object();
    skip_space();
    if (peek() == '}') return ++at_, true;
    // A message's own few objects have many members each.
    constexpr int values_of_message = 100;
    if (values_ < values_of_message) out.members().reserve(8);
    while (true) {
      skip_space();
      auto& [name, value] = out.members().emplace_back(std::string(), Json());
      if (peek() != '"') return fail("a member's name is missing");
      if (!read_text(name)) return false;
      skip_space();
      if (peek() != ':') return fail("a colon is missing");
      ++at_;
      if (!read_value(value, depth)) return false;
      skip_space();
      if (peek() == '}') break;
      if (peek() != ',') return fail("a comma is missing");
      ++at_;
    }
    ++at_;
    keep_last_of_equals(out.members());
    return true;
  }

  // A member given twice has the last value, at the first one's place, as in Python's dict.
  static void keep_last_of_equals(std::vector<Json::Member>& members) {
    constexpr std::size_t few = 32;
    if (members.size() <= few && are_distinct(members)) return;
    std::unordered_map<std::string_view, std::size_t> places;
    std::vector<bool> superseded(members.size());
    bool any = false;
    for (std::size_t i = 0; i < members.size(); ++i) {
      auto [place, is_new] = places.try_emplace(members[i].first, i);
      if (is_new) continue;
      members[place->second].second = std::move(members[i].second);
      superseded[i] = any = true;
    }
    if (!any) return;
    std::vector<Json::Member> kept;
    for (std::size_t i = 0; i < members.size(); ++i)
      if (!superseded[i]) kept.push_back(std::move(members[i]));
    members = std::move(kept);
  }

  static bool are_distinct(const std::vector<Json::Member>& members) {
    for (std::size_t i = 1; i < members.size(); ++i)
      for (std::size_t k = 0; k < i; ++k)
        if (members[i].first == members[k].first) return false;
    return true;
  }

  bool read_text(std::string& out) {
    ++at_;
    while (true) {
      auto begin = at_;
      while (at_ < text_.size() && text_[at_] != '"' && text_[at_] != '\\' &&
             static_cast<unsigned char>(text_[at_]) >= 0x20)
        ++at_;
      out.append(text_, begin, at_ - begin);
      if (at_ == text_.size()) return fail("a string has no end");
      if (text_[at_] == '"') return ++at_, true;
      if (text_[at_] != '\\') return fail("a string has a control character in it");
      ++at_;
      if (!read_escape(out)) return false;
    }
  }

  bool read_escape(std::string& out) {
    constexpr std::string_view letters = "\"\\/bfnrt", meanings = "\"\\/\b\f\n\r\t";
    char letter = peek();
    if (auto place = letters.find(letter); letter != '\0' && place != letters.npos) {
      out += meanings[place];
      ++at_;
      return true;
    }
    unsigned code = 0, low = 0;
    if (letter != 'u' || !read_hex(code)) return fail("a string has an unknown escape");
    if (code >= 0xD800 && code < 0xDC00) {
      if (peek() != '\\' || text_.substr(at_, 2) != "\\u") return fail("a string has half a character");
      ++at_;
      if (!read_hex(low) || low < 0xDC00 || low > 0xDFFF) return fail("a string has half a character");
      code = 0x10000 + ((code - 0xD800) << 10) + (low - 0xDC00);
    } else if (code >= 0xDC00 && code < 0xE000) {
      return fail("a string has half a character");
    }
    append_code_point(out, code);
    return true;
  }

  bool read_hex(unsigned& code) {  // at the u
    auto digits = text_.substr(at_ + 1, 4);
    auto [end, error] = std::from_chars(digits.data(), digits.data() + digits.size(), code, 16);
    if (digits.size() != 4 || error != std::errc{} || end != digits.data() + 4) return false;
    at_ += 5;
    return true;
  }

  static void append_code_point(std::string& out, unsigned code) {
    auto add = [&](unsigned byte) { out += static_cast<char>(byte); };
    if (code < 0x80) return add(code);
    if (code < 0x800) {
      add(0xC0 | code >> 6);
    } else {
      if (code < 0x10000) {
        add(0xE0 | code >> 12);
      } else {
        add(0xF0 | code >> 18);
        add(0x80 | (code >> 12 & 0x3F));
      }
      add(0x80 | (code >> 6 & 0x3F));
    }
    add(0x80 | (code & 0x3F));
  }

  std::string_view text_;
  std::string& why_;
  std::size_t at_ = 0;
  const int most_values_;
  int values_ = 0;
};

}  // namespace

std::optional<Json> read_json(std::string_view text, std::string* why, int most_values) {
  std::string sentence;
  auto value = JsonReader(text, sentence, most_values).read();
  if (!value && why) *why = sentence;
  return value;
}

}  // namespace segments::celery
