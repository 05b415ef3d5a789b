#include "describe/schema.h"

#include <gtest/gtest.h>

#include "describe/sample_types.h"

namespace segments {
namespace {

using namespace sample;

std::string member_schema(const char* name, bool strict = true) {
  auto schema = schema_of<Thing>({}, strict);
  return detail::serialize(schema.at("properties").at(name));
}

TEST(Schema, TellsTypesAndRules) {
  EXPECT_EQ(member_schema("name"),
            R"({"type":"string","minLength":1,"maxLength":10,"description":"What it is called"})");
  EXPECT_EQ(member_schema("count"), R"({"type":"integer","minimum":0,"maximum":1000})");
  EXPECT_EQ(member_schema("length"), R"({"type":"number","exclusiveMinimum":0})");
  EXPECT_EQ(member_schema("is_new"), R"({"type":"boolean"})");
  EXPECT_EQ(member_schema("colour"), R"({"type":"string","enum":["red","green"]})");
  EXPECT_EQ(member_schema("kind"), R"({"type":"string","maxLength":10000,"default":"plain"})");
  EXPECT_EQ(member_schema("extra"), R"({"default":null})");
}

TEST(Schema, LetsOptionalsBeNull) {
  EXPECT_EQ(member_schema("note"), R"({"type":["string","null"],"maxLength":20,"format":"uri"})");
  EXPECT_EQ(member_schema("second"), R"({"type":["string","null"],"enum":["red","green",null]})");
  EXPECT_EQ(
      member_schema("words"),
      R"({"type":["array","null"],"items":{"type":"string","minLength":2,"maxLength":5},"maxItems":3})");
  EXPECT_EQ(detail::serialize(schema_of<Change>({}, true).at("properties").at("title")),
            R"({"type":["string","null"],"maxLength":10000})");
}

TEST(Schema, DescribesNestedThings) {
  EXPECT_EQ(
      member_schema("points", false),
      R"({"type":"array","items":{"type":"object","properties":{"x":{"type":"number"},"y":{"type":"number"}},)"
      R"("required":["x","y"]},"maxItems":4})");
  EXPECT_EQ(member_schema("counts", false), R"({"type":"object","additionalProperties":{"type":"integer"}})");
}

TEST(Schema, StrictSchemasAskForWhatTheDecoderAsksFor) {
  auto strict = schema_of<Thing>({}, true);
  EXPECT_EQ(detail::serialize(strict.at("required")), R"(["name","count","length","is_new","colour"])");
  EXPECT_EQ(strict.at("additionalProperties"), false);
  auto shown = schema_of<Thing>();
  EXPECT_EQ(shown.at("required").as_array().size(), 13u);
  EXPECT_FALSE(shown.contains("additionalProperties"));
  EXPECT_FALSE((schema_of<Change>({}, true).contains("required")));
}

}  // namespace
}  // namespace segments
