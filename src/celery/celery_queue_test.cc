#include "celery/celery_queue.h"

#include "celery/test_queue.h"
#include "queue/task_queue_contract.h"

namespace segments::celery {

namespace {

class CeleryUnderTest : public QueueUnderTest {
 public:
  CeleryUnderTest() { redis::Client(redis::parse_url(test_server().url())).ask({"FLUSHALL"}); }
  std::unique_ptr<TaskQueue> open(std::function<Millis()> clock) override {
    auto options = test_options();
    options.clock = std::move(clock);
    return std::make_unique<Opened>(std::move(options));
  }

 private:
  // The client first, since the queue works on it.
  struct Client {
    redis::Client client{redis::parse_url(test_server().url())};
  };
  struct Opened : Client, CeleryQueue {
    explicit Opened(CeleryQueueOptions options) : CeleryQueue(client, std::move(options)) {}
  };
};

}  // namespace
}  // namespace segments::celery

namespace segments {

INSTANTIATE_TEST_SUITE_P(Celery, TaskQueueContract,
                         testing::Values(QueueFactory{
                             "celery", []() -> std::unique_ptr<QueueUnderTest> {
                               return std::make_unique<segments::celery::CeleryUnderTest>();
                             }}));

}  // namespace segments
