// What is sent to DynamoDB, and what is made of its answers, as AWS's API reference records them: what
// dynalite does not give (tests/engines/deviations.md) among it.
#include "dynamodb/table.h"

#include <gtest/gtest.h>
#include <zlib.h>

#include <boost/json/parse.hpp>
#include <deque>

#include "aws/test_credentials.h"
#include "base/error.h"

namespace segments::dynamodb {
namespace {

using Answer = aws::TestHttpServer::Answer;

Answer answer(int status, const std::string& json) {
  const auto crc = crc32_z(0, reinterpret_cast<const Bytef*>(json.data()), json.size());
  return {aws::http_answer(status, json, {{"x-amz-crc32", std::to_string(crc)}, {"x-amzn-RequestId", "R1"}})};
}
Answer refusal(int status, const std::string& code, const std::string& message = "why") {
  return answer(status, R"({"__type":"com.amazonaws.dynamodb.v20120810#)" + code + R"(","message":")" +
                            message + R"("})");
}
Answer lost() {
  return {"", aws::TestHttpServer::Then::reset};
}

class DynamoTable : public testing::Test, protected aws::TestEnvironment {
 protected:
  DynamoTable() {
    set("AWS_ACCESS_KEY_ID", "id");
    set("AWS_SECRET_ACCESS_KEY", "SeCrEt");
  }
  aws::Client::Options options() {
    aws::Client::Options out{
        .service = "dynamodb", .region = "eu-west-1", .origin = server_.origin("DynamoDB")};
    out.sleep = [](Millis) {};
    return out;
  }
  // The body of a request, and the operation it was for.
  boost::json::object sent(std::size_t i, const std::string& operation) {
    auto request = server_.received().at(i);
    EXPECT_EQ(request.header("x-amz-target"), "DynamoDB_20120810." + operation);
    return boost::json::parse(request.body).as_object();
  }
  template <class F>
  static ErrorKind kind_of(F&& f) {
    try {
      f();
    } catch (const Error& error) {
      return error.kind();
    }
    ADD_FAILURE() << "nothing was thrown";
    return ErrorKind::malformed;
  }

