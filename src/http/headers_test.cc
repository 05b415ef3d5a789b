#include "http/headers.h"

#include <gtest/gtest.h>

namespace segments {
namespace {

TEST(Headers, AreLinesInTheirOrder) {
  Headers headers;
  EXPECT_EQ(headers.lines(), "");
  headers.set("Content-Type", "text/plain");
  headers.set("Content", "x");
  headers.set("Empty", "");
  headers.add_lines("Made-Before: 1\r\nAnd-This: 2\r\n");
  EXPECT_EQ(headers.lines(),
            "Content-Type: text/plain\r\nContent: x\r\nEmpty: \r\nMade-Before: 1\r\nAnd-This: 2\r\n");
  EXPECT_EQ(headers.find("content-type"), "text/plain");
  EXPECT_EQ(headers.find("CONTENT"), "x");
  EXPECT_EQ(headers.find("and-this"), "2");
  EXPECT_EQ(headers.find("Empty"), "");
  EXPECT_TRUE(headers.contains("Empty"));
  for (auto absent : {"Type", "Conten", "Content-Typ", "text/plain", "", "This", "1"}) {
    EXPECT_FALSE(headers.contains(absent)) << absent;
    EXPECT_EQ(headers.find(absent), "") << absent;
  }
}

TEST(Headers, ReplaceWhatTheyHave) {
  Headers headers;
  headers.set("A", "1");
  headers.set("B", "a long value that is cut out of the middle");
  headers.set("C", "3");
  headers.set("b", "2");
  EXPECT_EQ(headers.lines(), "A: 1\r\nC: 3\r\nb: 2\r\n");
  headers.set("a", "4");
  headers.set("a", "4");
  EXPECT_EQ(headers.lines(), "C: 3\r\nb: 2\r\na: 4\r\n");
}

// A line break in a value would begin a header of somebody else's choosing.
TEST(Headers, KeepEachValueOnItsLine) {
  Headers headers;
  std::string value = "x\r\nSet-Cookie: a=b\n\ny\ttab";
  value += '\0';
  headers.set("Location", value);
  EXPECT_EQ(headers.lines(), "Location: x  Set-Cookie: a=b  y\ttab \r\n");
  EXPECT_FALSE(headers.contains("Set-Cookie"));
}

}  // namespace
}  // namespace segments
