#include "redis/pool.h"

#include <algorithm>
#include <chrono>

#include "base/log.h"
#include "redis/error_reply.h"

namespace segments::redis {

namespace {

constexpr int most_ping_ms = 1'000;

}  // namespace

Client::Pool::Pool(Url url, Timeouts timeouts, std::size_t most_connections)
    : url_(std::move(url)), timeouts_(timeouts), most_(std::max<std::size_t>(1, most_connections)) {}

Client::Pool::Lease Client::Pool::lease() {
  auto patience = std::chrono::steady_clock::now() + std::chrono::milliseconds(timeouts_.answer_ms);
  std::unique_lock lock(mutex_);
  while (true) {
    if (!idle_.empty()) {
      Idle idle = std::move(idle_.back());
      idle_.pop_back();
      lock.unlock();
      if (is_usable(idle)) return Lease(*this, std::move(idle.connection));
      idle.connection.reset();
      let_go();
      lock.lock();
    } else if (open_ < most_) {
      // While the server cannot be reached one caller at a time tries; the others need not wait for the same
      // answer.
      if (backoff_.is_failing() && (is_attempting_ || steady_ms() < next_attempt_)) throw *refusal_;
      is_attempting_ = true;
      ++open_;
      lock.unlock();
      return Lease(*this, connect());
    } else if (changed_.wait_until(lock, patience) == std::cv_status::timeout && idle_.empty() &&
               open_ >= most_) {
      throw unavailable("has no connection free: all " + std::to_string(most_) + " are in use");
    }
  }
}

std::unique_ptr<Connection> Client::Pool::connect() {
  try {
    auto connection = std::make_unique<Connection>(url_, Patience{steady_ms() + timeouts_.connect_ms});
    note_success();
    return connection;
  } catch (const Error& error) {
    note_failure(error);
    let_go();
    throw;
  } catch (const std::exception& error) {
    Error refusal(ErrorKind::internal, std::string("Redis cannot be connected: ") + error.what());
    note_failure(refusal);
    let_go();
    throw refusal;
  }
}

void Client::Pool::note_failure(const Error& error) {
  std::lock_guard lock(mutex_);
  if (!backoff_.is_failing())
    log_warning("redis.unreachable", {{"url", url_.shown()}, {"detail", std::string_view(error.what())}});
  next_attempt_ = steady_ms() + backoff_.next();
  is_attempting_ = false;
  refusal_ = error;
}

void Client::Pool::note_success() {
  std::lock_guard lock(mutex_);
  if (backoff_.is_failing()) log_info("redis.reachable", {{"url", url_.shown()}});
  backoff_.reset();
  is_attempting_ = false;
}

bool Client::Pool::is_usable(Idle& idle) const {
  if (!idle.connection->is_quiet()) return false;
  if (steady_ms() - idle.since < timeouts_.trusted_idle_ms) return true;
  try {
    std::string ping;
    Command("PING").print(ping);
    Patience patience{steady_ms() + std::min(most_ping_ms, timeouts_.answer_ms)};
    return !wants_new_connection(idle.connection->exchange(ping, 1, patience)[0]);
  } catch (const Error&) {
    return false;
  }
}

void Client::Pool::let_go() {
  std::lock_guard lock(mutex_);
  --open_;
  changed_.notify_one();
}

std::vector<Reply> Client::Pool::exchange(std::string_view commands, std::size_t count, int longer_ms) {
  auto leased = lease();
  auto replies = leased->exchange(commands, count, for_answer(longer_ms));
  leased.give_back(replies);
  return replies;
}

Client::Pool::Lease::~Lease() {
  if (!connection_) return;
  connection_.reset();
  pool_.let_go();
}

void Client::Pool::Lease::give_back(const std::vector<Reply>& replies) {
  if (std::ranges::any_of(replies, wants_new_connection)) {
    // The others lead to the same server.
    std::vector<Idle> others;
    std::lock_guard lock(pool_.mutex_);
    pool_.idle_.swap(others);
    pool_.open_ -= others.size();
    pool_.changed_.notify_all();
    return;
  }
  std::lock_guard lock(pool_.mutex_);
  pool_.idle_.push_back({std::move(connection_), steady_ms()});
  pool_.changed_.notify_one();
}

}  // namespace segments::redis
