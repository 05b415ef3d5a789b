#include "http/pool.h"

#include <cerrno>

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
    for (auto* waiting : waiting_) sem_post(&waiting->wake);
    waiting_.clear();
  }
  for (auto& thread : threads_) thread.join();
}

void Pool::note_queued() {
  if (queued_gauge_) queued_gauge_->set(static_cast<double>(jobs_.size()));
}

bool Pool::add(Job job, Entry entry) {
  std::unique_lock lock(mutex_);
  if (entry == Entry::new_work && running_ + jobs_.size() >= max_threads_ + max_queued_) return false;
  if (!waiting_.empty()) {
    auto* waiting = waiting_.back();
    waiting_.pop_back();
    waiting->job = std::move(job);
    ++running_;
    lock.unlock();
    sem_post(&waiting->wake);
    return true;
  }
  jobs_.push_back(std::move(job));
  // Counted before it runs, so that a burst does not start more than it needs.
  if (jobs_.size() > beginning_ && threads_.size() < max_threads_ && !stopping_) {
    try {
      auto& place = places_.emplace_back();
      threads_.emplace_back([this, &place] { run(place); });
      ++beginning_;
    } catch (const std::exception&) {
      if (places_.size() > threads_.size()) places_.pop_back();
      // The system gives no thread. Those that are there come to the job; without any it is not taken.
      if (threads_.empty()) {
        jobs_.pop_back();
        return false;
      }
    }
  }
  note_queued();
  return true;
}

void Pool::run(Waiting& own) {
  std::unique_lock lock(mutex_);
  --beginning_;
  while (!stopping_) {
    if (!jobs_.empty()) {
      own.job = std::move(jobs_.front());
      jobs_.pop_front();
      ++running_;
      note_queued();
      lock.unlock();
    } else {
      waiting_.push_back(&own);
      lock.unlock();
      while (sem_wait(&own.wake) != 0 && errno == EINTR) continue;
    }
    if (!own.job) return;  // it was woken for the end
    own.job();
    own.job = nullptr;
    lock.lock();
    --running_;
  }
}

}  // namespace segments::http
