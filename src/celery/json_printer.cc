// How JSON is printed.
#include <utility>

#include "celery/json.h"
#include "describe/encode.h"

namespace segments::celery {

void print_json(std::string& out, const Json& json) {
  using Kind = Json::Kind;
  char open = '[';
  switch (json.kind()) {
    case Kind::null:
      out += "null";
      break;
    case Kind::boolean:
      out += json.boolean() ? "true" : "false";
      break;
    case Kind::integer:
    case Kind::real:
      out += json.text();
      break;
    case Kind::text:
      encode_string(out, json.text());
      break;
    case Kind::array:
      if (json.items().empty()) out += '[';
      for (const auto& item : json.items()) {
        out += std::exchange(open, ',');
        print_json(out, item);
      }
      out += ']';
      break;
    case Kind::object:
      open = '{';
      if (json.members().empty()) out += '{';
      for (const auto& [name, value] : json.members()) {
        out += std::exchange(open, ',');
        encode_string(out, name);
        out += ':';
        print_json(out, value);
      }
      out += '}';
  }
}
std::string print_json(const Json& json) {
  std::string out;
  print_json(out, json);
  return out;
}

}  // namespace segments::celery