  std::deque<Answer> answers_;
  aws::TestHttpServer server_{[this](const auto&) {
    if (answers_.empty()) return refusal(400, "NobodyExpectedThis");
    auto next = answers_.front();
    answers_.pop_front();
    return next;
  }};
  aws::CredentialProvider credentials_{context()};
  aws::Client client_{options(), credentials_};
  std::vector<std::tuple<std::string, double, double>> consumed_;
  Table table_{client_, "segments", [this](const Consumption& one) {
                 consumed_.emplace_back(one.operation, one.table, one.indexes);
               }};
};

TEST_F(DynamoTable, GetsAnItemAndTellsWhatThatTook) {
  answers_ = {
      answer(
          200,
          R"({"ConsumedCapacity":{"CapacityUnits":0.5,"TableName":"segments","Table":{"CapacityUnits":0.5}},)"
          R"("Item":{"video_id":{"S":"v"},"n":{"N":"7"}}})"),
      answer(200, "{}")};
  auto item = table_.get({"v", "seg_v_001"});
  ASSERT_TRUE(item);
  EXPECT_EQ(integer_of(*item, "n"), 7);
  EXPECT_EQ(consumed_, (decltype(consumed_){{"GetItem", 0.5, 0}}));
  EXPECT_FALSE(table_.get({"v", "seg_v_002"}, true));
  EXPECT_EQ(sent(0, "GetItem"),
            boost::json::parse(R"({"TableName":"segments","ReturnConsumedCapacity":"INDEXES",)"
                               R"("Key":{"video_id":{"S":"v"},"segment_id":{"S":"seg_v_001"}}})"));
  EXPECT_EQ(sent(1, "GetItem").at("ConsistentRead"), true);
}

TEST_F(DynamoTable, WritesWithPlaceholdersAndReadsWhatWasWritten) {
  answers_ = {
      answer(200, R"({"Attributes":{"n":{"N":"8"}},"ConsumedCapacity":{"CapacityUnits":4.0,)"
                  R"("Table":{"CapacityUnits":2.0},"GlobalSecondaryIndexes":{"i":{"CapacityUnits":2.0}}}})")};
  Terms terms;
  Changes changes;
  changes.add(terms.name("size"), terms.value(1));
  changes.set(terms.path("map", "a.b#c"), terms.value("x"));
  changes.put(terms, terms.name("size"), std::nullopt);
  auto written = table_.update({.key = {"v", "s"},
                                .update = changes.text(),
                                .condition = "attribute_exists(" + terms.name("size") + ")",
                                .terms = terms,
                                .wants_changed = true});
  EXPECT_TRUE(written.is_done);
  EXPECT_EQ(integer_of(written.item, "n"), 8);
  EXPECT_EQ(consumed_, (decltype(consumed_){{"UpdateItem", 2, 2}}));
  auto request = sent(0, "UpdateItem");
  EXPECT_EQ(request.at("UpdateExpression"), "SET #1.#2 = :1 ADD #0 :0 REMOVE #0");
  EXPECT_EQ(request.at("ConditionExpression"), "attribute_exists(#0)");
  EXPECT_EQ(request.at("ExpressionAttributeNames"),
            boost::json::parse(R"({"#0":"size","#1":"map","#2":"a.b#c"})"));
  EXPECT_EQ(request.at("ExpressionAttributeValues"),
            boost::json::parse(R"({":0":{"N":"1"},":1":{"S":"x"}})"));
  EXPECT_EQ(request.at("ReturnValues"), "UPDATED_NEW");
}

TEST_F(DynamoTable, TellsARefusedConditionFromItsOwnDoing) {
  const auto refused = refusal(400, "ConditionalCheckFailedException", "The conditional request failed");
  answers_ = {refused, lost(), refused};
  auto plain = table_.put({.item = item_of(Key{"v", "s"}), .condition = "attribute_not_exists(#0)"});
  EXPECT_FALSE(plain.is_done);
  EXPECT_FALSE(plain.may_be_ours);
  auto doubtful = table_.put({.item = item_of(Key{"v", "s"})});
  EXPECT_FALSE(doubtful.is_done);
  EXPECT_TRUE(doubtful.may_be_ours);
}

TEST_F(DynamoTable, SendsWhatMayNotBeRepeatedOnce) {
  answers_ = {lost(), answer(200, "{}")};
  EXPECT_EQ(kind_of([&] {
              table_.update({.key = {"v", "s"}, .update = "ADD #0 :0"});
            }),
            ErrorKind::unavailable);
  EXPECT_EQ(server_.received().size(), 1u);
  EXPECT_TRUE(table_.update({.key = {"v", "s"}, .update = "SET #0 = :0", .repeat = Repeat::safe}).is_done);
}

TEST_F(DynamoTable, NamesWhatIsWrong) {
  answers_ = {
      refusal(400, "ValidationException", "Item size has exceeded the maximum allowed size"),
      refusal(400, "ValidationException", "Item size to update has exceeded the maximum allowed size"),
      refusal(400, "ResourceNotFoundException"), answer(200, "[]"), answer(200, "{")};
  EXPECT_EQ(kind_of([&] { table_.put({.item = item_of(Key{"v", "s"})}); }), ErrorKind::too_large);
  EXPECT_EQ(kind_of([&] { table_.update({.key = {"v", "s"}, .update = "SET"}); }), ErrorKind::too_large);
  EXPECT_EQ(kind_of([&] { table_.get({"v", "s"}); }), ErrorKind::internal);
  EXPECT_EQ(kind_of([&] { table_.get({"v", "s"}); }), ErrorKind::unavailable);
  EXPECT_EQ(kind_of([&] { table_.get({"v", "s"}); }), ErrorKind::unavailable);
}

TEST_F(DynamoTable, ReadsAllPagesOfAQuery) {
  answers_ = {
      answer(200, R"({"Items":[{"a":{"N":"1"}},{"a":{"N":"2"}}],"Count":2,"ScannedCount":5,)"
                  R"("LastEvaluatedKey":{"video_id":{"S":"v"},"segment_id":{"S":"s2"}}})"),
      answer(200, R"({"Items":[],"Count":0,"ScannedCount":5,"LastEvaluatedKey":{"video_id":{"S":"v"}}})"),
      answer(200, R"({"Items":[{"a":{"N":"3"}}],"Count":1,"ScannedCount":1})")};
  std::vector<std::int64_t> found;
  Query query{.index = "i", .condition = "#0 = :0", .is_forward = false, .limit = 5};
  table_.query_all(query, [&](Item&& item) {
    found.push_back(integer_of(item, "a"));
    return true;
  });
  EXPECT_EQ(found, (std::vector<std::int64_t>{1, 2, 3}));
  auto request = sent(1, "Query");
  EXPECT_EQ(request.at("ExclusiveStartKey"),
            boost::json::parse(R"({"video_id":{"S":"v"},"segment_id":{"S":"s2"}})"));
  EXPECT_EQ(request.at("ScanIndexForward"), false);
  EXPECT_EQ(request.at("Limit"), 5);
  EXPECT_EQ(request.at("IndexName"), "i");
}

TEST_F(DynamoTable, AsksAgainForWhatABatchLeft) {
  answers_ = {
      answer(200,
             R"({"Responses":{"segments":[{"video_id":{"S":"a"}}]},"UnprocessedKeys":{"segments":{"Keys":[)"
             R"({"video_id":{"S":"b"},"segment_id":{"S":"1"}}],"ConsistentRead":true}}})"),
      answer(200, R"({"Responses":{"segments":[{"video_id":{"S":"b"}}]},"UnprocessedKeys":{}})")};
  const std::vector<Key> keys{{"a", "1"}, {"b", "1"}};
  EXPECT_EQ(table_.batch_get(keys, true).size(), 2u);
  EXPECT_EQ(
      sent(1, "BatchGetItem").at("RequestItems"),
      boost::json::parse(
          R"({"segments":{"Keys":[{"video_id":{"S":"b"},"segment_id":{"S":"1"}}],"ConsistentRead":true}})"));
  EXPECT_TRUE(table_.batch_get({}).empty());
  EXPECT_EQ(server_.received().size(), 2u);
}

TEST_F(DynamoTable, GivesABatchUpThatIsNeverDone) {
  const auto nothing_done = answer(
      200,
      R"({"UnprocessedItems":{"segments":[{"DeleteRequest":{"Key":{"video_id":{"S":"a"},"segment_id":{"S":"1"}}}}]}})");
  answers_ = std::deque<Answer>(30, nothing_done);
  EXPECT_EQ(kind_of([&] { table_.batch_write({}, {{"a", "1"}}); }), ErrorKind::unavailable);
  EXPECT_GT(answers_.size(), 10u);
}

TEST_F(DynamoTable, CutsBatchesToTheSizesThatDynamoTakes) {
  answers_ = std::deque<Answer>(3, answer(200, R"({"UnprocessedItems":{}})"));
  std::vector<Item> puts(40);
  std::vector<Key> removals(20);
  for (std::size_t i = 0; i < puts.size(); ++i) puts[i] = item_of(Key{"p", std::to_string(i)});
  for (std::size_t i = 0; i < removals.size(); ++i) removals[i] = {"r", std::to_string(i)};
  table_.batch_write(puts, removals);
  std::vector<std::size_t> sizes;
  for (std::size_t i = 0; i < 3; ++i)
    sizes.push_back(sent(i, "BatchWriteItem").at("RequestItems").at("segments").as_array().size());
  EXPECT_EQ(sizes, (std::vector<std::size_t>{25, 25, 10}));
}

}  // namespace
}  // namespace segments::dynamodb
