// Threads for handlers that wait, made when first needed. Bounded: what does not fit is refused at once. A
// job goes to the thread that began to wait last: its memory is still in the caches, and no other is woken.
#pragma once

#include <semaphore.h>

#include <deque>
#include <functional>
#include <mutex>
#include <thread>
#include <utility>
#include <vector>

#include "base/metrics.h"
#include "http/asio.h"

namespace segments::http {

class Pool {
 public:
  using Job = std::function<void()>;
  // Work that goes on with what was begun is never refused: the thread that began it is there.
  enum class Entry { new_work, continued };

  Pool(int max_threads, int max_queued, Metrics*);
  ~Pool();  // drops what is queued, waits for what runs

  // False when the queue is full, or the system gives not even one thread: the job is dropped unrun.
  bool add(Job, Entry);

 private:
  // A thread's place. A semaphore and no condition: to wake up from that takes the mutex, and two more calls
  // of the system.
  struct Waiting {
    Waiting() { sem_init(&wake, 0, 0); }
    ~Waiting() { sem_destroy(&wake); }
    Waiting(const Waiting&) = delete;
    sem_t wake;
    Job job;  // once it is woken for one
  };

  void run(Waiting& own);
  void note_queued();

  const std::size_t max_threads_;
  const std::size_t max_queued_;
  Gauge* queued_gauge_ = nullptr;
  std::mutex mutex_;
  std::deque<Job> jobs_;  // there are none while a thread waits
  std::vector<std::thread> threads_;
  std::deque<Waiting> places_;     // of each thread; they outlive the threads
  std::vector<Waiting*> waiting_;  // of threads that have nothing to do
  std::size_t beginning_ = 0;      // threads that will come to a job as soon as they run
  std::size_t running_ = 0;
  bool stopping_ = false;
};

// Starts work on the pool for a coroutine, which resumes on its own thread.
struct PoolStart {
  Pool* pool;
  Executor executor;
  Pool::Entry entry;
  Pool::Job* work;

  template <class Handler>
  void operator()(Handler&& handler) {
    auto waiting = std::make_shared<std::decay_t<Handler>>(std::forward<Handler>(handler));
    auto job = [work = work, executor = executor, waiting]() mutable {
      (*work)();
      // The pool's thread lets go of the coroutine before the coroutine's own thread may run it.
      asio::post(executor, [resumed = std::move(waiting)] { (*resumed)(true); });
    };
    if (!pool->add(std::move(job), entry))
      asio::post(executor, [resumed = std::move(waiting)] { (*resumed)(false); });
  }
};

// False when the pool does not take it: `work` has not run. `work` must not throw and outlives the wait.
inline Task<bool> run_on_pool(Pool& pool, Executor executor, Pool::Entry entry, Pool::Job& work) {
  PoolStart start{&pool, executor, entry, &work};
  const asio::use_awaitable_t<Executor> token;
  co_return co_await asio::async_initiate<const asio::use_awaitable_t<Executor>&, void(bool)>(start, token);
}

}  // namespace segments::http
