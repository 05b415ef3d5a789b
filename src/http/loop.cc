#include "http/loop.h"

#include <netinet/tcp.h>
#include <pthread.h>
#include <signal.h>
#include <sys/socket.h>
#include <unistd.h>

#include <algorithm>
#include <iterator>

#include "base/batch.h"
#include "base/processor.h"
#include "http/connection.h"
#include "http/event_connection.h"
#include "http/loop_watcher.h"
#include "http/range.h"

namespace segments::http {

namespace {

constexpr auto sweep_period = std::chrono::milliseconds(500);

}  // namespace

Shared::Shared(const Router& r, const ServerOptions& o, Metrics* metrics) : router(r), options(o) {
  pool.emplace(o.pool_threads, o.pool_queue, metrics);
  if (!metrics) return;
  connections_gauge = &metrics->gauge("http_connections", "Open connections, event streams among them.");
  streams_gauge = &metrics->gauge("http_event_streams", "Open event streams.");
  moved_counter =
      &metrics->counter("http_connections_moved_total", "Connections that one I/O thread gave to another.");
}

Place::Place(Shared& shared, std::atomic<int>& on_loop) : shared_(&shared), on_loop_(&on_loop) {
  shared.open.fetch_add(1);
  on_loop.fetch_add(1, std::memory_order_relaxed);
  if (shared.connections_gauge) shared.connections_gauge->add(1);
}

Place::~Place() {
  if (!shared_) return;
  on_loop_->fetch_sub(1, std::memory_order_relaxed);
  if (shared_->connections_gauge) shared_->connections_gauge->add(-1);
  if (shared_->open.fetch_sub(1) != 1 || !shared_->stopping) return;
  std::lock_guard lock(shared_->mutex);
  shared_->closed.notify_all();
}

void Place::move_to(std::atomic<int>& on_loop) {
  on_loop_->fetch_sub(1, std::memory_order_relaxed);
  on_loop.fetch_add(1, std::memory_order_relaxed);
  on_loop_ = &on_loop;
}

Loop::Loop(Shared& s) : shared(s), work_(context.get_executor()), timer_(context.get_executor()) {
  tick();
}

Loop::~Loop() = default;

void Loop::run() {
  // sendfile() has no flag that keeps it from raising SIGPIPE.
  sigset_t set;
  sigemptyset(&set);
  sigaddset(&set, SIGPIPE);
  pthread_sigmask(SIG_BLOCK, &set, nullptr);
  ask_for_short_turns();
  // Behind what is ready now: the busier the thread, the more of it shares a read transaction, and the more
  // lines leave together.
  Batch batch([this, &batch] { asio::post(context, [&batch] { batch.end(); }); });
  LoopWatcher watcher(*this);
  shared.balance.join(*this);
  context.run();
  shared.balance.leave(*this);
}

void Loop::tick() {
  date = format_http_date(now_ms());
  auto now = steady_ms();
  // From the back: an entry that leaves is replaced by the last one, which has been seen.
  for (auto i = tracked_.size(); i-- > 0;)
    if (i < tracked_.size() && tracked_[i].quiet_until <= now) {
      auto* who = tracked_[i].who;
      const auto quiet_until = who->sweep(now);
      if (i < tracked_.size() && tracked_[i].who == who) tracked_[i].quiet_until = quiet_until;
    }
  timer_.expires_after(sweep_period);
  timer_.async_wait([this](error_code error) {
    if (!error) tick();
  });
}

// An accepted socket on its way to its thread; closed when it does not get there.
struct Loop::Accepted {
  Accepted(int s, std::string remote, Place p, bool n)
      : socket(s), remote_address(std::move(remote)), place(std::move(p)), is_new(n) {}
  ~Accepted() {
    if (socket >= 0) ::close(socket);
  }
  Accepted(const Accepted&) = delete;
  Accepted& operator=(const Accepted&) = delete;

