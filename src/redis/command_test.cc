#include <gtest/gtest.h>

#include "redis/client.h"

namespace segments::redis {
namespace {

std::string printed_command(const Command& command) {
  std::string out = "before";
  command.print(out);
  return out;
}

TEST(RedisCommand, IsPrintedAsAnArrayOfBulkStrings) {
  EXPECT_EQ(printed_command({"GET", "k"}), "before*2\r\n$3\r\nGET\r\n$1\r\nk\r\n");
  Command command("SET");
  command.add(std::string_view("a\0\r\n", 4)).add("").add(-12).add(std::int64_t{INT64_MIN});
  EXPECT_EQ(command.name(), "SET");
  EXPECT_EQ(
      printed_command(command),
      std::string(
          "before*5\r\n$3\r\nSET\r\n$4\r\na\0\r\n\r\n$0\r\n\r\n$3\r\n-12\r\n$20\r\n-9223372036854775808\r\n",
          71));
}

TEST(RedisScript, HasTheDigestOfItsText) {
  EXPECT_EQ(Script("return 1").sha1(), "e0e1f9fabfc9d4800c877a703b823ac0578ff8db");
  EXPECT_EQ(Script("").sha1(), "da39a3ee5e6b4b0d3255bfef95601890afd80709");
}

}  // namespace
}  // namespace segments::redis
