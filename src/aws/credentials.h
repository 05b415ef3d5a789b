// Access keys, from the first of AWS's usual places that has some, kept fresh. The order is botocore's:
// environment, web identity, shared files, container (ECS, EKS Pod Identity), instance (EC2). No secret is
// ever written to a log or an error.
#pragma once

#include <condition_variable>
#include <functional>
#include <mutex>
#include <optional>
#include <string>

#include "aws/credential_sources.h"
#include "base/error.h"

namespace segments::aws {

// For all threads at once. Fifteen minutes before keys expire one caller fetches new ones while the others go
// on with the old; ten minutes before, all wait for them. There is never more than one fetch under way. Where
// it fails, the old keys are kept as long as they live, and it is tried again after ten seconds.
class CredentialProvider {
 public:
  explicit CredentialProvider(CredentialContext);

  // Blocks while keys are fetched. Throws Error{unavailable} where a place that should have some cannot give
  // any now, Error{internal} where no place has any or one is set up wrongly: the sentence says which and
  // why.
  Credentials get();
  // The same where get() would neither wait nor fetch; else std::nullopt.
  std::optional<Credentials> at_hand();
  // AWS calls them expired or unknown: the next get() looks for others first, unless somebody has meanwhile.
  void refuse(const Credentials&);

 private:
  bool is_alive(Millis now) const;
  bool must_wait(Millis now) const;
  bool is_to_be_renewed(Millis now) const;
  void fetch(std::unique_lock<std::mutex>&);
  Credentials find();
  void note(const Credentials&, Millis now);
  void note(const Error&, Millis now);

  const CredentialContext context_;
  const CredentialSource* source_ = nullptr;  // that had keys before; used by the fetching thread alone
  std::mutex mutex_;
  std::condition_variable fetched_;
  std::optional<Credentials> current_;
  std::optional<Error> failure_;  // of the last fetch
  Millis fetched_at_ = 0;         // current_
  Millis next_fetch_ = 0;         // not sooner, as long as it can wait
  bool is_refused_ = false;
  bool is_fetching_ = false;
};

}  // namespace segments::aws
