#include "dynamodb/item.h"

#include <gtest/gtest.h>

#include <boost/json/parse.hpp>
#include <cmath>
#include <limits>

#include "base/error.h"
#include "dynamodb/item_parser.h"
#include "model/segment.h"

namespace segments::dynamodb {
namespace {

// As AWS's developer guide prints one of each type, nested.
constexpr const char* recorded =
    R"({"Binary":{"B":"dGhpcyB0ZXh0IGlzIGJhc2U2NC1lbmNvZGVk"},"Bins":{"BS":["U3Vubnk=","UmFpbnk="]},)"
    R"("False":{"BOOL":false},"List":{"L":[{"S":"Cookies"},{"N":"3.14159"},{"L":[]},{"NULL":true}]},)"
    R"("Map":{"M":{"Age":{"N":"35"},"Name":{"S":"Joe \"J\" ü"}}},"None":{"NULL":true},"Number":{"N":"123.45"},)"
    R"("Numbers":{"NS":["42.2","-19"]},"String":{"S":""},"Strings":{"SS":["Giraffe","Hippo"]}})";

TEST(DynamoItem, LosesNothingOfAnyType) {
  auto item = decode_item(boost::json::parse(recorded));
  std::string again;
  encode_item(again, item);
  EXPECT_EQ(again, recorded);
  EXPECT_EQ(item.size(), 10u);
  EXPECT_EQ(text_of(item, "String"), "");
  EXPECT_EQ(text_of(item, "Number"), "") << "it is no text";
  EXPECT_EQ(number_of(item.at("Number")), 123.45);
}

TEST(DynamoItem, TakesNoAnswerThatIsNoItem) {
  for (const char* json : {R"({"a":1})", R"({"a":{}})", R"({"a":{"S":1}})", R"({"a":{"N":5}})", R"([])",
                           R"({"a":{"X":"1"}})", R"({"a":{"S":"1","N":"1"}})", R"({"a":{"L":{}}})",
                           R"({"a":{"SS":["x",1]}})", R"({"a":{"M":[]}})", R"({"a":{"BOOL":"true"}})"}) {
    try {
      decode_item(boost::json::parse(json));
      ADD_FAILURE() << json;
    } catch (const Error& error) {
      EXPECT_EQ(error.kind(), ErrorKind::unavailable) << json;
    }
  }
}

Item item_in_answer(const std::string& item) {
  return parse_item_in(
      R"({"A":[{"x":[1,null,"a"]},-2.5],"B":{"Item":{"S":"no"}},"C":"c","D":null,"E":true,"Item":)" + item +
          R"(,"F":{"a":{}},"G":12345678901234567890})",
      "Item");
}

TEST(DynamoItem, IsReadStraightFromAnAnswer) {
  EXPECT_EQ(item_in_answer(recorded), decode_item(boost::json::parse(recorded)));
  EXPECT_EQ(item_in_answer(" {} "), Item());
  EXPECT_EQ(parse_item_in("{}", "Item"), Item());
  EXPECT_EQ(parse_item_in(R"({"Attributes":{"a":{"S":"b"}}})", "Item"), Item());
  std::string deep = R"({"a":{"S":"x"}})";
  for (int i = 0; i < 40; ++i) deep = R"({"a":{"L":[{"M":)" + deep + "}]}}";
  boost::json::parse_options options;
  options.max_depth = 256;
  EXPECT_EQ(item_in_answer(deep), decode_item(boost::json::parse(deep, {}, options)));
}

