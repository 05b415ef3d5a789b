#include "dynamodb/table_check.h"

#include <gtest/gtest.h>

#include <boost/json.hpp>

#include "aws/test_credentials.h"
#include "base/error.h"
#include "dynamodb/table_admin.h"
#include "dynamodb/table_definition.h"

namespace segments::dynamodb {
namespace {

namespace json = boost::json;

// Answers in the form that AWS gives them in (API reference, DescribeTable, DescribeTimeToLive,
// DescribeContinuousBackups), of a table made by our own request.
json::object aws_index(const json::object& asked) {
  json::object index = asked;
  index["IndexStatus"] = "ACTIVE";
  index["IndexSizeBytes"] = 0;
  index["ItemCount"] = 0;
  index["IndexArn"] = "arn:aws:dynamodb:eu-west-1:123456789012:table/t/index/" +
                      std::string(asked.at("IndexName").as_string());
  index["ProvisionedThroughput"] = {
      {"NumberOfDecreasesToday", 0}, {"ReadCapacityUnits", 0}, {"WriteCapacityUnits", 0}};
  return index;
}

struct Account {
  json::object table, expiry, backups;

  Account() {
    auto asked = json::parse(create_table_request("t")).as_object();
    for (const char* name : {"TableName", "KeySchema", "AttributeDefinitions", "DeletionProtectionEnabled"})
      table[name] = asked[name];
    json::array indexes;
    for (const auto& index : asked["GlobalSecondaryIndexes"].as_array())
      indexes.push_back(aws_index(index.as_object()));
    table["GlobalSecondaryIndexes"] = indexes;
    table["TableStatus"] = "ACTIVE";
    table["CreationDateTime"] = 1.763865600123E9;
    table["BillingModeSummary"] = {{"BillingMode", "PAY_PER_REQUEST"},
                                   {"LastUpdateToPayPerRequestDateTime", 1.763865600123E9}};
    table["ProvisionedThroughput"] = {
        {"NumberOfDecreasesToday", 0}, {"ReadCapacityUnits", 0}, {"WriteCapacityUnits", 0}};
    table["SSEDescription"] = {{"Status", "ENABLED"},
                               {"SSEType", "KMS"},
                               {"KMSMasterKeyArn", "arn:aws:kms:eu-west-1:123456789012:key/0"}};
    expiry = {{"TimeToLiveStatus", "ENABLED"}, {"AttributeName", "expires_at"}};
    backups = {{"ContinuousBackupsStatus", "ENABLED"},
               {"PointInTimeRecoveryDescription",
                {{"PointInTimeRecoveryStatus", "ENABLED"},
                 {"EarliestRestorableDateTime", 1.763865600E9},
                 {"LatestRestorableDateTime", 1.763865900E9}}}};
  }
  json::object& index(std::size_t i) { return table["GlobalSecondaryIndexes"].as_array()[i].as_object(); }
  std::string expiry_answer() const {
    return json::serialize(json::object{{"TimeToLiveDescription", expiry}});
  }
  std::string backups_answer() const {
    return json::serialize(json::object{{"ContinuousBackupsDescription", backups}});
  }
  std::string table_answer() const { return json::serialize(json::object{{"Table", table}}); }
  TableAnswers answers() const { return {table_answer(), expiry_answer(), backups_answer()}; }

