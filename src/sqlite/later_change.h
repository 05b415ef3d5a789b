// A change of the database that is durable later: handed to the writer by whoever does not wait for it.
#pragma once

#include <optional>
#include <type_traits>

#include "base/later.h"
#include "sqlite/writer.h"

namespace segments::sqlite {

template <class F>
class LaterChange : public LaterSource<std::invoke_result_t<F&, Connection&>> {
  using Result = std::invoke_result_t<F&, Connection&>;

 public:
  LaterChange(Writer& writer, F change) : writer_(writer), change_(std::move(change)) {
    request_.change = [this](Connection& connection) { result_.emplace(change_(connection)); };
  }
  void begin(std::function<void()> ready) noexcept override {
    request_.ended = std::move(ready);
    try {
      writer_.submit(request_);
    } catch (const std::exception&) {
      request_.error = std::current_exception();
      request_.ended();
    }
  }
  Result take() override {
    if (request_.error) std::rethrow_exception(request_.error);
    return std::move(*result_);
  }

 private:
  Writer& writer_;
  F change_;
  std::optional<Result> result_;
  Writer::Request request_;
};

}  // namespace segments::sqlite
