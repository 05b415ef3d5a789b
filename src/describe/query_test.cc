#include "describe/query.h"

#include <gtest/gtest.h>

#include "describe/sample_types.h"

namespace segments {
namespace {

using sample::Colour;
using sample::Filter;
using Expected = std::vector<std::string>;

Expected faults_of(const QueryParameters& parameters) {
  try {
    decode_query<Filter>(parameters);
  } catch (const Error& error) {
    EXPECT_EQ(error.kind(), ErrorKind::invalid);
    Expected faults;
    for (const auto& fault : error.faults()) {
      EXPECT_TRUE(is_utf8(fault.pointer) && is_utf8(fault.detail));
      faults.push_back(fault.pointer + " " + fault.code);
    }
    return faults;
  }
  return {};
}

TEST(DecodeQuery, TurnsTextsIntoMembers) {
  auto filter = decode_query<Filter>({{"text", "a b"},
                                      {"count", "7"},
                                      {"length", "2.5"},
                                      {"flag", "True"},
                                      {"colour", "green"},
                                      {"tags", "a, b,,c"}});
  EXPECT_EQ(filter.text, "a b");
  EXPECT_EQ(filter.count, 7);
  EXPECT_EQ(filter.length, 2.5);
  EXPECT_EQ(filter.flag, true);
  EXPECT_EQ(filter.colour, Colour::green);
  EXPECT_EQ(filter.tags, (std::vector<std::string>{"a", "b", "c"}));
}

TEST(DecodeQuery, TakesAnEmptyTextAsAbsent) {
  auto filter = decode_query<Filter>(
      {{"text", ""}, {"count", ""}, {"length", ""}, {"flag", ""}, {"colour", ""}, {"tags", ""}});
  EXPECT_FALSE(filter.text || filter.count || filter.length || filter.flag || filter.colour || filter.tags);
  EXPECT_FALSE(decode_query<Filter>({}).text);
}

TEST(DecodeQuery, HonoursZero) {
  auto filter = decode_query<Filter>({{"count", "0"}, {"length", "0"}, {"flag", "0"}});
  EXPECT_EQ(filter.count, 0);
  EXPECT_EQ(filter.length, 0);
  EXPECT_EQ(filter.flag, false);
}

TEST(DecodeQuery, FindsAllFaultsAtOnce) {
  EXPECT_EQ(faults_of({{"text", "abcdef"},
                       {"count", "1.5"},
                       {"length", "nan"},
                       {"flag", "maybe"},
                       {"colour", "blue"},
                       {"tags", "a,toolong"},
                       {"other", "1"}}),
            (Expected{"text length", "count type", "length type", "flag type", "colour enum", "tags length",
                      "other unknown"}));
}

TEST(DecodeQuery, RefusesBadNumbers) {
  for (const char* text : {"inf", "-inf", "NaN", "1e400", "0x10", "1,5", " 1", "1 ", "+1", "--1", "1e"})
    EXPECT_EQ(faults_of({{"length", text}}), Expected{"length type"}) << text;
  for (const char* text : {"9223372036854775808", "1.0", "1e3", "abc", "٣"})
    EXPECT_EQ(faults_of({{"count", text}}), Expected{"count type"}) << text;
  EXPECT_EQ(faults_of({{"count", "-1"}}), Expected{"count range"});
  EXPECT_EQ(faults_of({{"length", "100.5"}}), Expected{"length range"});
}

TEST(DecodeQuery, RefusesParametersGivenTwice) {
  EXPECT_EQ(faults_of({{"count", "1"}, {"text", "a"}, {"count", "1"}}), Expected{"count duplicate"});
  EXPECT_EQ(faults_of({{"count", ""}, {"count", "1"}}), Expected{"count duplicate"});
}

TEST(DecodeQuery, TakesRepeatedItemsAsTheyStand) {
  using Tags = std::vector<std::string>;
  auto tags = [](const QueryParameters& parameters) { return decode_query<Filter>(parameters).tags; };
  EXPECT_EQ(tags({{"tags", "a,b"}, {"count", "1"}, {"tags", " c"}}), (Tags{"a,b", " c"}));
  EXPECT_EQ(tags({{"tags", "a,b"}, {"tags", ""}}), Tags{"a,b"});
  EXPECT_EQ(tags({{"tags", ""}, {"tags", "a,b"}, {"tags", ""}}), Tags{"a,b"});
  EXPECT_FALSE(tags({{"tags", ""}, {"tags", ""}}));
  EXPECT_EQ(faults_of({{"tags", "a"}, {"tags", "toolong"}, {"count", "x"}}),
            (Expected{"tags length", "count type"}));
  EXPECT_EQ(faults_of(QueryParameters(20, {"tags", "a"})), Expected{"tags length"});
}

TEST(DecodeQuery, BoundsListsAndNames) {
  EXPECT_EQ(faults_of({{"tags", "a,b,c,d"}}), Expected{"tags length"});
  EXPECT_EQ(faults_of({{"text", "\xff"}}), Expected{"text encoding"});
  EXPECT_EQ(faults_of({{"text", std::string("a\0b", 3)}}), Expected{"text encoding"});
  EXPECT_EQ(faults_of({{"\xff", "1"}}), Expected{"\xef\xbf\xbd unknown"});
  EXPECT_EQ(faults_of({{std::string(500, 'n'), "1"}}), Expected{std::string(100, 'n') + " unknown"});
  EXPECT_EQ(faults_of(QueryParameters(20'000, {"x", "1"})).size(), 100u);
}

TEST(DecodeQuery, TakesIgnoredParameters) {
  EXPECT_EQ(faults_of({{"ticket", "t"}, {"ticket", "u"}}), Expected{});
}

}  // namespace
}  // namespace segments
