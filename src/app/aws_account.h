// AWS as the settings and AWS's own variables describe it: the region, where services answer, and the keys.
#pragma once

#include <memory>
#include <string>
#include <string_view>

#include "app/config.h"
#include "aws/client.h"
#include "aws/credentials.h"
#include "aws/endpoint.h"
#include "s3/s3_object_store.h"

namespace segments {

class AwsAccount {
 public:
  // Throws Error{invalid} where no region is named. Keys are looked for when they are first needed.
  explicit AwsAccount(const Config&);

  const std::string& region() const { return region_; }
  aws::CredentialProvider& credentials() { return credentials_; }
  // `service` as AWS's host names have it, `name` as errors do: "dynamodb", "DynamoDB".
  aws::Endpoint endpoint_of(std::string_view service, std::string_view name) const;

 private:
  aws::Environment environment_;
  std::string region_;
  aws::CredentialProvider credentials_;
};

// The account must outlive them.
std::unique_ptr<aws::Client> make_dynamodb_client(AwsAccount&);
std::unique_ptr<s3::S3ObjectStore> make_s3_store(const Config&, AwsAccount&);

}  // namespace segments
