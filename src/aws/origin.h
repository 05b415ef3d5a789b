// Where requests go: scheme, host and port.
#pragma once

#include <compare>
#include <string>
#include <string_view>

namespace segments::aws {

struct Origin {
  std::string name;  // what errors and logs call it: "DynamoDB"
  bool tls = true;
  std::string host;  // IPv6 without brackets
  int port = 443;

  // As the Host header has it: without the scheme's own port.
  std::string authority() const;
  std::string url() const;  // "https://dynamodb.eu-west-1.amazonaws.com"
  bool operator==(const Origin&) const = default;
};

// "http://127.0.0.1:8000", "https://s3.example.com/"; no path, query or user. Throws Error{invalid} with one
// sentence that names `variable`, where it was read.
Origin parse_origin(std::string_view url, std::string_view name, std::string_view variable);

}  // namespace segments::aws