  int socket;
  std::string remote_address;
  Place place;
  bool is_new;
};

void Loop::adopt(int socket, std::string remote_address) {
  int yes = 1;
  setsockopt(socket, IPPROTO_TCP, TCP_NODELAY, &yes, sizeof yes);
  auto accepted =
      std::make_unique<Accepted>(socket, std::move(remote_address), Place(shared, connections_), true);
  asio::post(context, [this, accepted = std::move(accepted)] { begin(*accepted); });
}

void Loop::take_over(int socket, std::string remote_address, Place place) {
  place.move_to(connections_);
  if (shared.moved_counter) shared.moved_counter->add();
  auto accepted = std::make_unique<Accepted>(socket, std::move(remote_address), std::move(place), false);
  asio::post(context, [this, accepted = std::move(accepted)] { begin(*accepted); });
}

void Loop::begin(Accepted& accepted) {
  error_code error;
  Socket socket(context.get_executor());
  socket.assign(asio::ip::tcp::v4(), accepted.socket, error);
  if (error) return;
  accepted.socket = -1;
  auto connection = std::make_unique<Connection>(*this, std::move(socket), std::move(accepted.remote_address),
                                                 std::move(accepted.place), accepted.is_new);
  asio::co_spawn(context.get_executor(), serve(std::move(connection)), asio::detached);
}

void Loop::count_request(Balance::Clock::time_point now, unsigned& seen) {
  if (now >= next_look_) {
    next_look_ = now + Balance::period;
    shared.balance.look(now);
  }
  const auto look = look_.load(std::memory_order_relaxed);
  if (seen == look) return;
  seen = look;
  active_.fetch_add(1, std::memory_order_relaxed);
}

Loop* Loop::receiver() {
  if (to_give_.load(std::memory_order_relaxed) <= 0) return nullptr;
  to_give_.fetch_sub(1, std::memory_order_relaxed);
  return receiver_.load(std::memory_order_relaxed);
}

int Loop::begin_look() {
  look_.fetch_add(1, std::memory_order_relaxed);
  return active_.exchange(0, std::memory_order_relaxed);
}

// Where the two are read between these it is a connection to where the last ones went, or none.
void Loop::give(int count, Loop* to) {
  receiver_.store(to, std::memory_order_relaxed);
  to_give_.store(count, std::memory_order_relaxed);
}

void Loop::add(Tracked& entry) {
  entry.position_ = tracked_.size();
  tracked_.push_back({&entry});
}

void Loop::remove(Tracked& entry) {
  tracked_.back().who->position_ = entry.position_;
  tracked_[entry.position_] = tracked_.back();
  tracked_.pop_back();
}

void Loop::wake(Streams&& streams) {
  std::lock_guard lock(woken_mutex_);
  // One wake-up of the thread serves all the streams that an event goes to.
  if (woken_.empty()) asio::post(context, [this] { flush_woken(); });
  if (woken_.empty())
    woken_ = std::move(streams);
  else
    std::ranges::move(streams, std::back_inserter(woken_));
}

void Loop::flush_woken() {
  Streams streams;
  {
    std::lock_guard lock(woken_mutex_);
    streams.swap(woken_);
  }
  for (auto& stream : streams) stream->flush();
}

bool Loop::begin_waiting() {
  const auto& options = shared.options;
  std::lock_guard lock(waiting_mutex_);
  if (waiting_ >= static_cast<std::size_t>(options.pool_threads + options.pool_queue)) return false;
  ++waiting_;
  return true;
}

// What becomes ready together, such as what was committed together, wakes the loop's thread once.
struct Loop::Handover {
  explicit Handover(Loop& l) : loop(l) {}
  ~Handover() { loop.hand_over(std::move(resumed)); }
  Handover(const Handover&) = delete;
  Handover& operator=(const Handover&) = delete;

  Loop& loop;
  Resumed resumed;
};

void Loop::resume(std::function<void()> waiting) {
  auto* batch = Batch::of_this_thread();
  if (!batch) {
    Resumed one;
    one.push_back(std::move(waiting));
    return hand_over(std::move(one));
  }
  auto& kept = batch->kept_for(&resumed_);
  if (!kept) kept = std::make_shared<Handover>(*this);
  static_cast<Handover*>(kept.get())->resumed.push_back(std::move(waiting));
}

void Loop::hand_over(Resumed&& resumed) {
  std::lock_guard lock(waiting_mutex_);
  waiting_ -= resumed.size();
  if (resumed_.empty()) asio::post(context, [this] { run_resumed(); });
  std::ranges::move(resumed, std::back_inserter(resumed_));
  if (waiting_ == 0) none_waits_.notify_all();
}

void Loop::run_resumed() {
  Resumed resumed;
  {
    std::lock_guard lock(waiting_mutex_);
    resumed.swap(resumed_);
  }
  for (auto& waiting : resumed) waiting();
}

void Loop::stop_gracefully() {
  asio::post(context, [this] {
    for (auto i = tracked_.size(); i-- > 0;)
      if (i < tracked_.size()) tracked_[i].who->stop_gracefully();
  });
}

void Loop::abandon_all() {
  {
    // Whoever brings something still reaches into the coroutines that wait for it.
    std::unique_lock lock(waiting_mutex_);
    none_waits_.wait(lock, [this] { return waiting_ == 0; });
  }
  for (auto i = tracked_.size(); i-- > 0;)
    if (i < tracked_.size()) tracked_[i].who->abandon();
  std::lock_guard lock(woken_mutex_);
  woken_.clear();
  resumed_.clear();
}

}  // namespace segments::http
