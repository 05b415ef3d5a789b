#include "aws/endpoint.h"

#include "aws/profile.h"
#include "base/error.h"
#include "base/text.h"

namespace segments::aws {

namespace {

void check_region(std::string_view region) {
  // It becomes part of a host name.
  bool is_label = !region.empty() && region.size() <= 63;
  for (char c : region) is_label = is_label && ((c >= 'a' && c <= 'z') || (c >= '0' && c <= '9') || c == '-');
  if (!is_label)
    throw Error(ErrorKind::invalid, "The AWS region is not of lower-case letters, digits and dashes.");
}

}  // namespace

std::optional<std::string> find_region(const Environment& environment) {
  auto region = find_variable(environment, "AWS_REGION");
  if (!region) region = find_variable(environment, "AWS_DEFAULT_REGION");
  if (!region) {
    auto profile = find_profile(environment);
    if (profile) region = profile->find("region");
  }
  if (region) check_region(*region);
  return region;
}

Endpoint endpoint_of(std::string_view service, std::string_view name, std::string_view region,
                     const Environment& environment) {
  std::string own = "AWS_ENDPOINT_URL_";
  for (char c : service) own += static_cast<char>(c >= 'a' && c <= 'z' ? c - 'a' + 'A' : c);
  for (const auto& variable : {own, std::string("AWS_ENDPOINT_URL")})
    if (auto url = find_variable(environment, variable)) return {parse_origin(*url, name, variable), true};
  check_region(region);
  Endpoint out;
  out.origin.name = name;
  out.origin.host = std::string(service) + '.' + std::string(region) +
                    (region.starts_with("cn-") ? ".amazonaws.com.cn" : ".amazonaws.com");
  return out;
}

BucketAddress address_of_bucket(const Endpoint& endpoint, std::string_view bucket, BucketStyle style) {
  bool by_path = style == BucketStyle::path ||
                 (style == BucketStyle::automatic &&
                  (endpoint.is_overridden || (bucket.find('.') != bucket.npos && endpoint.origin.tls)));
  if (by_path) return {endpoint.origin, '/' + std::string(bucket)};
  auto origin = endpoint.origin;
  origin.host = std::string(bucket) + '.' + origin.host;
  return {origin, ""};
}

}  // namespace segments::aws
