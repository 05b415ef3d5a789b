// One I/O thread: its io_context, the connections and event streams that live on it, and one coarse timer
// that keeps everybody's deadlines. What is not said to be for any thread is called on the loop's own.
#pragma once

#include <array>
#include <atomic>
#include <condition_variable>
#include <functional>
#include <memory>
#include <mutex>
#include <optional>
#include <string>
#include <vector>

#include "base/metrics.h"
#include "base/time.h"
#include "http/asio.h"
#include "http/balance.h"
#include "http/pool.h"
#include "http/router.h"
#include "http/server.h"

namespace segments::http {

class EventConnection;
class Loop;

// What every part of one server shares.
struct Shared {
  Shared(const Router& r, const ServerOptions& o, Metrics* metrics);

  const Router& router;
  const ServerOptions options;
  Gauge* connections_gauge = nullptr;
  Gauge* streams_gauge = nullptr;
  Counter* moved_counter = nullptr;
  Balance balance;
  std::atomic<bool> stopping{false};
  std::atomic<int> open{0};
  std::mutex mutex;
  std::condition_variable closed;  // `open` has fallen
  std::optional<Pool> pool;
};

// A connection's place among max_connections, held from accept to close.
class Place {
 public:
  Place(Shared&, std::atomic<int>& on_loop);
  Place(Place&& other) noexcept : shared_(std::exchange(other.shared_, nullptr)), on_loop_(other.on_loop_) {}
  ~Place();

  void move_to(std::atomic<int>& on_loop);

 private:
  Shared* shared_;
  std::atomic<int>* on_loop_;
};

// What the loop's timer looks after.
class Tracked {
 public:
  // Until when it need not be asked again; 0: at the next turn.
  virtual Millis sweep(Millis now) = 0;
  virtual void stop_gracefully() = 0;
  virtual void abandon() {}  // the server ends; its threads run no more

 protected:
  ~Tracked() = default;

 private:
  friend class Loop;
  std::size_t position_ = 0;
};

class Loop {
 public:
  explicit Loop(Shared&);
  ~Loop();

  void run();                                          // until stop_now()
  void adopt(int socket, std::string remote_address);  // any thread
  // The same with a connection of another loop's, between two of its requests.
  void take_over(int socket, std::string remote_address, Place);  // any thread
  using Streams = std::vector<std::shared_ptr<EventConnection>>;
  void wake(Streams&&);  // any thread: their events are written soon
  // A coroutine of this loop waits for what another thread brings, unless as many do as may: then false.
  bool begin_waiting();
  void resume(std::function<void()> waiting);  // any thread: it goes on soon
  void stop_gracefully();                      // any thread
  void stop_now() { context.stop(); }          // any thread
  void abandon_all();                          // once run() has returned; waits for what other threads bring
  int connections() const { return connections_.load(std::memory_order_relaxed); }

  // Once for each request. `seen`: the connection's own, of the look in which it was last counted.
  void count_request(Balance::Clock::time_point now, unsigned& seen);
  // Where the connection at hand is to go, if it is to go.
  Loop* receiver();
  int begin_look();                // any thread: how many connections were counted since the last
  void give(int count, Loop* to);  // any thread: so many of those that ask next

  void add(Tracked&);
  void remove(Tracked&);

  Shared& shared;
  std::string date;                    // of the Date header
  std::string head;                    // where heads of answers are put together
  std::array<char, 4096> discarded{};  // what clients of event streams send

 private:
  void tick();
  void flush_woken();
  using Resumed = std::vector<std::function<void()>>;
  struct Handover;
  void hand_over(Resumed&&);
  void run_resumed();
  struct Accepted;
  void begin(Accepted&);

  // What connections touch when they go is declared before the context, which ends the last of them.
  struct Entry {
    Tracked* who;
    Millis quiet_until =
        0;  // beside it, so that thousands of streams in which nothing happens are not touched
  };
  std::vector<Entry> tracked_;
  std::atomic<int> connections_{0};
  Balance::Clock::time_point next_look_;
  std::atomic<unsigned> look_{1};
  std::atomic<int> active_{0};
  std::atomic<int> to_give_{0};
  std::atomic<Loop*> receiver_{nullptr};

 public:
  asio::io_context context{BOOST_ASIO_CONCURRENCY_HINT_UNSAFE_IO};

 private:
  std::mutex woken_mutex_;
  Streams woken_;
  std::mutex waiting_mutex_;
  std::condition_variable none_waits_;
  std::size_t waiting_ = 0;
  Resumed resumed_;
  asio::executor_work_guard<Executor> work_;
  Timer timer_;
};

}  // namespace segments::http
