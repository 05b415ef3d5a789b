// An empty table of a test's own, in the dynalite behind the gate (tests/engines).
#pragma once

#include <atomic>
#include <map>
#include <mutex>
#include <string>

#include "aws/client.h"
#include "describe/encode.h"
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

  // From now on: with a session token. What was fetched before is thrown away.
  void use_temporary_keys() {
    set_expiry("");
    is_temporary_ = true;
    credentials_.refuse(credentials_.get());
  }
  // DynamoDB refuses them from now on, and the environment has lasting ones.
  void expire_temporary_keys() {
    is_temporary_ = false;
    set_expiry(R"(,"expires":1)");
  }

  // What was consumed by all calls since this was asked last, by operation: of the table, and where it is
  // read that of an index.
  std::map<std::string, double> take_consumed() {
    std::lock_guard lock(mutex_);
    return std::exchange(consumed_, {});
  }

 private:
  aws::CredentialContext context() {
    const auto& engine = engines::dynamodb();
    aws::CredentialContext context;
    context.environment = [this, &engine](std::string_view name) -> std::optional<std::string> {
      const bool is_temporary = is_temporary_;
      if (name == "AWS_ACCESS_KEY_ID") return is_temporary ? engine.temporary.access_key : engine.access_key;
      if (name == "AWS_SECRET_ACCESS_KEY")
        return is_temporary ? engine.temporary.secret_key : engine.secret_key;
      if (name == "AWS_SESSION_TOKEN" && is_temporary) return engine.temporary.session_token;
      return std::nullopt;
    };
    return context;
  }
  static void set_expiry(const std::string& member) {
    const auto& keys = engines::dynamodb().temporary;
    engines::dynamodb().control("POST", "credentials",
                                R"({"access_key":)" + encode(keys.access_key) + R"(,"secret_key":)" +
                                    encode(keys.secret_key) + R"(,"session_token":)" +
                                    encode(keys.session_token) + member + "}");
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
    consumed_[std::string(one.operation)] += one.table + one.indexes;
  }

  std::atomic<bool> is_temporary_ = false;
  std::mutex mutex_;
  std::map<std::string, double> consumed_;
  aws::CredentialProvider credentials_{context()};
  aws::Client client_;
  Table table_;
};

}  // namespace segments::dynamodb
