#include "celery/result.h"

#include <gtest/gtest.h>

namespace segments::celery {
namespace {

TEST(Result, IsPrintedAsPythonPrintsIt) {
  auto meta = make_success("id", Json(5), 1'795'358'807'732);
  EXPECT_EQ(
      encode_result(meta),
      R"({"status":"SUCCESS","result":5,"traceback":null,"children":[],"date_done":"2026-11-22T14:46:47.732000+00:00","task_id":"id"})");
  meta.group_id = "g";
  meta.parent_id = "p";
  meta.children = *read_json(R"([[["c", null], null], [["d", [["p", null], null]], null]])");
  EXPECT_EQ(
      encode_result(meta),
      R"({"status":"SUCCESS","result":5,"traceback":null,"children":[[["c",null],null],[["d",[["p",null],null]],null]],"date_done":"2026-11-22T14:46:47.732000+00:00","task_id":"id","group_id":"g","parent_id":"p"})");
  EXPECT_EQ(print_json(make_failure("id", not_registered("x"), "", 0).result),
            R"({"exc_type":"NotRegistered","exc_message":["x"],"exc_module":"celery.exceptions"})");
  EXPECT_FALSE(make_retry("id", runtime_error("x"), "tb").date_done);
  EXPECT_FALSE(make_started("id", 1, "n").is_final());
}

TEST(Result, OfAWrongKindIsRefusedOrReadAsAbsent) {
  std::string why;
  for (const char* text : {"", "[]", "{}", "5", R"({"status": 5})", R"({"status": ""})", "\xff"}) {
    EXPECT_FALSE(decode_result(text, &why)) << text;
    EXPECT_FALSE(why.empty());
  }
  auto meta = decode_result(
      R"({"status": "SUCCESS", "children": 5, "date_done": 5, "traceback": {}, "task_id": null, "group_id": []})");
  ASSERT_TRUE(meta);
  EXPECT_EQ(print_json(meta->children), "[]");
  EXPECT_TRUE(meta->result.is_null());
  EXPECT_FALSE(decode_result(R"({"status": "FAILURE", "result": "text"})")->exception());
  EXPECT_EQ(
      decode_result(
          R"({"status": "FAILURE", "result": {"exc_type": "E", "exc_message": "m", "exc_module": null}})")
          ->exception()
          ->repr(),
      "E('m')");
}

TEST(Result, ExceptionsAreShownAsPythonShowsThem) {
  EXPECT_EQ((PythonException{"E", {}, ""}).repr(), "E()");
  EXPECT_EQ((PythonException{"E", {Json("a")}, ""}).repr(), "E('a')");
  EXPECT_EQ((PythonException{"E", {Json("it's"), Json(2)}, ""}).repr(), "E(\"it's\", 2)");
  EXPECT_EQ(time_limit_exceeded(10).sentence(), "TimeLimitExceeded(10)");
}

TEST(ChordParts, AreJoined) {
  auto good = encode_chord_part({"a", "SUCCESS", Json(2.0)});
  EXPECT_EQ(good, R"([1,"a","SUCCESS",2.0])");
  EXPECT_EQ(join_chord({good, R"([1, "b", "SUCCESS", [1]])"}).results.size(), 2u);
  auto failed = join_chord(
      {good,
       R"([1, "b", "FAILURE", {"exc_type": "ValueError", "exc_message": ["x"], "exc_module": "builtins"}])"});
  EXPECT_EQ(failed.error->repr(), R"j(ChordError("Dependency b raised ValueError('x')"))j");
  for (const char* text : {"", "[]", "[1, 2, 3, 4]", "{}", R"([1, "a", 5, 1])"})
    EXPECT_TRUE(join_chord({text}).error) << text;
}

TEST(Groups, AreRead) {
  EXPECT_EQ(decode_group(R"({"result": [["g", null], [[["a", null], null], [["b", ["c", null]], null]]]})"),
            (std::vector<std::string>{"a", "b"}));
  for (const char* text : {"", "{}", R"({"result": 5})", R"({"result": []})", R"({"result": [1, 2]})"})
    EXPECT_FALSE(decode_group(text)) << text;
}

}  // namespace
}  // namespace segments::celery
