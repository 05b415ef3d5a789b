// Which region we are in, and where its services answer.
#pragma once

#include <string>
#include <string_view>

#include "aws/environment.h"
#include "aws/origin.h"

namespace segments::aws {

// AWS_REGION, AWS_DEFAULT_REGION, then `region` of the profile (AWS_PROFILE, or "default") in the shared
// files; std::nullopt where none says. Throws Error{invalid} for what cannot be a region.
std::optional<std::string> find_region(const Environment&);

struct Endpoint {
  Origin origin;
  bool is_overridden = false;  // not AWS's own address
};

// `service` is the name in AWS's host names and variables ("dynamodb", "s3", "sts"), `name` what errors call
// it. AWS_ENDPOINT_URL_{SERVICE}, then AWS_ENDPOINT_URL, then AWS's own address in the region: in the usual
// partition or China's; the isolated ones, dual-stack and FIPS addresses are given by those variables. Throws
// Error{invalid} for a URL that is none.
Endpoint endpoint_of(std::string_view service, std::string_view name, std::string_view region,
                     const Environment&);

// Where a bucket is, and the path before its keys: "https://bucket.s3.eu-west-1.amazonaws.com" and "", or
// with path style "https://s3.eu-west-1.amazonaws.com" and "/bucket". Names with dots go by path, since TLS
// certificates cover one label; and so do stores that are not AWS's own, unless asked otherwise.
struct BucketAddress {
  Origin origin;
  std::string prefix;
};
enum class BucketStyle { automatic, path, host };
BucketAddress address_of_bucket(const Endpoint&, std::string_view bucket, BucketStyle);

}  // namespace segments::aws
