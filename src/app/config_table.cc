#include <algorithm>

#include "app/config.h"
#include "app/env_file.h"

namespace segments {
namespace {

template <class T>
std::string allowed_of(const Rule& rule) {
  if constexpr (VectorOf<T>::value) {
    return allowed_of<typename VectorOf<T>::Value>(rule) + ", comma-separated";
  } else if constexpr (OptionalOf<T>::value) {
    return allowed_of<typename T::value_type>(rule);
  } else if constexpr (std::is_same_v<T, bool>) {
    return "yes, no";
  } else if constexpr (DescribedEnum<T>) {
    return names_of<T>();
  } else if constexpr (std::is_arithmetic_v<T>) {
    return "a whole number from " + setting_text(static_cast<std::int64_t>(rule.minimum)) + " to " +
           setting_text(static_cast<std::int64_t>(rule.maximum));
  } else {
    // A check states what it allows when it is asked about something that nothing allows.
    if (rule.check) return rule.check("?");
    return rule.min_length > 1 ? "text of at least " + std::to_string(rule.min_length) + " bytes" : "text";
  }
}

struct Row {
  std::string key, flag, initial, allowed, about;
};

std::vector<Row> rows() {
  std::vector<Row> rows;
  Config initial;
  for_each_member<Config>([&](const char* name, auto member) {
    Rule rule = rule_of(Describes<Config>{}, name);
    using T = std::remove_cvref_t<decltype(initial.*member)>;
    rows.push_back(
        {key_of(name), flag_of(name), setting_text(initial.*member), allowed_of<T>(rule), rule.about});
  });
  return rows;
}

}  // namespace

std::string allowed_values(std::string_view member) {
  std::string key = key_of(member);
  for (const auto& row : rows())
    if (row.key == key) return row.allowed;
  return "";
}

std::string print_settings() {
  std::string out;
  for (const auto& row : rows()) {
    out +=
        "  " + row.flag + "  (" + row.key + (row.initial.empty() ? "" : ", default " + row.initial) + ")\n";
    std::string about = row.about;
    about.erase(std::remove(about.begin(), about.end(), '`'), about.end());
    out += "      " + about + ". Allowed: " + row.allowed + ".\n";
  }
  return out;
}

std::string print_settings_markdown() {
  std::string out = "| variable | flag | default | allowed | what it is |\n|---|---|---|---|---|\n";
  for (const auto& row : rows()) {
    std::string initial = row.initial.empty() ? "" : "`" + row.initial + "`";
    out += "| `" + row.key + "` | `" + row.flag + "` | " + initial + " | " + row.allowed + " | " + row.about +
           " |\n";
  }
  return out;
}

}  // namespace segments
