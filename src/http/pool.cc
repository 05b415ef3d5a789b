#include "http/pool.h"

namespace segments::http {

Pool::Pool(int max_threads, int max_queued, Metrics* metrics)
    : max_threads_(static_cast<std::size_t>(std::max(1, max_threads))),
      max_queued_(static_cast<std::size_t>(std::max(0, max_queued))) {
  if (metrics)
    queued_gauge_ = &metrics->gauge("http_pool_queued", "Handlers that wait for a thread of the pool.");
}

Pool::~Pool() {
  std::deque<Job> dropped;
  {
    std::lock_guard lock(mutex_);
    stopping_ = true;
    dropped.swap(jobs_);
  }
  wake_.notify_all();
  for (auto& thread : threads_) thread.join();
}

bool Pool::add(Job job, Entry entry) {
  {
    std::lock_guard lock(mutex_);
    if (entry == Entry::new_work && running_ + jobs_.size() >= max_threads_ + max_queued_) return false;
    jobs_.push_back(std::move(job));
    if (queued_gauge_) queued_gauge_->set(static_cast<double>(jobs_.size()));
    if (jobs_.size() > idle_ && threads_.size() < max_threads_) {
      ++idle_;  // counted before it runs, so that a burst does not start more than it needs
      try {
        threads_.emplace_back([this] { run(); });
      } catch (const std::exception&) {
        --idle_;
        // The system gives no thread. Those that are there come to the job; without any it is not taken.
        if (threads_.empty()) {
          jobs_.pop_back();
          if (queued_gauge_) queued_gauge_->set(static_cast<double>(jobs_.size()));
          return false;
        }
      }
    }
  }
  wake_.notify_one();
  return true;
}

void Pool::run() {
  std::unique_lock lock(mutex_);
  for (;;) {
    wake_.wait(lock, [&] { return stopping_ || !jobs_.empty(); });
    --idle_;
    if (stopping_) return;
    ++running_;
    {
      auto job = std::move(jobs_.front());
      jobs_.pop_front();
      if (queued_gauge_) queued_gauge_->set(static_cast<double>(jobs_.size()));
      lock.unlock();
      job();
    }
    lock.lock();
    --running_;
    ++idle_;
  }
}

}  // namespace segments::http
