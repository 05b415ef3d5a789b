// XML as AWS's query and REST services answer it: elements and text. Attributes, comments and declarations
// are passed over; a document type is refused, and with it every entity but XML's own five and those by
// number.
#pragma once

#include <optional>
#include <string>
#include <string_view>
#include <vector>

namespace segments::aws {

struct XmlElement {
  std::string name;  // without its namespace's prefix
  std::string text;  // of its own, not its children's; as it stands, with blanks
  std::vector<XmlElement> children;

  // The first child of that name; nullptr where there is none.
  const XmlElement* find(std::string_view name) const;
  // Its text; "" where there is none.
  std::string text_of(std::string_view name) const;
};

// The document's element; std::nullopt for what is no XML of this kind, or nests deeper than 32.
std::optional<XmlElement> parse_xml(std::string_view);

}  // namespace segments::aws
