#include "aws/retry.h"

#include <gtest/gtest.h>

#include <thread>
#include <vector>

namespace segments::aws {
namespace {

TEST(Retry, KnowsWhatAnAnswerMeans) {
  struct Sample {
    int status;
    const char* code;
    Verdict verdict;
  };
  const Sample samples[] = {
      {200, "", Verdict::none},
      {204, "", Verdict::none},
      {200, "InternalError", Verdict::transient},  // S3's long copies
      {200, "NoSuchKey", Verdict::final},
      {304, "Http304", Verdict::final},
      {400, "ValidationException", Verdict::final},
      {400, "ConditionalCheckFailedException", Verdict::final},
      {400, "TransactionCanceledException", Verdict::final},
      {400, "ResourceNotFoundException", Verdict::final},
      {400, "AccessDeniedException", Verdict::final},
      {404, "NoSuchUpload", Verdict::final},
      {412, "PreconditionFailed", Verdict::final},
      {400, "ProvisionedThroughputExceededException", Verdict::throttled},
      {400, "ThrottlingException", Verdict::throttled},
      {503, "SlowDown", Verdict::throttled},
      {429, "Http429", Verdict::throttled},
      {400, "TransactionConflictException", Verdict::refused},
      {400, "RequestTimeout", Verdict::refused},
      {409, "ConditionalRequestConflict", Verdict::refused},
      {400, "ExpiredTokenException", Verdict::stale_keys},
      {400, "UnrecognizedClientException", Verdict::stale_keys},
      {400, "ExpiredToken", Verdict::stale_keys},
      {403, "RequestTimeTooSkewed", Verdict::signature},
      {400, "InvalidSignatureException", Verdict::signature},
      {500, "InternalServerError", Verdict::transient},
      {503, "ServiceUnavailable", Verdict::transient},
      {500, "Http500", Verdict::transient},
      {502, "Http502", Verdict::transient},
      {504, "Http504", Verdict::transient},
      {501, "NotImplemented", Verdict::final},
  };
  for (const auto& [status, code, verdict] : samples)
    EXPECT_EQ(verdict_of(status, code), verdict) << status << ' ' << code;
}

TEST(Retry, WaitsSomewhereBelowABoundThatDoubles) {
  RetryPolicy policy;
  Millis bound = 50;
  for (int retry = 1; retry <= 70; ++retry) {
    EXPECT_EQ(delay_before(policy, Verdict::transient, retry, 0, 0), 0);
    EXPECT_EQ(delay_before(policy, Verdict::transient, retry, 0.5, 0), bound / 2);
    EXPECT_LT(delay_before(policy, Verdict::transient, retry, 0.999999, 0), bound);
    bound = std::min<Millis>(20'000, bound * 2);
  }
  EXPECT_EQ(delay_before(policy, Verdict::throttled, 1, 0.5, 0), 500);
  EXPECT_EQ(delay_before(policy, Verdict::throttled, 3, 0.5, 0), 2'000);
}

TEST(Retry, BelievesAServerThatAsksForLonger) {
  RetryPolicy policy;
  EXPECT_EQ(delay_before(policy, Verdict::transient, 1, 0.5, 10), 25);
  EXPECT_EQ(delay_before(policy, Verdict::transient, 1, 0.5, 1'500), 1'500);
  EXPECT_EQ(delay_before(policy, Verdict::transient, 1, 0.5, 3'600'000), 5'025);
}

TEST(Retry, BudgetIsNeverOverdrawnNorOverfilled) {
  RetryBudget budget;
  std::atomic<int> taken = 0;
  std::vector<std::thread> threads;
  for (int i = 0; i < 8; ++i)
    threads.emplace_back([&] {
      for (int k = 0; k < 100; ++k) taken += budget.take(RetryBudget::retry_cost);
    });
  for (auto& thread : threads) thread.join();
  EXPECT_EQ(taken, 100);
  EXPECT_EQ(budget.left(), 0);
  EXPECT_FALSE(budget.take(1));
  budget.give_back(3);
  EXPECT_FALSE(budget.take(4));
  EXPECT_TRUE(budget.take(3));
  budget.give_back(10'000);
  EXPECT_EQ(budget.left(), 500);
}

}  // namespace
}  // namespace segments::aws
