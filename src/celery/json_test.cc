#include "celery/json.h"

#include <gtest/gtest.h>

#include <cmath>

namespace segments::celery {
namespace {

TEST(PythonJson, KeepsNumbersByteForByte) {
  for (const char* text : {"123456789012345678901234567890", "-0", "-0.0", "1e400", "1E-7", "NaN",
                           "-Infinity", "[1,2.50,{\"a\":1e2}]", "9223372036854775808"})
    EXPECT_EQ(print_json(*read_json(text)), text);
}

TEST(PythonJson, RefusesWhatPythonRefusesAndLoneSurrogates) {
  for (const char* text : {"",
                           " ",
                           "[",
                           "[1,]",
                           "{\"a\"}",
                           "{\"a\":1,}",
                           "01",
                           "1.",
                           ".5",
                           "+1",
                           "--1",
                           "1e",
                           "nan",
                           "'a'",
                           "\"a",
                           "\"\t\"",
                           "\"\\x41\"",
                           "\"\\u12\"",
                           "[1] 2",
                           "\xef\xbb\xbf{}",
                           "\"\xff\"",
                           "tru",
                           "-",
                           R"("\ud800")",
                           R"("\udc00")",
                           R"("\ud800\u0041")",
                           R"("\ud800x")",
                           "{1:2}",
                           "\"\\u+123\""}) {
    std::string why;
    EXPECT_FALSE(read_json(text, &why)) << text;
    EXPECT_FALSE(why.empty());
  }
  EXPECT_FALSE(read_json(std::string_view("\0", 1)));
  EXPECT_FALSE(read_json(std::string_view("\"\\\0\"", 4)));
}

// A few bytes of text must not become very much memory.
TEST(PythonJson, ValuesAreSmallAndCounted) {
  EXPECT_LE(sizeof(Json), 40u);
  auto list_of = [](int count) {
    std::string text = "[0";
    for (int i = 1; i < count; ++i) text += ",0";
    return text + "]";
  };
  std::string why;
  EXPECT_FALSE(read_json(list_of(max_json_values), &why));
  EXPECT_NE(why.find("more than 1000000 values"), why.npos) << why;
}

TEST(PythonJson, WhatIsNoContainerHasNothingInIt) {
  Json number(1);
  number.items().push_back(Json(2));
  number.members().emplace_back("a", Json(2));
  EXPECT_TRUE(number.items().empty());
  EXPECT_TRUE(number.members().empty());
  EXPECT_EQ(print_json(number), "1");
  Json null;
  null.put("a", 1);
  EXPECT_EQ(print_json(null), R"({"a":1})");
}

TEST(PythonJson, ReadsEscapes) {
  EXPECT_EQ(read_json(R"("\ud83d\ude00\u00e9\n\/\\\"\u0000")")->text(), std::string("😀é\n/\\\"\0", 11));
}

TEST(PythonJson, LastOfEqualMembersCounts) {
  auto json = read_json(R"({"a": 1, "b": 2, "a": 3, "a": 4})");
  EXPECT_EQ(print_json(*json), R"({"a":4,"b":2})");
}

TEST(PythonJson, IsBoundedInDepth) {
  auto nested = [](int depth) { return std::string(depth, '[') + std::string(depth, ']'); };
  EXPECT_TRUE(read_json(nested(max_json_depth)));
  EXPECT_FALSE(read_json(nested(max_json_depth + 1)));
  EXPECT_FALSE(read_json(std::string(1'000'000, '[')));
}

TEST(PythonJson, PrintsFloatsAsFloats) {
  EXPECT_EQ(print_json(Json(2.0)), "2.0");
  EXPECT_EQ(print_json(Json(0.1)), "0.1");
  EXPECT_EQ(print_json(Json(std::nan(""))), "NaN");
  EXPECT_EQ(print_json(Json(-HUGE_VAL)), "-Infinity");
  EXPECT_EQ(print_json(Json(std::string("\xff\n"))), "\"\uFFFD\\n\"");
}

TEST(PythonJson, TellsNonFinite) {
  EXPECT_TRUE(has_non_finite(*read_json(R"([{"a": [1e999]}])")));
  EXPECT_FALSE(has_non_finite(*read_json(R"([1e-999, 10000000000000000000000000])")));
  EXPECT_EQ(read_json("1e-999")->real(), 0.0);
  EXPECT_EQ(read_json("-1e999")->real(), -HUGE_VAL);
  EXPECT_FALSE(read_json("9223372036854775808")->integer());
}

TEST(PythonJson, IsTrueAsInPython) {
  for (const char* text : {"null", "false", "0", "-0", "0.0", "\"\"", "[]", "{}"})
    EXPECT_FALSE(read_json(text)->is_true());
  for (const char* text : {"true", "1", "NaN", "\"0\"", "[0]", "{\"a\":0}"})
    EXPECT_TRUE(read_json(text)->is_true());
}

}  // namespace
}  // namespace segments::celery
