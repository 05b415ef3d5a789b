#include "aws/xml.h"

#include <charconv>

#include "base/text.h"

namespace segments::aws {

namespace {

constexpr int most_depth = 32;

bool is_name_byte(char c) {
  return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') || c == '_' || c == '-' ||
         c == '.' || c == ':';
}

bool append_code_point(std::uint32_t code, std::string& out) {
  if (code == 0 || code > 0x10FFFF || (code >= 0xD800 && code < 0xE000)) return false;
  auto tail = [&](int shift) { out += static_cast<char>(0x80 | ((code >> shift) & 0x3F)); };
  if (code < 0x80) {
    out += static_cast<char>(code);
  } else if (code < 0x800) {
    out += static_cast<char>(0xC0 | (code >> 6));
    tail(0);
  } else if (code < 0x10000) {
    out += static_cast<char>(0xE0 | (code >> 12));
    tail(6);
    tail(0);
  } else {
    out += static_cast<char>(0xF0 | (code >> 18));
    tail(12);
    tail(6);
    tail(0);
  }
  return true;
}

bool append_entity(std::string_view entity, std::string& out) {
  constexpr std::pair<std::string_view, char> known[] = {
      {"amp", '&'}, {"lt", '<'}, {"gt", '>'}, {"quot", '"'}, {"apos", '\''}};
  for (auto [name, character] : known)
    if (entity == name) {
      out += character;
      return true;
    }
  if (!entity.starts_with('#')) return false;
  bool is_hex = entity.starts_with("#x");
  auto digits = entity.substr(is_hex ? 2 : 1);
  std::uint32_t code = 0;
  auto [end, error] = std::from_chars(digits.data(), digits.data() + digits.size(), code, is_hex ? 16 : 10);
  return error == std::errc() && end == digits.data() + digits.size() && append_code_point(code, out);
}

class XmlParser {
 public:
  explicit XmlParser(std::string_view text) : rest_(text) {}

  std::optional<XmlElement> document() {
    take("\xEF\xBB\xBF");
    std::string around;
    XmlElement root;
    if (!skip_to_tag(around) || !element(root, 0)) return std::nullopt;
    if (skip_to_tag(around) || !rest_.empty() || !trim(around).empty()) return std::nullopt;
    return root;
  }

 private:
  bool take(std::string_view token) {
    if (!rest_.starts_with(token)) return false;
    rest_.remove_prefix(token.size());
    return true;
  }
  bool take_through(std::string_view end, std::string_view& before) {
    auto at = rest_.find(end);
    if (at == rest_.npos) return false;
    before = rest_.substr(0, at);
    rest_.remove_prefix(at + end.size());
    return true;
  }
  std::string_view name() {
    std::size_t size = 0;
    while (size < rest_.size() && is_name_byte(rest_[size])) ++size;
    auto out = rest_.substr(0, size);
    rest_.remove_prefix(size);
    return out;
  }

  // Text (appended) up to the next tag. False where there is none, or what stands there is refused.
  bool skip_to_tag(std::string& text) {
    std::string_view part;
    while (!rest_.empty()) {
      if (take("<!--")) {
        if (!take_through("-->", part)) return false;
      } else if (take("<?")) {
        if (!take_through("?>", part)) return false;
      } else if (take("<![CDATA[")) {
        if (!take_through("]]>", part)) return false;
        text += part;
      } else if (rest_[0] == '<') {
        return !rest_.starts_with("<!");
      } else if (take("&")) {
        if (!take_through(";", part) || !append_entity(part, text)) return false;
      } else {
        auto size = rest_.find_first_of("<&");
        text += rest_.substr(0, size);
        rest_.remove_prefix(std::min(size, rest_.size()));
      }
    }
    return false;
  }

  // Attributes, which nobody here reads.
  bool skip_attributes() {
    while (!rest_.empty() && rest_[0] != '>' && rest_[0] != '/') {
      char quote = rest_[0];
      if (quote == '<') return false;
      rest_.remove_prefix(1);
      std::string_view value;
      if ((quote == '"' || quote == '\'') && !take_through({&quote, 1}, value)) return false;
    }
    return true;
  }

  // At its '<'.
  bool element(XmlElement& out, int depth) {
    if (depth == most_depth || !take("<")) return false;
    auto full_name = name();
    if (full_name.empty() || !skip_attributes()) return false;
    out.name = full_name.substr(full_name.rfind(':') + 1);
    if (take("/>")) return true;
    if (!take(">")) return false;
    while (skip_to_tag(out.text)) {
      if (!rest_.starts_with("</")) {
        if (!element(out.children.emplace_back(), depth + 1)) return false;
        continue;
      }
      take("</");
      if (name() != full_name) return false;
      while (!rest_.empty() && (rest_[0] == ' ' || rest_[0] == '\n' || rest_[0] == '\r' || rest_[0] == '\t'))
        rest_.remove_prefix(1);
      return take(">");
    }
    return false;
  }

  std::string_view rest_;
};

}  // namespace

const XmlElement* XmlElement::find(std::string_view wanted) const {
  for (const auto& child : children)
    if (child.name == wanted) return &child;
  return nullptr;
}

std::string XmlElement::text_of(std::string_view wanted) const {
  const auto* child = find(wanted);
  return child ? child->text : std::string();
}

std::optional<XmlElement> parse_xml(std::string_view text) {
  return XmlParser(text).document();
}

}  // namespace segments::aws