  // "needed: …" or "advised: …", one line each.
  std::string told() const {
    std::string lines;
    for (const auto& one : differences(answers()))
      lines += (one.is_needed ? "needed: " : "advised: ") + one.sentence + "\n";
    return lines;
  }
};

TEST(TableCheck, FindsNothingWhereAllIsAsItHasToBe) {
  EXPECT_EQ(Account().told(), "");
}

TEST(TableCheck, TellsOfEveryKey) {
  Account account;
  account.table["KeySchema"] = {{{"AttributeName", "video_id"}, {"KeyType", "HASH"}}};
  EXPECT_EQ(account.told(),
            "needed: The table's key is video_id (hash), with no range key; it must be video_id (hash) and "
            "segment_id (range). A key cannot be changed: make a new table and copy this one into it "
            "(segments admin table create, segments admin table migrate-from).\n");
  account = {};
  for (auto& one : account.table["AttributeDefinitions"].as_array())
    if (one.at("AttributeName") == "created_at") one.as_object()["AttributeType"] = "N";
  EXPECT_EQ(account.told(), "needed: The key attribute created_at is of the type N; it must be S.\n");
  account = {};
  account.index(2)["KeySchema"] = {{{"AttributeName", "user_id"}, {"KeyType", "HASH"}},
                                   {{"AttributeName", "upload_date"}, {"KeyType", "RANGE"}}};
  EXPECT_EQ(
      account.told(),
      "needed: The key of the index user_id-created_at-index is user_id (hash) and upload_date (range); "
      "it must be user_id (hash) and created_at (range).\n");
}

TEST(TableCheck, TellsOfIndexesThatAreMissingNarrowWideOrNotOurs) {
  Account account;
  auto& indexes = account.table["GlobalSecondaryIndexes"].as_array();
  indexes.erase(indexes.begin());
  EXPECT_EQ(account.told(),
            "needed: The index video_id-segment_type-index on video_id (hash) and segment_type (range) is "
            "missing.\n");
  account = {};
  account.index(1)["Projection"] = {{"ProjectionType", "INCLUDE"},
                                    {"NonKeyAttributes", {"title", "download_count"}}};
  account.index(2)["Projection"] = {{"ProjectionType", "KEYS_ONLY"}};
  account.index(3)["Projection"] = {{"ProjectionType", "ALL"}};
  auto told = account.told();
  EXPECT_NE(told.find("needed: The index user_id-segment_type-index does not hold segment_number, duration, "
                      "file_size, filename, created_at."),
            told.npos)
      << told;
  EXPECT_NE(told.find("needed: The index user_id-created_at-index does not hold segment_number, duration, "
                      "file_size, title, filename, segment_type."),
            told.npos);
  EXPECT_NE(told.find("advised: The index user_id-segment_type-index also holds download_count"), told.npos);
  EXPECT_NE(told.find("advised: The index user_id-upload_date-index holds all attributes"), told.npos);
  EXPECT_EQ(std::ranges::count(told, '\n'), 4);

  account = {};
  auto foreign = account.index(0);
  foreign["IndexName"] = "theirs";
  account.table["GlobalSecondaryIndexes"].as_array().push_back(foreign);
  account.table["LocalSecondaryIndexes"] = {{{"IndexName", "local"}}};
  told = account.told();
  EXPECT_TRUE(told.starts_with("advised: The index theirs is none of ours;")) << told;
  EXPECT_NE(told.find("advised: The local index local is none of ours;"), told.npos);
}

TEST(TableCheck, TellsOfWhatIsStillBeingMade) {
  Account account;
  account.table["TableStatus"] = "CREATING";
  account.index(0)["IndexStatus"] = "CREATING";
  account.index(1)["Backfilling"] = true;
  account.index(2)["IndexStatus"] = "DELETING";
  auto found = differences(account.answers());
  ASSERT_EQ(found.size(), 4u);
  EXPECT_EQ(found[0].sentence, "The table is not ready: its status is CREATING.");
  EXPECT_EQ(found[1].sentence, "The index video_id-segment_type-index is not ready: its status is CREATING.");
  EXPECT_EQ(found[2].sentence, "The index user_id-segment_type-index is not ready: it is being filled.");
  EXPECT_EQ(found[3].sentence, "The index user_id-created_at-index is not ready: its status is DELETING.");
  EXPECT_TRUE(found[0].is_passing && found[1].is_passing && found[2].is_passing);
  EXPECT_FALSE(found[3].is_passing);
}

TEST(TableCheck, AdvisesWhatMakesItDearOrUnsafe) {
  Account account;
  account.table["BillingModeSummary"] = {{"BillingMode", "PROVISIONED"}};
  account.table.erase("SSEDescription");
  account.table["DeletionProtectionEnabled"] = false;
  account.expiry = {{"TimeToLiveStatus", "DISABLED"}};
  account.backups["PointInTimeRecoveryDescription"].as_object()["PointInTimeRecoveryStatus"] = "DISABLED";
  auto told = account.told();
  EXPECT_EQ(std::ranges::count(told, '\n'), 5) << told;
  EXPECT_EQ(told.find("needed"), told.npos) << told;
  for (const char* part : {"provisioned capacity", "not encrypted", "not protected against deletion",
                           "Items do not expire", "Point-in-time recovery is off"})
    EXPECT_NE(told.find(part), told.npos) << part;
  // Old provisioned tables have no summary of their billing.
  account = {};
  account.table.erase("BillingModeSummary");
  EXPECT_EQ(account.told(), "");
  account.table["ProvisionedThroughput"] = {{"ReadCapacityUnits", 5}, {"WriteCapacityUnits", 5}};
  EXPECT_NE(account.told().find("provisioned capacity"), std::string::npos);
}

TEST(TableCheck, WhatExpiresByAnotherAttributeWouldBeLost) {
  Account account;
  account.expiry["AttributeName"] = "ttl";
  EXPECT_EQ(account.told(), "needed: Items expire by the attribute ttl; it must be expires_at.\n");
  auto answers = account.answers();
  answers.expiry.reset();
  answers.backups.reset();
  auto found = differences(answers);
  ASSERT_EQ(found.size(), 2u);
  EXPECT_FALSE(found[0].is_needed || found[1].is_needed);
}

// AWS, as far as making a table goes.
class CreateTable : public testing::Test, protected aws::TestEnvironment {
 protected:
  using Received = aws::TestHttpServer::Received;
  using Answer = aws::TestHttpServer::Answer;

