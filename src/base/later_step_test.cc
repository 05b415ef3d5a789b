#include "base/later_step.h"

#include <gtest/gtest.h>

#include <stdexcept>
#include <string>
#include <thread>

namespace segments {

namespace {

// Brings a number from a thread of its own.
class FromThread : public LaterSource<int> {
 public:
  explicit FromThread(int number) : number_(number) {}
  ~FromThread() override {
    if (thread_.joinable()) thread_.join();
  }
  void begin(std::function<void()> ready) noexcept override {
    thread_ = std::thread([this, ready = std::move(ready)] {
      id = std::this_thread::get_id();
      ready();
    });
  }
  int take() override {
    if (number_ < 0) throw std::runtime_error("no number");
    return number_;
  }
  std::thread::id id;

 private:
  int number_;
  std::thread thread_;
};

std::string message_of(Later<std::string> later) {
  try {
    return std::move(later).wait();
  } catch (const std::runtime_error& error) {
    return error.what();
  }
}

Later<std::string> print(int number) {
  if (number == 0) throw std::runtime_error("no nought");
  auto text = std::to_string(number);
  return Later(std::move(text));
}

TEST(LaterStep, the_second_is_begun_by_the_thread_that_brings_the_first) {
  auto source = std::make_shared<FromThread>(7);
  std::thread::id made_by, taken_by;
  auto both = then_begin(Later<int>(source), [&](int number) {
    made_by = std::this_thread::get_id();
    return print(number).then([&](std::string text) {
      taken_by = std::this_thread::get_id();
      return text + "!";
    });
  });
  EXPECT_EQ(made_by, std::thread::id()) << "nothing has begun";
  EXPECT_EQ(std::move(both).wait(), "7!");
  EXPECT_EQ(made_by, source->id);
  EXPECT_EQ(taken_by, std::this_thread::get_id());
}

TEST(LaterStep, tells_what_went_wrong_wherever_it_did) {
  const auto second = [](int number) { return print(number); };
  EXPECT_EQ(message_of(then_begin(Later<int>(std::make_shared<FromThread>(-1)), second)), "no number");
  EXPECT_EQ(message_of(then_begin(Later<int>(std::make_shared<FromThread>(0)), second)), "no nought");
  const auto failing = [](int number) {
    return print(number).then([](const std::string&) -> std::string { throw std::runtime_error("no text"); });
  };
  EXPECT_EQ(message_of(then_begin(Later<int>(std::make_shared<FromThread>(1)), failing)), "no text");
}

// Where taking the first has to wait, whoever takes the whole does it all.
TEST(LaterStep, a_first_that_waits_is_taken_by_who_may_wait) {
  auto source = std::make_shared<FromThread>(7);
  std::thread::id made_by;
  auto both = then_begin(Later<int>(source).for_who_may_wait(), [&](int number) {
                made_by = std::this_thread::get_id();
                return print(number);
              }).source();
  wait_for(*both);
  EXPECT_TRUE(both->must_wait());
  EXPECT_EQ(made_by, std::thread::id());
  EXPECT_EQ(both->take(), "7");
  EXPECT_EQ(made_by, std::this_thread::get_id());
}

TEST(LaterStep, a_second_that_waits_is_taken_by_who_may_wait) {
  auto source = std::make_shared<FromThread>(7);
  auto both =
      then_begin(Later<int>(source), [](int number) { return print(number).for_who_may_wait(); }).source();
  wait_for(*both);
  EXPECT_TRUE(both->must_wait());
  EXPECT_EQ(both->take(), "7");
  auto failed = then_begin(Later<int>(std::make_shared<FromThread>(0)), [](int number) {
                  return print(number).for_who_may_wait();
                }).source();
  wait_for(*failed);
  EXPECT_FALSE(failed->must_wait()) << "there is nothing to wait for";
  EXPECT_THROW(failed->take(), std::runtime_error);
}

}  // namespace
}  // namespace segments
