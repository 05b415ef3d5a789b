// An empty table of a test's own, in the dynalite behind the gate (tests/engines).
#pragma once

#include <map>
#include <mutex>
#include <string>

#include "aws/client.h"
#include "dynamodb/table.h"
#include "dynamodb/table_admin.h"
#include "engines/engine.h"

namespace segments::dynamodb {

class TestTable {
 public:
  // `retry` and whatever else a test wants otherwise.
  explicit TestTable(aws::RetryPolicy retry = {})
      : client_(options(retry), credentials_),
        table_(client_, engines::unique_name("segments"), [this](const Consumption& one) { note(one); }) {
    create_table(table_, [](Millis) {});
  }
  ~TestTable() {
    engines::dynamodb().as_new();
    table_.call("DeleteTable", R"({"TableName":")" + table_.name() + R"("})", Repeat::safe);
  }
  TestTable(const TestTable&) = delete;
  TestTable& operator=(const TestTable&) = delete;

  Table& table() { return table_; }
  aws::Client& client() { return client_; }
  const std::string& name() const { return table_.name(); }

  // What was consumed by all calls since this was asked last, by operation: of the table alone.
  std::map<std::string, double> take_consumed() {
    std::lock_guard lock(mutex_);
    return std::exchange(consumed_, {});
  }

 private:
  static aws::CredentialContext context() {
    const auto& engine = engines::dynamodb();
    aws::CredentialContext context;
    context.environment = [&engine](std::string_view name) -> std::optional<std::string> {
      if (name == "AWS_ACCESS_KEY_ID") return engine.access_key;
      if (name == "AWS_SECRET_ACCESS_KEY") return engine.secret_key;
      return std::nullopt;
    };
    return context;
  }
  static aws::Client::Options options(aws::RetryPolicy retry) {
    const auto& engine = engines::dynamodb();
    return {.service = "dynamodb",
            .region = engine.region,
            .origin = aws::parse_origin(engine.endpoint, "DynamoDB", "endpoint"),
            .retry = retry};
  }
  void note(const Consumption& one) {
    std::lock_guard lock(mutex_);
    consumed_[std::string(one.operation)] += one.table;
  }

  std::mutex mutex_;
  std::map<std::string, double> consumed_;
  aws::CredentialProvider credentials_{context()};
  aws::Client client_;
  Table table_;
};

}  // namespace segments::dynamodb
