#include "redis/pool.h"

#include <algorithm>
#include <chrono>

#include "base/log.h"
#include "redis/error_reply.h"

namespace segments::redis {

namespace {

// How long a server that hung, or a connection that was quiet for long, is waited for.
constexpr int most_ping_ms = 1'000;

}  // namespace

Client::Pool::Pool(Url url, Timeouts timeouts, std::size_t most_connections)
    : url_(std::move(url)), timeouts_(timeouts), most_(std::max<std::size_t>(1, most_connections)) {}

Client::Pool::Lease Client::Pool::lease() {
  std::chrono::steady_clock::time_point patience(std::chrono::milliseconds(deadline(timeouts_.answer_ms)));
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
      if (backoff_.is_failing() && (is_attempting_ || steady_ms() < next_attempt_)) throw apart(*refusal_);
      is_attempting_ = true;
      ++open_;
      bool has_failed = backoff_.is_failing();
      lock.unlock();
      return Lease(*this, connect(has_failed));
    } else if (changed_.wait_until(lock, patience) == std::cv_status::timeout && idle_.empty() &&
               open_ >= most_) {
      throw unavailable("has no connection free: all " + std::to_string(most_) + " are in use");
    }
  }
}

std::unique_ptr<Connection> Client::Pool::connect(bool has_failed) {
  try {
    auto connection = std::make_unique<Connection>(url_, Patience{deadline(timeouts_.connect_ms)});
    // The kernel takes connections for a server that hangs.
    if (has_failed) ping(*connection);
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
  std::vector<Idle> others;
  std::unique_lock lock(mutex_);
  close_idle(lock, others);
  if (!backoff_.is_failing())
    log_warning("redis.unreachable", {{"url", url_.shown()}, {"detail", std::string_view(error.what())}});
  next_attempt_ = steady_ms() + backoff_.next();
  is_attempting_ = false;
  refusal_.emplace(apart(error));
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
    ping(*idle.connection);
    return true;
  } catch (const Error&) {
    return false;
  }
}

void Client::Pool::ping(Connection& connection) const {
  std::string ping;
  Command("PING").print(ping);
  Patience patience{deadline(std::min(most_ping_ms, timeouts_.answer_ms))};
  auto reply = connection.exchange(ping, 1, patience)[0];
  if (wants_new_connection(reply)) throw error_of(reply, "PING");
}

// The others lead to the same server. They are destroyed by the caller, without the lock.
void Client::Pool::close_idle(const std::unique_lock<std::mutex>&, std::vector<Idle>& closed) {
  closed.swap(idle_);
  open_ -= closed.size();
  changed_.notify_all();
}

void Client::Pool::let_go() {
  std::lock_guard lock(mutex_);
  --open_;
  changed_.notify_one();
}

std::vector<Reply> Client::Pool::exchange(std::string_view commands, std::size_t count, int longer_ms) {
  auto leased = lease();
  auto replies = leased.exchange(commands, count, longer_ms);
  leased.give_back(replies);
  return replies;
}

// After one call that waited in vain the next ones are not to wait as long each.
std::vector<Reply> Client::Pool::Lease::exchange(std::string_view commands, std::size_t count,
                                                 int longer_ms) {
  Patience patience{pool_.deadline(Millis{pool_.timeouts_.answer_ms} + longer_ms)};
  try {
    return connection_->exchange(commands, count, patience);
  } catch (const Error& error) {
    if (steady_ms() >= patience.deadline) pool_.note_failure(error);
    throw;
  }
}

Client::Pool::Lease::~Lease() {
  if (!connection_) return;
  connection_.reset();
  pool_.let_go();
}

void Client::Pool::Lease::give_back(const std::vector<Reply>& replies) {
  if (std::ranges::any_of(replies, wants_new_connection)) {
    std::vector<Idle> others;
    std::unique_lock lock(pool_.mutex_);
    pool_.close_idle(lock, others);
    return;
  }
  std::lock_guard lock(pool_.mutex_);
  pool_.idle_.push_back({std::move(connection_), steady_ms()});
  pool_.changed_.notify_one();
}

}  // namespace segments::redis
