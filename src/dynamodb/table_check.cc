#include "dynamodb/table_check.h"

#include <algorithm>
#include <map>
#include <set>

#include "describe/decode.h"
#include "dynamodb/table_definition.h"

namespace segments::dynamodb {
namespace {

namespace json = boost::json;

// What stands at the end of a path of members; nullptr where any of them is missing.
const json::value* find(const json::value* from, std::initializer_list<std::string_view> path) {
  for (auto name : path) {
    const auto* object = from ? from->if_object() : nullptr;
    from = object ? object->if_contains(name) : nullptr;
  }
  return from;
}

std::string text(const json::value* from, std::initializer_list<std::string_view> path) {
  const auto* found = find(from, path);
  return found && found->is_string() ? std::string(found->get_string()) : std::string();
}

const json::array& items(const json::value* from, std::initializer_list<std::string_view> path) {
  static const json::array none;
  const auto* found = find(from, path);
  return found && found->is_array() ? found->get_array() : none;
}

std::string joined(const std::vector<std::string>& names) {
  std::string out;
  for (const auto& name : names) out += (out.empty() ? "" : ", ") + name;
  return out;
}

struct Keys {
  std::string hash, range;
  bool operator==(const Keys&) const = default;
  std::string shown() const {
    return hash + " (hash)" + (range.empty() ? ", with no range key" : " and " + range + " (range)");
  }
};

Keys keys_of(const json::value* described) {
  Keys keys;
  for (const auto& part : items(described, {"KeySchema"})) {
    auto name = text(&part, {"AttributeName"});
    (text(&part, {"KeyType"}) == "HASH" ? keys.hash : keys.range) = name;
  }
  return keys;
}

class Check {
 public:
  explicit Check(const TableAnswers& answers) {
    const auto answer = parse_json(answers.table);
    table_ = find(&answer, {"Table"});
    check_keys();
    check_indexes();
    check_settings();
    check_expiry(answers.expiry);
    check_backups(answers.backups);
    // Not the one of ranges, whose answer clang 14 cannot compile.
    std::stable_partition(found_.begin(), found_.end(), [](const auto& one) { return one.is_needed; });
  }
  std::vector<Difference> take() { return std::move(found_); }

 private:
  void needed(std::string sentence) { found_.push_back({std::move(sentence), true, false}); }
  void advised(std::string sentence) { found_.push_back({std::move(sentence), false, false}); }
  void not_ready(std::string sentence, bool is_passing) {
    found_.push_back({std::move(sentence), true, is_passing});
  }

  void check_keys() {
    if (auto status = text(table_, {"TableStatus"}); status != "ACTIVE" && status != "UPDATING")
      not_ready("The table is not ready: its status is " + (status.empty() ? "unknown" : status) + ".",
                status == "CREATING");
    const Keys keys = keys_of(table_), wanted{wanted_.hash_key, wanted_.range_key};
    if (keys != wanted)
      needed("The table's key is " + keys.shown() + "; it must be " + wanted.shown() +
             ". A key cannot be changed: make a new table and copy this one into it "
             "(segments admin table create, segments admin table migrate-from).");
    std::map<std::string, std::string> types;
    for (const auto& one : items(table_, {"AttributeDefinitions"}))
      types[text(&one, {"AttributeName"})] = text(&one, {"AttributeType"});
    for (const auto& [name, type] : wanted_.attributes) {
      // A key that is missing altogether is told with its table or index.
      if (auto at = types.find(name); at != types.end() && at->second != type)
        needed("The key attribute " + name + " is of the type " + at->second + "; it must be " + type + ".");
    }
  }

  void check_indexes() {
    std::map<std::string, const json::value*> there;
    for (const auto& index : items(table_, {"GlobalSecondaryIndexes"}))
      there[text(&index, {"IndexName"})] = &index;
    for (const auto& wanted : wanted_.indexes) {
      auto at = there.find(wanted.name);
      if (at == there.end()) {
        needed("The index " + wanted.name + " on " + Keys{wanted.hash_key, wanted.range_key}.shown() +
               " is missing.");
        continue;
      }
      check_index(wanted, at->second);
      there.erase(at);
    }
    for (const auto& [name, index] : there)
      advised("The index " + name + " is none of ours; writes of what it holds are paid for there, too.");
    for (const auto& index : items(table_, {"LocalSecondaryIndexes"}))
      advised("The local index " + text(&index, {"IndexName"}) +
              " is none of ours; it bounds what is kept of one video at 10 GB, and its writes are paid for.");
  }

