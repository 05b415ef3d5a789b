// What is asked for is answered in part where it is very much.
#include "celery_control/test_node.h"

namespace segments::celery {

class InspectBoundsTest : public NodeTest {
 protected:
  // From the last to the first, so that the order is the node's.
  void push(int count, const std::string& text = "") {
    std::vector<redis::Command> commands;
    Millis begin = now_ms() + 3'600'000;
    for (int i = count; i-- > 0;) {
      TaskMessage message;
      message.task = "tasks.add";
      message.id = "t" + std::to_string(i);
      message.args = Json::array({Json(text), Json(i)});
      message.routing_key = "celery";
      message.eta = begin + i * 1'000;
      commands.push_back({"LPUSH", "celery", encode_message(message)});
    }
    client.ask_all(commands);
  }
};

TEST_F(InspectBoundsTest, the_first_thousand_that_wait_are_shown) {
  TestWorker worker(url());
  ASSERT_TRUE(comes_true([&] { return is_joined(); }));
  push(1'500);
  ASSERT_TRUE(comes_true([&] { return worker.queue.parked().size() == 1'500; }));
  auto shown = ask("scheduled");
  ASSERT_TRUE(shown);
  ASSERT_EQ(shown->items().size(), 1'000u);
  EXPECT_EQ(shown->items().front().at("request").text_of("id"), "t0");
  EXPECT_EQ(shown->items().back().at("request").text_of("id"), "t999");
}

TEST_F(InspectBoundsTest, and_no_more_than_a_client_can_take) {
  TestWorker worker(url());
  ASSERT_TRUE(comes_true([&] { return is_joined(); }));
  push(20, std::string(1 << 20, 'x'));
  ASSERT_TRUE(comes_true([&] { return worker.queue.parked().size() == 20; }));
  auto shown = ask("scheduled");
  ASSERT_TRUE(shown);
  EXPECT_GE(shown->items().size(), 3u);
  EXPECT_LE(shown->items().size(), 8u);
  EXPECT_EQ(shown->items().front().at("request").text_of("id"), "t0");
}

}  // namespace segments::celery
