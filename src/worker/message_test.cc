#include "worker/message.h"

#include <gtest/gtest.h>
#include <sys/socket.h>
#include <unistd.h>

#include <thread>

namespace segments {

namespace {

struct Pair {
  Pair() {
    if (socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, ends)) std::abort();
  }
  ~Pair() {
    hang_up();
    close(ends[1]);
  }
  void hang_up() {
    if (ends[0] >= 0) close(ends[0]);
    ends[0] = -1;
  }
  int ends[2];
};

}  // namespace

TEST(Message, an_order_and_a_report_survive_the_way) {
  LeasedTask task{"id/é", "tasks.test", R"({"a":"\u0000\n"})", "ada", 2, 5, 77, 66, 1234567890123};
  auto order = decode<RunOrder>(encode(make_order(task, "/work/x y")));
  EXPECT_EQ(order.work_dir, "/work/x y");
  auto back = task_of(order);
  EXPECT_EQ(back.id, task.id);
  EXPECT_EQ(back.arguments, task.arguments);
  EXPECT_EQ(back.fence, task.fence);
  EXPECT_EQ(back.time_limit_s, 77);
  EXPECT_EQ(back.soft_time_limit_s, 66);
  EXPECT_EQ(back.max_retries, 5);

  for (auto ending : {TaskEnding::success, TaskEnding::retry, TaskEnding::failure}) {
    auto report = decode<RunReport>(encode(make_report(7, 1234, {ending, R"({"n":1.5})", "Two\nlines.", 9})));
    EXPECT_EQ(report.order, 7u);
    EXPECT_EQ(report.runtime_us, 1234);
    ASSERT_TRUE(report.outcome);
    EXPECT_EQ(report.outcome->ending, ending);
    EXPECT_EQ(report.outcome->result, R"({"n":1.5})");
    EXPECT_EQ(report.outcome->error, "Two\nlines.");
    EXPECT_EQ(report.outcome->retry_after_s, 9);
  }
  EXPECT_FALSE(decode<RunReport>(encode(RunReport{})).outcome) << "ready";
}

TEST(Message, an_error_of_any_bytes_can_be_reported) {
  TaskOutcome outcome{.ending = TaskEnding::failure, .error = std::string("broken \xff\xfe \0 bytes", 17)};
  auto back = decode<RunReport>(encode(make_report(1, 0, outcome)));
  ASSERT_TRUE(back.outcome);
  EXPECT_EQ(back.outcome->error, "broken ?? ? bytes");
}

TEST(Message, messages_come_whole_however_they_are_cut) {
  Pair pair;
  std::string large(300'000, 'x'), bytes;
  for (const std::string& text : {std::string("{}"), std::string(), large}) {
    for (int i = 0; i < 4; ++i) bytes += static_cast<char>(text.size() >> (8 * i));
    bytes += text;
  }
  std::thread sender([&] {
    for (std::size_t at = 0; at < bytes.size(); at += 7777)
      send(pair.ends[0], bytes.data() + at, std::min<std::size_t>(7777, bytes.size() - at), 0);
    pair.hang_up();
  });
  MessageReader reader(pair.ends[1]);
  EXPECT_EQ(reader.read(true), "{}");
  EXPECT_EQ(reader.read(true), "");
  EXPECT_EQ(reader.read(true), large);
  EXPECT_FALSE(reader.at_end());
  EXPECT_FALSE(reader.read(true));
  EXPECT_TRUE(reader.at_end());
  sender.join();
}

TEST(Message, nothing_yet_is_not_the_end) {
  Pair pair;
  MessageReader reader(pair.ends[1]);
  EXPECT_FALSE(reader.read(false));
  EXPECT_EQ(send(pair.ends[0], "\x05\0\0\0ab", 6, 0), 6);
  EXPECT_FALSE(reader.read(false));
  EXPECT_FALSE(reader.at_end());
  EXPECT_EQ(send(pair.ends[0], "cde", 3, 0), 3);
  EXPECT_EQ(reader.read(false), "abcde");
}

TEST(Message, many_come_in_one_piece) {
  Pair pair;
  std::string bytes;
  for (int i = 0; i < 1000; ++i) EXPECT_TRUE(append_message(bytes, std::to_string(i)));
  EXPECT_TRUE(send_bytes(pair.ends[0], bytes));
  MessageReader reader(pair.ends[1]);
  for (int i = 0; i < 1000; ++i) EXPECT_EQ(reader.read(false), std::to_string(i));
  EXPECT_FALSE(reader.read(false));
  auto before = bytes;
  EXPECT_FALSE(append_message(bytes, std::string(max_message_bytes + 1, 'x')));
  EXPECT_EQ(bytes, before) << "what cannot be sent leaves no half of itself";
}

TEST(Message, a_length_that_cannot_be_ends_the_stream) {
  Pair pair;
  EXPECT_EQ(send(pair.ends[0], "\xff\xff\xff\xff{}", 6, 0), 6);
  MessageReader reader(pair.ends[1]);
  EXPECT_FALSE(reader.read(true));
  EXPECT_TRUE(reader.at_end());
}

TEST(Message, sending_to_nobody_is_false) {
  Pair pair;
  pair.hang_up();
  EXPECT_FALSE(send_message(pair.ends[1], std::string(1 << 20, 'x')));
  EXPECT_FALSE(send_message(pair.ends[1], std::string(max_message_bytes + 1, 'x')));
}

}  // namespace segments
