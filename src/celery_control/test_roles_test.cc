// The worker's slots are the test program too: main() tells the roles apart.
#include <unistd.h>

#include <filesystem>

#include "base/log.h"
#include "celery/json.h"
#include "celery_control/test_node.h"
#include "worker/worker.h"

namespace segments::celery {
namespace {

TaskOutcome run_test_task(const LeasedTask& task, const std::string&) {
  auto arguments = *read_json(task.arguments);
  if (task.name == "tasks.add")
    return {.result = std::to_string(*arguments.at("x").integer() + arguments.at("y").integer().value_or(0))};
  if (task.name == "tasks.wait") {
    while (!std::filesystem::exists(arguments.text_of("path"))) usleep(2'000);
    return {.result = R"("waited")"};
  }
  if (task.name == "tasks.flaky" && task.retries == 0)
    return {.ending = TaskEnding::retry, .error = "Nobody answered."};
  if (task.name == "tasks.fail") return {.ending = TaskEnding::failure, .error = "boom"};
  return {};
}

}  // namespace
}  // namespace segments::celery

int main(int argc, char** argv) {
  segments::set_log_level(segments::LogLevel::off);
  if (argc > 1 && argv[1] == std::string("slot"))
    return segments::run_slot(3, segments::celery::run_test_task);
  testing::InitGoogleTest(&argc, argv);
  return RUN_ALL_TESTS();
}
