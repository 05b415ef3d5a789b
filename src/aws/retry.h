// What may be tried again, when, and how often. Sources: AWS's SDK reference guide, "Retry behavior"; the API
// references of DynamoDB and S3, "Error handling".
#pragma once

#include <mutex>
#include <string_view>

#include "base/time.h"

namespace segments::aws {

// What an answer says about trying again.
enum class Verdict {
  none,        // it was carried out
  final,       // refused, and would be again
  refused,     // refused in passing, certainly not carried out
  throttled,   // the same, because there is too much to do
  stale_keys,  // refused: the keys have expired or are not known
  signature,   // refused: the signature does not fit, perhaps because our clock is wrong
  transient,   // failed in passing; it may have been carried out
};

// By AWS's error code ("" where there is none), else by the status. TransactionCanceledException is final
// here: its reasons, which decide, are the caller's to read.
Verdict verdict_of(int status, std::string_view code);

struct RetryPolicy {
  int most_attempts = 4;  // the first among them
  Millis base_ms = 50;    // of the first delay's upper bound, which doubles with each retry
  Millis throttled_base_ms = 1'000;
  Millis most_delay_ms = 20'000;
};

// Full jitter: somewhere between nothing and the bound, by `random` in [0, 1). `retry`: from 1. `asked_ms`:
// for which the server has asked (0: it has not); believed up to 5 s beyond.
Millis delay_before(const RetryPolicy&, Verdict, int retry, double random, Millis asked_ms);

// How much all calls of a client together may retry: where most fail, retries only add to the load. 500
// tokens; a retry takes 5 (10 after a timeout), a call that succeeds brings back what its last retry took,
// or 1. For all threads at once.
class RetryBudget {
 public:
  static constexpr int most = 500, retry_cost = 5, timeout_cost = 10, plain_gain = 1;

  // False, and takes nothing, where there are not so many left.
  bool take(int tokens);
  void give_back(int tokens);
  int left();

 private:
  std::mutex mutex_;
  int left_ = most;
};

}  // namespace segments::aws
