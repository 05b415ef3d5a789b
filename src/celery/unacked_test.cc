#include "celery/unacked.h"

#include <gtest/gtest.h>

#include "celery/message.h"

namespace segments::celery {
namespace {

TEST(Unacked, GivesTheMessageByteForByte) {
  std::string raw = R"({"a": [1.50, "], \"\", \"x\"]"],  "b": 1e400})";
  auto entry = read_unacked("[" + raw + R"(, "", "celery"])");
  ASSERT_TRUE(entry);
  EXPECT_EQ(entry->raw, raw);
  EXPECT_EQ(entry->exchange, "");
  EXPECT_EQ(entry->routing_key, "celery");
}

TEST(Unacked, IsReadInOtherWordsToo) {
  auto entry = read_unacked(R"( [ {"a":1},"dir\u0065ct" , "vid\"eo"] )");
  ASSERT_TRUE(entry);
  EXPECT_EQ(entry->raw, R"({"a":1})");
  EXPECT_EQ(entry->exchange, "direct");
  EXPECT_EQ(entry->routing_key, "vid\"eo");
  EXPECT_EQ(read_unacked(R"([{}, null, "q"])")->routing_key, "q");
}

TEST(Unacked, RefusesWhatIsNoEntry) {
  for (const char* value :
       {"", "[", "]", "[]", "\"", "[\"]", "[\"\"]", "7", "null", R"(["", "q"])", R"([{}, "q"])",
        R"([7, "", "q"])", R"(["{}", "", "q"])", R"({"a": {}, "b": "", "c": "q"})"})
    EXPECT_FALSE(read_unacked(value)) << value;
  EXPECT_FALSE(read_unacked("[{\"a\": \"" + std::string(max_restored_bytes + 8'192, 'x') + R"("}, "", "q"])"));
}

// It is not parsed here; what is inside is looked at by whoever reads the message.
TEST(Unacked, WhatIsCutOutMayBeNoMessage) {
  auto entry = read_unacked(R"([{}, {}, "", "q"])");
  ASSERT_TRUE(entry);
  EXPECT_FALSE(encode_restored(entry->raw));
  EXPECT_TRUE(std::holds_alternative<MessageFault>(decode_message(entry->raw)));
}

}  // namespace
}  // namespace segments::celery
