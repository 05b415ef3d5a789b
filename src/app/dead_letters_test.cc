#include "app/dead_letters.h"

#include <gtest/gtest.h>
#include <stdlib.h>

#include <filesystem>
#include <sstream>

#include "base/error.h"
#include "describe/decode.h"
#include "embedded_queue/embedded_queue.h"

namespace segments {

class DeadLettersTest : public testing::Test {
 protected:
  DeadLettersTest() {
    std::string pattern = testing::TempDir() + "dead-letters-XXXXXX";
    folder = mkdtemp(pattern.data());
    queue = std::make_unique<EmbeddedQueue>(folder / "queue.db");
  }
  ~DeadLettersTest() override {
    queue.reset();
    std::filesystem::remove_all(folder);
  }
  void die(const std::string& id, const std::string& error) {
    queue->enqueue({.id = id, .name = "tasks.test", .arguments = R"({"a":1})"});
    queue->fail(queue->lease_tasks("w", 1, 1'000).at(0), error);
  }

  std::filesystem::path folder;
  std::unique_ptr<EmbeddedQueue> queue;
};

TEST_F(DeadLettersTest, AreListedEachOnOneLine) {
  std::ostringstream none;
  EXPECT_EQ(list_dead_letters(*queue, none), 0);
  EXPECT_EQ(none.str(), "");
  die("a", "It\nfailed.\x1b[2J");
  die("b", "No.");
  std::ostringstream out;
  list_dead_letters(*queue, out);
  std::istringstream lines(out.str());
  std::string first, second, third;
  std::getline(lines, first);
  std::getline(lines, second);
  EXPECT_FALSE(std::getline(lines, third));
  EXPECT_TRUE(first.starts_with("a\t2") && first.ends_with("Z\ttasks.test\tIt failed. [2J")) << first;
  EXPECT_TRUE(second.starts_with("b\t")) << second;
}

TEST_F(DeadLettersTest, ShowWhatWasAskedOfThem) {
  die("a", "First.");
  die("b", "Second.");
  std::ostringstream out;
  EXPECT_EQ(show_dead_letter(*queue, "b", out), 0);
  auto shown = parse_json(out.str()).as_object();
  EXPECT_EQ(shown["task_id"].as_string(), "b");
  EXPECT_EQ(shown["error"].as_string(), "Second.");
  EXPECT_EQ(shown["arguments"].as_string(), R"({"a":1})");
  EXPECT_THROW(show_dead_letter(*queue, "c", out), Error);
  EXPECT_THROW(show_dead_letter(*queue, "aa", out), Error);
}

}  // namespace segments