  CreateTable() {
    set("AWS_ACCESS_KEY_ID", "id");
    set("AWS_SECRET_ACCESS_KEY", "secret");
    account.expiry = {{"TimeToLiveStatus", "DISABLED"}};
    account.backups["PointInTimeRecoveryDescription"].as_object()["PointInTimeRecoveryStatus"] = "DISABLED";
  }
  static Answer refusal(const std::string& code) {
    return {aws::http_answer(
        400, R"({"__type":"com.amazonaws.dynamodb.v20120810#)" + code + R"(","message":"why"})")};
  }
  Answer answer(const Received& request) {
    const auto operation = request.header("x-amz-target").substr(std::string("DynamoDB_20120810.").size());
    asked.push_back(operation);
    bodies[operation] = request.body;
    if (operation == "CreateTable" && std::exchange(is_there, true)) return refusal("ResourceInUseException");
    if (operation == "DescribeTable" && creating-- > 0) {
      Account early;
      early.table["TableStatus"] = "CREATING";
      return {aws::http_answer(200, early.table_answer())};
    }
    if (operation == "DescribeTimeToLive") return {aws::http_answer(200, account.expiry_answer())};
    if (operation == "DescribeContinuousBackups") return {aws::http_answer(200, account.backups_answer())};
    if (operation == "UpdateTimeToLive")
      account.expiry = {{"TimeToLiveStatus", "ENABLING"}, {"AttributeName", "expires_at"}};
    if (operation == "UpdateContinuousBackups") {
      if (unavailable-- > 0) return refusal("ContinuousBackupsUnavailableException");
      account.backups = Account().backups;
    }
    return {aws::http_answer(200, account.table_answer())};
  }
  std::int64_t times(const std::string& operation) { return std::ranges::count(asked, operation); }

  Account account;
  bool is_there = false;
  int creating = 3, unavailable = 2;
  std::vector<std::string> asked;
  std::map<std::string, std::string> bodies;
  aws::TestHttpServer server{[this](const Received& request) { return answer(request); }};
  aws::CredentialProvider credentials{context()};
  aws::Client client{{.service = "dynamodb", .region = "eu-west-1", .origin = server.origin("DynamoDB")},
                     credentials};
  Table table{client, "t"};
};

TEST_F(CreateTable, WaitsAndSwitchesOnWhatTheRequestCannotAskFor) {
  std::vector<Millis> waits;
  auto creation = create_table(table, [&](Millis ms) { waits.push_back(ms); });
  EXPECT_TRUE(creation.is_new);
  EXPECT_TRUE(creation.differences.empty());
  EXPECT_EQ(waits.size(), 5u) << "three for the table, two for the recovery";
  EXPECT_EQ(times("UpdateTimeToLive"), 1);
  EXPECT_EQ(times("UpdateContinuousBackups"), 3);
  EXPECT_EQ(
      json::parse(bodies["UpdateTimeToLive"]),
      json::parse(
          R"({"TableName":"t","TimeToLiveSpecification":{"Enabled":true,"AttributeName":"expires_at"}})"));
  EXPECT_EQ(
      json::parse(bodies["UpdateContinuousBackups"]),
      json::parse(
          R"({"TableName":"t","PointInTimeRecoverySpecification":{"PointInTimeRecoveryEnabled":true}})"));
  auto request = json::parse(bodies["CreateTable"]).as_object();
  EXPECT_EQ(request["BillingMode"], "PAY_PER_REQUEST");
  EXPECT_EQ(request["SSESpecification"], json::parse(R"({"Enabled":true})"));
  EXPECT_EQ(request["DeletionProtectionEnabled"], true);
  EXPECT_EQ(request["GlobalSecondaryIndexes"].as_array().size(), 4u);
  // Again: what is on is left alone.
  asked.clear();
  EXPECT_FALSE(create_table(table, [](Millis) {}).is_new);
  EXPECT_EQ(times("UpdateTimeToLive") + times("UpdateContinuousBackups"), 0);
}

TEST_F(CreateTable, LeavesATableAloneThatIsNotOurs) {
  is_there = true;
  creating = 0;
  account.table["KeySchema"] = {{{"AttributeName", "video_id"}, {"KeyType", "HASH"}}};
  auto creation = create_table(table, [](Millis) {});
  EXPECT_FALSE(creation.is_new);
  ASSERT_EQ(creation.differences.size(), 3u);
  EXPECT_TRUE(creation.differences[0].is_needed);
  EXPECT_EQ(times("UpdateTimeToLive") + times("UpdateContinuousBackups"), 0);
}

TEST_F(CreateTable, SaysWhatAwsRefuses) {
  aws::TestHttpServer refusing([](const Received&) { return refusal("AccessDeniedException"); });
  aws::Client other{{.service = "dynamodb", .region = "eu-west-1", .origin = refusing.origin("DynamoDB")},
                    credentials};
  Table theirs(other, "t");
  EXPECT_THROW(create_table(theirs), Error);
  EXPECT_THROW(describe_table(theirs), Error);
}

}  // namespace
}  // namespace segments::dynamodb