  void check_index(const IndexDefinition& wanted, const json::value* index) {
    const Keys keys = keys_of(index), wanted_keys{wanted.hash_key, wanted.range_key};
    if (keys != wanted_keys)
      needed("The key of the index " + wanted.name + " is " + keys.shown() + "; it must be " +
             wanted_keys.shown() + ".");
    const auto* filling = find(index, {"Backfilling"});
    const bool is_filling = filling && filling->is_bool() && filling->get_bool();
    if (auto status = text(index, {"IndexStatus"});
        is_filling || (status != "ACTIVE" && status != "UPDATING"))
      not_ready("The index " + wanted.name +
                    " is not ready: " + (is_filling ? "it is being filled" : "its status is " + status) + ".",
                is_filling || status == "CREATING");
    check_projection(wanted, index);
  }

  void check_projection(const IndexDefinition& wanted, const json::value* index) {
    const auto type = text(index, {"Projection", "ProjectionType"});
    if (type == "ALL") {
      advised("The index " + wanted.name +
              " holds all attributes, so each download, each reading of a post and each step of a job is "
              "written and paid for there, too; " +
              (wanted.non_key_attributes.empty() ? "its keys alone" : joined(wanted.non_key_attributes)) +
              " would do.");
      return;
    }
    std::set<std::string> held;
    for (const auto& name : items(index, {"Projection", "NonKeyAttributes"}))
      if (name.is_string()) held.insert(std::string(name.get_string()));
    std::vector<std::string> missing;
    for (const auto& name : wanted.non_key_attributes)
      if (held.erase(name) == 0) missing.push_back(name);
    if (!missing.empty())
      needed("The index " + wanted.name + " does not hold " + joined(missing) +
             ". A projection cannot be changed: delete the index and let Terraform or `segments admin table "
             "create` on a new table make it again.");
    if (!held.empty())
      advised("The index " + wanted.name + " also holds " + joined({held.begin(), held.end()}) +
              ", whose changes are paid for there, too.");
  }

  void check_settings() {
    // A table that was always on demand has no summary of its billing in some regions' answers: its
    // throughput then stands at 0.
    auto mode = text(table_, {"BillingModeSummary", "BillingMode"});
    const auto* units = find(table_, {"ProvisionedThroughput", "WriteCapacityUnits"});
    if (mode.empty() && units && units->is_int64() && units->get_int64() > 0) mode = "PROVISIONED";
    if (mode == "PROVISIONED")
      advised("The table is billed by provisioned capacity; ours is on demand (" + wanted_.billing_mode +
              "), so that a burst is not throttled.");
    if (auto status = text(table_, {"SSEDescription", "Status"}); status != "ENABLED" && status != "UPDATING")
      advised(
          "The table is not encrypted with a key of this account (server-side encryption by AWS KMS is "
          "off).");
    const auto* is_protected = find(table_, {"DeletionProtectionEnabled"});
    if (!is_protected || !is_protected->is_bool() || !is_protected->get_bool())
      advised("The table is not protected against deletion.");
  }

  void check_expiry(const std::optional<std::string>& body) {
    if (!body) return advised("The server does not say whether items expire: it does not know that call.");
    const auto answer = parse_json(*body);
    const auto name = text(&answer, {"TimeToLiveDescription", "AttributeName"});
    if (!is_expiry_on(*body))
      advised("Items do not expire: requests' idempotency keys stay for good (time to live on " +
              wanted_.ttl_attribute + " is off).");
    else if (name != wanted_.ttl_attribute)
      needed("Items expire by the attribute " + name + "; it must be " + wanted_.ttl_attribute + ".");
  }

  void check_backups(const std::optional<std::string>& body) {
    if (!body)
      return advised(
          "The server does not say whether there is point-in-time recovery: it does not know that call.");
    if (!are_backups_on(*body))
      advised("Point-in-time recovery is off: what is deleted or overwritten by mistake is gone.");
  }

  const TableDefinition& wanted_ = table_definition();
  const json::value* table_ = nullptr;
  std::vector<Difference> found_;
};

}  // namespace

bool is_expiry_on(std::string_view body) {
  const auto answer = parse_json(body);
  const auto status = text(&answer, {"TimeToLiveDescription", "TimeToLiveStatus"});
  return status == "ENABLED" || status == "ENABLING";
}

bool are_backups_on(std::string_view body) {
  const auto answer = parse_json(body);
  return text(&answer, {"ContinuousBackupsDescription", "PointInTimeRecoveryDescription",
                        "PointInTimeRecoveryStatus"}) == "ENABLED";
}

std::vector<Difference> differences(const TableAnswers& answers) {
  return Check(answers).take();
}

}  // namespace segments::dynamodb
