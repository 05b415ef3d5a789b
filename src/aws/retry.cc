#include "aws/retry.h"

#include <algorithm>
#include <utility>

namespace segments::aws {

namespace {

constexpr Millis most_beyond_ms = 5'000;

constexpr std::pair<std::string_view, Verdict> known_codes[] = {
    // DynamoDB
    {"ProvisionedThroughputExceededException", Verdict::throttled},
    {"ThrottlingException", Verdict::throttled},
    {"RequestLimitExceeded", Verdict::throttled},
    {"LimitExceededException", Verdict::throttled},
    {"TransactionInProgressException", Verdict::throttled},
    {"TransactionConflictException", Verdict::refused},
    {"InternalServerError", Verdict::transient},
    {"InternalFailure", Verdict::transient},
    {"ReplicatedWriteConflictException", Verdict::transient},
    {"ExpiredTokenException", Verdict::stale_keys},
    {"UnrecognizedClientException", Verdict::stale_keys},
    {"InvalidSignatureException", Verdict::signature},
    // S3
    {"SlowDown", Verdict::throttled},
    {"InternalError", Verdict::transient},
    {"ServiceUnavailable", Verdict::transient},
    {"RequestTimeout", Verdict::refused},
    {"BadDigest", Verdict::refused},
    {"XAmzContentSHA256Mismatch", Verdict::refused},
    {"OperationAborted", Verdict::refused},
    {"ConditionalRequestConflict", Verdict::refused},
    {"ExpiredToken", Verdict::stale_keys},
    {"InvalidAccessKeyId", Verdict::stale_keys},
    {"TokenRefreshRequired", Verdict::stale_keys},
    {"RequestTimeTooSkewed", Verdict::signature},
    {"SignatureDoesNotMatch", Verdict::signature},
    {"RequestExpired", Verdict::signature},
    // Any
    {"Throttling", Verdict::throttled},
    {"ThrottledException", Verdict::throttled},
    {"RequestThrottled", Verdict::throttled},
    {"RequestThrottledException", Verdict::throttled},
    {"TooManyRequestsException", Verdict::throttled},
    {"PriorRequestNotComplete", Verdict::throttled},
    {"BandwidthLimitExceeded", Verdict::throttled},
};

}  // namespace

Verdict verdict_of(int status, std::string_view code) {
  auto known = std::ranges::find(known_codes, code, &std::pair<std::string_view, Verdict>::first);
  if (known != std::end(known_codes)) return known->second;
  if (status == 429) return Verdict::throttled;
  if (status == 500 || status == 502 || status == 503 || status == 504) return Verdict::transient;
  return status / 100 == 2 && code.empty() ? Verdict::none : Verdict::final;
}

Millis delay_before(const RetryPolicy& policy, Verdict fault, int retry, double random, Millis asked_ms) {
  auto base = fault == Verdict::throttled ? policy.throttled_base_ms : policy.base_ms;
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
