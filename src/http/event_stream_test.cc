#include "http/event_stream.h"

#include <gtest/gtest.h>

namespace segments {
namespace {

TEST(FormatEvent, Whole) {
  EXPECT_EQ(format_event("7", "progress", "{}"), "id: 7\nevent: progress\ndata: {}\n\n");
  EXPECT_EQ(format_event("", "", "x"), "data: x\n\n");
}

TEST(FormatEvent, EveryLineBreakInDataBecomesADataLine) {
  EXPECT_EQ(format_event("", "", "a\nb\r\nc\rd\n"), "data: a\ndata: b\ndata: c\ndata: d\ndata: \n\n");
}

TEST(FormatEvent, LineBreaksInIdAndNameBeginNoField) {
  EXPECT_EQ(format_event("1\ndata: x", "a\r\nid: 9", "y"), "id: 1data: x\nevent: aid: 9\ndata: y\n\n");
}

}  // namespace
}  // namespace segments
