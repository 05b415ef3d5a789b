#include "app/aws_account.h"

#include "base/error.h"

namespace segments {
namespace {

aws::Environment environment_of(const Config& config) {
  return [region = config.aws_region](std::string_view name) -> std::optional<std::string> {
    // A flag or `.env` may say it, too.
    if (name == "AWS_REGION" && !region.empty()) return region;
    return find_environment(name);
  };
}

std::string region_of(const aws::Environment& environment) {
  auto region = aws::find_region(environment);
  if (!region)
    throw Error(ErrorKind::invalid,
                "No AWS region is named: set AWS_REGION, or a region in the profile of AWS's configuration.");
  return *region;
}

}  // namespace

AwsAccount::AwsAccount(const Config& config)
    : environment_(environment_of(config)),
      region_(region_of(environment_)),
      credentials_({.environment = environment_}) {}

aws::Endpoint AwsAccount::endpoint_of(std::string_view service, std::string_view name) const {
  return aws::endpoint_of(service, name, region_, environment_);
}

std::unique_ptr<aws::Client> make_dynamodb_client(AwsAccount& account) {
  aws::Client::Options options;
  options.service = "dynamodb";
  options.region = account.region();
  options.origin = account.endpoint_of("dynamodb", "DynamoDB").origin;
  return std::make_unique<aws::Client>(std::move(options), account.credentials());
}

std::unique_ptr<s3::S3ObjectStore> make_s3_store(const Config& config, AwsAccount& account) {
  s3::Options options;
  options.bucket = config.aws_bucket_name;
  options.region = account.region();
  options.endpoint = account.endpoint_of("s3", "S3");
  options.kms_key = config.s3_kms_key;
  options.payload_signing_enabled = config.s3_payload_signing_enabled;
  return std::make_unique<s3::S3ObjectStore>(std::move(options), account.credentials());
}

}  // namespace segments
