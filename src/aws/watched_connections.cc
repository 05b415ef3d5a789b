#include "aws/watched_connections.h"

#include <poll.h>

#include <algorithm>
#include <exception>
#include <optional>

namespace segments::aws {

class WatchedConnections::Line final : public Watched {
 public:
  Line(WatchedConnections& owner, const Origin& origin, ConnectionPool::Kept kept)
      : owner_(owner),
        origin_(origin),
        kept_(std::move(kept)),
        watch_(owner.watcher_.watch(kept_.connection->number(), *this)) {}

  const Origin& origin() const { return origin_; }
  // May be used now, as far as can be told.
  bool is_usable(bool is_repeatable) {
    const auto& options = owner_.pool_->options();
    if (!owner_.pool_->is_fresh(kept_, is_repeatable ? options.idle_ms : options.trusted_idle_ms))
      return false;
    // TLS may have read more than was asked for, which no event tells.
    return (is_repeatable && !origin_.tls) || kept_.connection->is_quiet();
  }

  void begin(HttpRequest&& request, Millis deadline, HttpClient::Done&& done) {
    const auto& options = owner_.pool_->options();
    running_.emplace(std::move(request), std::move(done));
    const auto until = std::min(deadline, steady_ms() + options.stall_ms);
    running_->exchange.emplace(*kept_.connection, running_->request,
                               HttpConnection::Bounds{until, options.stall_ms, options.limits});
    watch_->set_deadline(until);
    go_on();
  }
  void rest() {
    kept_.idle_since = owner_.pool_->options().clock();
    watch_->set_deadline(0);
    wait_for(POLLIN);
  }
  void abandon() {
    running_->exchange->fail(net::unavailable(origin_.name, "is no longer waited for"));
    finish();
  }

 private:
  struct Running {
    Running(HttpRequest&& r, HttpClient::Done&& d) : request(std::move(r)), done(std::move(d)) {}
    HttpRequest request;
    HttpClient::Done done;
    std::optional<HttpConnection::Exchange> exchange;
  };

  void on_events(short events) override {
    is_awaited_ = is_awaited_ && events != POLLIN;
    if (running_) return go_on();
    if (kept_.connection->is_quiet()) return wait_for(POLLIN);
    take_out(owner_.idle_, *this);
  }
  void on_deadline() override {
    if (!running_) return;
    running_->exchange->time_out();
    end();
  }

  void wait_for(short events) {
    if (is_awaited_) events &= ~POLLIN;
    is_awaited_ = is_awaited_ || (events & POLLIN);
    if (events) watch_->wait_for(events);
  }
  void go_on() {
    try {
      if (short wants = running_->exchange->go_on()) return wait_for(wants);
    } catch (const std::exception& error) {
      running_->exchange->fail(Error(ErrorKind::unavailable, error.what()));
    }
    end();
  }
  void end() {
    auto self = take_out(owner_.busy_, *this);
    finish([&] {
      if (kept_.connection->is_reusable()) owner_.keep(std::move(self));
    });
  }
  // It may be used again, or have gone, when whoever waits is told.
  void finish(const std::function<void()>& keep = [] {}) {
    auto outcome = running_->exchange->finish();
    auto done = std::move(running_->done);
    running_.reset();
    keep();
    done(std::move(outcome));
  }

  WatchedConnections& owner_;
  const Origin origin_;
  ConnectionPool::Kept kept_;
  std::unique_ptr<Watch> watch_;
  std::optional<Running> running_;
  bool is_awaited_ = false;  // POLLIN
};

WatchedConnections::WatchedConnections(std::shared_ptr<ConnectionPool> pool, Watcher& watcher)
    : pool_(std::move(pool)), watcher_(watcher) {}

WatchedConnections::~WatchedConnections() {
  for (const auto& line : busy_) line->abandon();
}

bool WatchedConnections::begin(const Origin& origin, HttpRequest&& request, Millis deadline,
                               HttpClient::Done&& done) {
  auto line = find(origin, request.is_repeatable);
  if (!line) return false;
  auto& begun = *line;
  busy_.push_back(std::move(line));
  begun.begin(std::move(request), deadline, std::move(done));
  return true;
}

std::unique_ptr<WatchedConnections::Line> WatchedConnections::find(const Origin& origin, bool is_repeatable) {
  for (auto at = idle_.size(); at-- > 0;) {
    if (idle_[at]->origin() != origin) continue;
    auto line = take_out(idle_, *idle_[at]);
    if (line->is_usable(is_repeatable)) return line;
  }
  const auto& options = pool_->options();
  auto kept = pool_->take(origin, is_repeatable ? options.idle_ms : options.trusted_idle_ms);
  if (!kept.connection) return nullptr;
  try {
    return std::make_unique<Line>(*this, origin, std::move(kept));
  } catch (const Error&) {
    return nullptr;
  }
}

void WatchedConnections::keep(std::unique_ptr<Line> line) {
  line->rest();
  idle_.push_back(std::move(line));
  if (idle_.size() > pool_->options().most_idle) idle_.erase(idle_.begin());
}

std::unique_ptr<WatchedConnections::Line> WatchedConnections::take_out(Lines& lines, const Line& line) {
  auto at = std::ranges::find(lines, &line, &std::unique_ptr<Line>::get);
  auto out = std::move(*at);
  lines.erase(at);
  return out;
}

}  // namespace segments::aws
