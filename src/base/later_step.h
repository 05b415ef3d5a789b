// Two steps of which the second is begun where the first is brought, without a turn of the thread that takes
// the result.
#pragma once

#include <exception>
#include <memory>
#include <type_traits>
#include <utility>

#include "base/later.h"

namespace segments {

template <class T, class Result, class F>
class LaterStep : public LaterSource<Result> {
 public:
  LaterStep(Later<T> first, F f) : first_(std::move(first).source()), f_(std::move(f)) {}
  void begin(std::function<void()> ready) noexcept override {
    ready_ = std::move(ready);
    first_->begin([this] {
      // Where the first has still to wait for something, so must all that follows.
      if (!first_->must_wait()) begin_second();
      auto told = std::move(ready_);
      if (!second_) return told();
      second_->begin(std::move(told));
    });
  }
  bool must_wait() const override { return error_ ? false : !second_ || second_->must_wait(); }
  Result take() override {
    if (!second_ && !error_) {
      begin_second();
      if (second_) wait_for(*second_);
    }
    if (error_) std::rethrow_exception(error_);
    return second_->take();
  }

 private:
  void begin_second() noexcept {
    try {
      second_ = f_(first_->take()).source();
    } catch (...) {
      error_ = std::current_exception();
    }
  }

  std::shared_ptr<LaterSource<T>> first_;
  F f_;
  std::shared_ptr<LaterSource<Result>> second_;
  std::exception_ptr error_;  // of the first, or of `f`
  std::function<void()> ready_;
};

// `f` makes the second, a Later, of what the first gives, and must not block; what it throws is thrown to who
// takes the result.
template <class T, class F>
auto then_begin(Later<T> first, F f) {
  using Second = std::invoke_result_t<F&, T>;
  using Result = decltype(std::declval<Second>().wait());
  return Second(std::make_shared<LaterStep<T, Result, F>>(std::move(first), std::move(f)));
}

}  // namespace segments
