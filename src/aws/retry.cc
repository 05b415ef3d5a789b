#include "aws/retry.h"

#include <algorithm>
#include <utility>

namespace segments::aws {

namespace {

constexpr Millis most_beyond_ms = 5'000;

constexpr std::pair<std::string_view, Fault> known_codes[] = {
    // DynamoDB
    {"ProvisionedThroughputExceededException", Fault::throttled},
    {"ThrottlingException", Fault::throttled},
    {"RequestLimitExceeded", Fault::throttled},
    {"LimitExceededException", Fault::throttled},
    {"TransactionInProgressException", Fault::throttled},
    {"TransactionConflictException", Fault::refused},
    {"InternalServerError", Fault::transient},
    {"InternalFailure", Fault::transient},
    {"ReplicatedWriteConflictException", Fault::transient},
    {"ExpiredTokenException", Fault::stale_keys},
    {"UnrecognizedClientException", Fault::stale_keys},
    {"InvalidSignatureException", Fault::signature},
    // S3
    {"SlowDown", Fault::throttled},
    {"InternalError", Fault::transient},
    {"ServiceUnavailable", Fault::transient},
    {"RequestTimeout", Fault::refused},
    {"BadDigest", Fault::refused},
    {"XAmzContentSHA256Mismatch", Fault::refused},
    {"OperationAborted", Fault::refused},
    {"ConditionalRequestConflict", Fault::refused},
    {"ExpiredToken", Fault::stale_keys},
    {"InvalidAccessKeyId", Fault::stale_keys},
    {"TokenRefreshRequired", Fault::stale_keys},
    {"RequestTimeTooSkewed", Fault::signature},
    {"SignatureDoesNotMatch", Fault::signature},
    {"RequestExpired", Fault::signature},
    // Any
    {"Throttling", Fault::throttled},
    {"ThrottledException", Fault::throttled},
    {"RequestThrottled", Fault::throttled},
    {"RequestThrottledException", Fault::throttled},
    {"TooManyRequestsException", Fault::throttled},
    {"PriorRequestNotComplete", Fault::throttled},
    {"BandwidthLimitExceeded", Fault::throttled},
};

}  // namespace

Fault fault_of(int status, std::string_view code) {
  auto known = std::ranges::find(known_codes, code, &std::pair<std::string_view, Fault>::first);
  if (known != std::end(known_codes)) return known->second;
  if (status == 429) return Fault::throttled;
  if (status == 500 || status == 502 || status == 503 || status == 504) return Fault::transient;
  return status / 100 == 2 && code.empty() ? Fault::none : Fault::final;
}

Millis delay_before(const RetryPolicy& policy, Fault fault, int retry, double random, Millis asked_ms) {
  auto base = fault == Fault::throttled ? policy.throttled_base_ms : policy.base_ms;
  auto bound = std::min(policy.most_delay_ms, base << std::clamp(retry - 1, 0, 20));
  auto delay = static_cast<Millis>(random * static_cast<double>(bound));
  return std::clamp(asked_ms, delay, delay + most_beyond_ms);
}

bool RetryBudget::take(int tokens) {
  std::lock_guard lock(mutex_);
  if (left_ < tokens) return false;
  left_ -= tokens;
  return true;
}

void RetryBudget::give_back(int tokens) {
  std::lock_guard lock(mutex_);
  left_ = std::min(most, left_ + tokens);
}

int RetryBudget::left() {
  std::lock_guard lock(mutex_);
  return left_;
}

}  // namespace segments::aws
