// Something that is there later, for whoever has no thread to spare for the wait: what a durable change of
// the store gives, or an answer made of it.
#pragma once

#include <functional>
#include <future>
#include <memory>
#include <type_traits>
#include <utility>

namespace segments {

// What brings it. It is kept until `ready` was called.
template <class T>
class LaterSource {
 public:
  virtual ~LaterSource() = default;
  // Called once, for anything to begin at all. `ready` is called once, on whichever thread, perhaps before
  // this returns, and must neither block nor throw.
  virtual void begin(std::function<void()> ready) noexcept = 0;
  virtual T take() = 0;  // once it is ready; throws why there is none
  // Once it is ready: take() has to wait for something all the same, and is for a thread that may.
  virtual bool must_wait() const { return false; }
};

// Begins it and waits on this thread until it is ready.
template <class T>
void wait_for(LaterSource<T>& source) {
  auto is_ready = std::make_shared<std::promise<void>>();
  auto waiting = is_ready->get_future();
  source.begin([is_ready] { is_ready->set_value(); });
  waiting.wait();
}

template <class T>
class Later {
 public:
  explicit Later(std::shared_ptr<LaterSource<T>> source) : source_(std::move(source)) {}
  // It is there already.
  explicit Later(T value) : source_(std::make_shared<Now>(std::move(value))) {}

  // What `f` makes of it, on the thread that takes it.
  template <class F>
  auto then(F f) && {
    using Result = std::invoke_result_t<F&, T>;
    return Later<Result>(std::make_shared<Then<Result, F>>(std::move(source_), std::move(f)));
  }
  // The same, but what follows has to wait for something.
  Later for_who_may_wait() && { return Later(std::make_shared<Waiting>(std::move(source_))); }
  // On this thread.
  T wait() && {
    wait_for(*source_);
    return source_->take();
  }
  std::shared_ptr<LaterSource<T>> source() && { return std::move(source_); }

 private:
  struct Now : LaterSource<T> {
    explicit Now(T v) : value(std::move(v)) {}
    void begin(std::function<void()> ready) noexcept override { ready(); }
    T take() override { return std::move(value); }
    T value;
  };
  template <class Result, class F>
  struct Then : LaterSource<Result> {
    Then(std::shared_ptr<LaterSource<T>> s, F g) : source(std::move(s)), f(std::move(g)) {}
    void begin(std::function<void()> ready) noexcept override { source->begin(std::move(ready)); }
    Result take() override { return f(source->take()); }
    bool must_wait() const override { return source->must_wait(); }
    std::shared_ptr<LaterSource<T>> source;
    F f;
  };
  struct Waiting : LaterSource<T> {
    explicit Waiting(std::shared_ptr<LaterSource<T>> s) : source(std::move(s)) {}
    void begin(std::function<void()> ready) noexcept override { source->begin(std::move(ready)); }
    T take() override { return source->take(); }
    bool must_wait() const override { return true; }
    std::shared_ptr<LaterSource<T>> source;
  };

  std::shared_ptr<LaterSource<T>> source_;
};

}  // namespace segments
