#include "aws/credentials.h"

#include "base/log.h"

namespace segments::aws {

namespace {

constexpr Millis minute = 60'000;
constexpr Millis early = 15 * minute;           // somebody fetches
constexpr Millis late = 10 * minute;            // everybody waits
constexpr Millis pause_after_success = minute;  // EC2 gives the same keys until five minutes before their end
constexpr Millis pause_after_failure = 10'000;
constexpr Millis pause_without_keys = 1'000;
constexpr Millis trusted_after_fetch = 5'000;

}  // namespace

CredentialProvider::CredentialProvider(CredentialContext context) : context_(std::move(context)) {}

bool CredentialProvider::is_alive(Millis now) const {
  return current_ && (!current_->expires_at || now < *current_->expires_at);
}

bool CredentialProvider::must_wait(Millis now) const {
  if (!is_alive(now)) return true;
  if (is_refused_) return true;
  return current_->expires_at && now >= *current_->expires_at - late && (is_fetching_ || now >= next_fetch_);
}

bool CredentialProvider::is_to_be_renewed(Millis now) const {
  return current_->expires_at && now >= *current_->expires_at - early && !is_fetching_ && now >= next_fetch_;
}

std::optional<Credentials> CredentialProvider::at_hand() {
  std::lock_guard lock(mutex_);
  const auto now = context_.clock();
  if (must_wait(now) || is_to_be_renewed(now)) return std::nullopt;
  return current_;
}

Credentials CredentialProvider::get() {
  std::unique_lock lock(mutex_);
  auto now = context_.clock();
  if (must_wait(now)) {
    if (is_fetching_) {
      fetched_.wait(lock, [&] { return !is_fetching_; });
    } else if (is_alive(now) || !failure_ || now >= next_fetch_) {
      fetch(lock);
    }
  } else if (is_to_be_renewed(now)) {
    fetch(lock);
  }
  if (is_alive(context_.clock())) return *current_;
  throw failure_.value_or(Error(ErrorKind::unavailable, "AWS's credentials have expired.", {}, 1));
}

void CredentialProvider::refuse(const Credentials& refused) {
  std::lock_guard lock(mutex_);
  bool is_current = current_ && current_->keys.access_key_id == refused.keys.access_key_id &&
                    current_->keys.session_token == refused.keys.session_token;
  // Those that were fetched a moment ago would be the same again.
  bool is_new = context_.clock() < fetched_at_ + trusted_after_fetch;
  if (is_current && !is_new) is_refused_ = true;
}

// Unlocked while it asks.
void CredentialProvider::fetch(std::unique_lock<std::mutex>& lock) {
  is_fetching_ = true;
  is_refused_ = false;
  lock.unlock();
  std::optional<Credentials> found;
  std::optional<Error> failure;
  try {
    found = find();
  } catch (const Error& error) {
    // What is set up wrongly is no fault of the request that stumbles over it.
    bool may_pass = error.kind() == ErrorKind::unavailable;
    failure.emplace(may_pass ? ErrorKind::unavailable : ErrorKind::internal, error.what(),
                    std::vector<Fault>(), may_pass ? 1 : 0);
  } catch (const std::exception& error) {
    failure.emplace(ErrorKind::internal, std::string("AWS's credentials cannot be had: ") + error.what());
  }
  lock.lock();
  auto now = context_.clock();
  if (found)
    note(*found, now);
  else
    note(*failure, now);
  is_fetching_ = false;
  fetched_.notify_all();
}

Credentials CredentialProvider::find() {
  std::optional<Credentials> found;
  if (source_) {
    found = source_->find(context_);
    if (!found)
      throw Error(ErrorKind::unavailable,
                  std::string("AWS's credentials are no longer found (") + source_->name + ").");
  }
  for (const auto& source : credential_sources()) {
    if (found) break;
    found = source.find(context_);
    if (found) source_ = &source;
  }
  if (!found)
    throw Error(
        ErrorKind::internal,
        "There are no AWS credentials: neither in the environment (AWS_ACCESS_KEY_ID), nor by web identity, "
        "nor in the shared files, nor from a container's agent, nor from an instance's role.");
  if (found->expires_at && context_.clock() >= *found->expires_at)
    throw Error(ErrorKind::unavailable, "AWS's credentials from " + found->source + " have expired.");
  return *found;
}

void CredentialProvider::note(const Credentials& found, Millis now) {
  if (!current_ || failure_)
    log_info("aws.credentials", {{"source", found.source}, {"expires", found.expires_at.has_value()}});
  current_ = found;
  failure_.reset();
  fetched_at_ = now;
  next_fetch_ = now + pause_after_success;
}

void CredentialProvider::note(const Error& failure, Millis now) {
  if (!failure_)
    log_warning("aws.credentials_failed",
                {{"detail", std::string_view(failure.what())}, {"kept", is_alive(now)}});
  failure_ = failure;
  next_fetch_ = now + (is_alive(now) ? pause_after_failure : pause_without_keys);
}

}  // namespace segments::aws