TEST(DynamoItem, IsNotReadFromAnAnswerThatHoldsNone) {
  for (std::string item : {R"({"a":1})",
                           R"({"a":{}})",
                           R"({"a":{"S":1}})",
                           R"({"a":{"N":5}})",
                           R"([])",
                           R"({"a":{"X":"1"}})",
                           R"({"a":{"S":"1","N":"1"}})",
                           R"({"a":{"L":{}}})",
                           R"({"a":{"SS":["x",1]}})",
                           R"({"a":{"M":[]}})",
                           R"({"a":{"BOOL":"true"}})",
                           R"({"a":{"NULL":null}})",
                           R"({"a":"S"})",
                           R"({"a":[]})",
                           R"({"a":{"L":["x"]}})",
                           R"({"a":{"L":[[]]}})",
                           R"({"a":{"SS":[["x"]]}})",
                           R"({"a":{"SS":[{}]}})",
                           "null",
                           "1",
                           R"("x")",
                           R"({"a":{"S":"\ud800"}})",
                           R"({"a":)",
                           R"({"a":{"S":"x"}}})"})
    EXPECT_THROW(item_in_answer(item), Error) << item;
  for (std::string answer : {"", "[]", "5", "{", R"({"Item":{}} x)", R"({"Item":{}}{})"})
    EXPECT_THROW(parse_item_in(answer, "Item"), Error) << answer;
}

TEST(DynamoItem, KeepsNumbersExactly) {
  for (std::int64_t whole :
       {std::int64_t{0}, std::int64_t{-1}, std::int64_t{9'007'199'254'740'993},
        std::numeric_limits<std::int64_t>::max(), std::numeric_limits<std::int64_t>::min()})
    EXPECT_EQ(integer_of(number(whole)), whole);
  for (double value : {0.1 + 0.2, 12.333333333333334, 1e-120, 9.99e125, -1e21, 1'000.125, 5e-324 + 1})
    EXPECT_EQ(number_of(number(value)), value);
  EXPECT_EQ(number(-0.0), number(std::int64_t{0}));
  EXPECT_EQ(number(1e-200), number(std::int64_t{0})) << "DynamoDB has nothing between";
  for (double value : {std::nan(""), HUGE_VAL, 1e126}) EXPECT_THROW(number(value), Error);
  EXPECT_FALSE(attribute_of(std::nan("")));
}

TEST(DynamoItem, ReadsWholeNumbersAsOthersWriteThem) {
  auto read = [](const char* text) { return integer_of({Attribute::Number{text}}); };
  EXPECT_EQ(read("12.0"), 12);
  EXPECT_EQ(read("1.2E1"), 12);
  EXPECT_EQ(read("+7"), 7);
  EXPECT_EQ(read("12.7"), 12);
  for (const char* text : {"", "x", "1e40", "12 ", "nan", "99999999999999999999999999999999999999"})
    EXPECT_FALSE(read(text)) << text;
  EXPECT_FALSE(integer_of(text("12")));
}

TEST(DynamoItem, MakesAnItemOfADescribedStruct) {
  Segment segment;
  segment.segment_id = "seg_v_001";
  segment.duration = 12.5;
  segment.title = "";
  segment.tags = {"a", "b"};
  segment.social_media_usage.emplace_back().post_id = "p";
  auto item = item_of(segment);
  EXPECT_FALSE(find(item, "description")) << "what is absent is left out, and never null";
  EXPECT_TRUE(find(item, "title"));
  EXPECT_EQ(item.at("segment_type"), text("processed"));
  Segment again;
  read_item(again, item);
  EXPECT_EQ(again, segment);
}

TEST(DynamoItem, LeavesAMemberAloneWhoseAttributeIsStrange) {
  Segment segment;
  segment.duration = 5;
  segment.tags = {"kept"};
  read_item(segment, {{"duration", text("long")},
                      {"tags", number(std::int64_t{1})},
                      {"segment_type", text("hologram")},
                      {"title", {Attribute::Null{}}},
                      {"file_size", text("x")},
                      {"unknown", text("y")}});
  EXPECT_EQ(segment.duration, 5);
  EXPECT_EQ(segment.tags, std::vector<std::string>{"kept"});
  EXPECT_EQ(segment.segment_type, SegmentType::processed);
  EXPECT_FALSE(segment.title);
  read_item(segment, {{"tags", {Attribute::Strings{{"x", "y"}}}}});
  EXPECT_EQ(segment.tags, (std::vector<std::string>{"x", "y"}))
      << "a set, as the earlier service may write it";
}

}  // namespace
}  // namespace segments::dynamodb
