#include "dynamodb/table.h"

#include <algorithm>
#include <boost/json/monotonic_resource.hpp>
#include <boost/json/parse.hpp>
#include <boost/json/serialize.hpp>
#include <chrono>
#include <random>
#include <thread>

#include "base/error.h"
#include "describe/encode.h"
#include "dynamodb/item_parser.h"

namespace segments::dynamodb {

namespace {

constexpr std::size_t most_gets = 100, most_writes = 25;  // in a batch
constexpr int most_idle_batches = 8;                      // one after the other of which nothing is done

void add(std::string& request, std::string_view name, std::string_view text) {
  if (text.empty()) return;
  request += ",\"" + std::string(name) + "\":";
  encode_string(request, text);
}
void add_flag(std::string& request, std::string_view name, bool value) {
  if (value) request += ",\"" + std::string(name) + "\":true";
}
void add_number(std::string& request, std::string_view name, int value) {
  if (value > 0) request += ",\"" + std::string(name) + "\":" + std::to_string(value);
}
void add_item(std::string& request, std::string_view name, const Item& item) {
  if (item.empty()) return;
  request += ",\"" + std::string(name) + "\":";
  encode_item(request, item);
}

double number_in(const boost::json::object& from, std::string_view name) {
  const auto* value = from.if_contains(name);
  if (!value || !value->is_number()) return 0;
  return value->to_number<double>();
}

Consumption consumption_in(const boost::json::object& capacity) {
  Consumption out;
  const auto* table = capacity.if_contains("Table");
  const double whole = number_in(capacity, "CapacityUnits");
  out.table = table && table->is_object() ? number_in(table->get_object(), "CapacityUnits") : whole;
  out.indexes = std::max(0.0, whole - out.table);
  return out;
}

Item item_in(const boost::json::object& from, std::string_view name) {
  const auto* item = from.if_contains(name);
  return item ? decode_item(*item) : Item{};
}

std::optional<Item> present(Item&& item) {
  return item.empty() ? std::nullopt : std::optional(std::move(item));
}

ItemPage page_in(const boost::json::object& body) {
  ItemPage page;
  if (const auto* items = body.if_contains("Items"); items && items->is_array())
    for (const auto& item : items->get_array()) page.items.push_back(decode_item(item));
  page.count = static_cast<std::int64_t>(number_in(body, "Count"));
  page.scanned = static_cast<std::int64_t>(number_in(body, "ScannedCount"));
  page.last = item_in(body, "LastEvaluatedKey");
  return page;
}

// Its values lie side by side, and go at once with the last of them.
boost::json::object parse_answer(const std::string& text) {
  boost::json::error_code fault;
  boost::json::parse_options options;
  options.max_depth = 256;  // an item may be 32 levels deep, each of which takes two of JSON
  auto memory = boost::json::make_shared_resource<boost::json::monotonic_resource>(text.size() * 4);
  auto json = boost::json::parse(text, fault, std::move(memory), options);
  if (fault || !json.is_object())
    throw Error(ErrorKind::unavailable, "DynamoDB sent an answer that could not be read.", {}, 1);
  return std::move(json.get_object());
}

aws::Call make_call(std::string_view operation, std::string request, Repeat repeat) {
  return {.operation = std::string(operation),
          .headers = {{"content-type", "application/x-amz-json-1.0"},
                      {"x-amz-target", "DynamoDB_20120810." + std::string(operation)}},
          .body = aws::memory_body(std::move(request)),
          .is_idempotent = repeat == Repeat::safe};
}

// Full jitter, as after a throttled call.
void wait_before_batch(int idle) {
  thread_local std::minstd_rand engine(std::random_device{}());
  std::uniform_int_distribution<int> some(0, 50 << std::min(idle, 4));
  std::this_thread::sleep_for(std::chrono::milliseconds(some(engine)));
}

// A placeholder's JSON object, "{"#0":…}".
void add_placeholders(std::string& request, std::string_view member, char sign, std::size_t count,
                      const auto& encode_one) {
  if (count == 0) return;
  request += ",\"" + std::string(member) + "\":{";
  for (std::size_t i = 0; i < count; ++i) {
    if (i > 0) request += ',';
    request += std::string("\"") + sign + std::to_string(i) + "\":";
    encode_one(i);
  }
  request += '}';
}

}  // namespace

Key key_of(const Item& item) {
  return {text_of(item, "video_id"), text_of(item, "segment_id")};
}

Item item_of(const Key& key) {
  return {{"video_id", text(key.video_id)}, {"segment_id", text(key.segment_id)}};
}

std::string Terms::name(std::string_view attribute) {
  auto at = std::ranges::find(names_, attribute);
  if (at == names_.end()) at = names_.emplace(names_.end(), attribute);
  return "#" + std::to_string(at - names_.begin());
}

std::string Terms::value(Attribute value) {
  values_.push_back(std::move(value));
  return ":" + std::to_string(values_.size() - 1);
}

void Changes::set(std::string_view path, std::string_view operand) {
  set_.append(set_.empty() ? "SET " : ", ").append(path).append(" = ").append(operand);
}

void Changes::add(std::string_view path, std::string_view operand) {
  add_.append(add_.empty() ? "ADD " : ", ").append(path).append(" ").append(operand);
}

void Changes::remove(std::string_view path) {
  remove_.append(remove_.empty() ? "REMOVE " : ", ").append(path);
}

void Changes::put(Terms& terms, std::string_view path, std::optional<Attribute> value) {
  value ? set(path, terms.value(std::move(*value))) : remove(path);
}

std::string Changes::text() const {
  std::string text;
  for (const auto* part : {&set_, &add_, &remove_})
    if (!part->empty()) text.append(text.empty() ? "" : " ").append(*part);
  return text;
}

void Terms::encode_into(std::string& request) const {
  add_placeholders(request, "ExpressionAttributeNames", '#', names_.size(),
                   [&](std::size_t i) { encode_string(request, names_[i]); });
  add_placeholders(request, "ExpressionAttributeValues", ':', values_.size(),
                   [&](std::size_t i) { encode_attribute(request, values_[i]); });
}

Table::Table(aws::Client& client, std::string name, std::function<void(const Consumption&)> meter)
    : client_(client), name_(std::move(name)), meter_(std::move(meter)) {}

std::string Table::begin() const {
  std::string request = "{\"TableName\":";
  encode_string(request, name_);
  if (meter_) request += ",\"ReturnConsumedCapacity\":\"INDEXES\"";
  return request;
}

void Table::note(std::string_view operation, const boost::json::object& body) const {
  const auto* capacity = meter_ ? body.if_contains("ConsumedCapacity") : nullptr;
  if (!capacity) return;
  auto tell = [&](const boost::json::value& one) {
    if (!one.is_object()) return;
    auto consumed = consumption_in(one.get_object());
    consumed.operation = operation;
    meter_(consumed);
  };
  if (capacity->is_array())
    std::ranges::for_each(capacity->get_array(), tell);  // batches say it by table
  else
    tell(*capacity);
}

Table::Answer Table::call(std::string_view operation, std::string request, Repeat repeat) {
  auto reply = client_.call(make_call(operation, std::move(request), repeat));
  const bool is_done = reply.is_done();
  Answer answer{.body = is_done ? parse_answer(reply.body) : boost::json::object(),
                .error_code = std::move(reply.error_code),
                .error_message = std::move(reply.error_message),
                .may_have_run_before = reply.may_have_run_before};
  if (is_done) note(operation, answer.body);
  return answer;
}

// Of an answer of which nothing else is read.
Item Table::item_of_reply(std::string_view operation, const aws::Reply& reply,
                          std::string_view member) const {
  if (!reply.is_done())
    throw unexpected(operation,
                     {.body = {}, .error_code = reply.error_code, .error_message = reply.error_message});
  if (meter_) note(operation, parse_answer(reply.body));
  return parse_item_in(reply.body, member);
}

boost::json::object Table::ask(std::string_view operation, std::string request, Repeat repeat) {
  auto answer = call(operation, std::move(request), repeat);
  if (!answer.is_done()) throw unexpected(operation, answer);
  return std::move(answer.body);
}

Error Table::unexpected(std::string_view operation, const Answer& answer) const {
  if (answer.error_code == "ValidationException" &&
      answer.error_message.find("maximum allowed size") != std::string::npos)
    return Error(ErrorKind::too_large, "The record is too large: DynamoDB keeps 400 KB of one at most.");
  aws::Reply reply;
  reply.error_code = answer.error_code;
  reply.error_message = answer.error_message;
  return client_.unexpected({.operation = std::string(operation)}, reply);
}

std::string Table::get_request(const Key& key, bool is_strong) const {
  auto request = begin();
  add_item(request, "Key", item_of(key));
  add_flag(request, "ConsistentRead", is_strong);
  return request + '}';
}

std::optional<Item> Table::get(const Key& key, bool is_strong) {
  auto reply = client_.call(make_call("GetItem", get_request(key, is_strong), Repeat::safe));
  return present(item_of_reply("GetItem", reply, "Item"));
}

Later<std::optional<Item>> Table::get_later(const Key& key) {
  Later<aws::Reply> reply(client_.call_later(make_call("GetItem", get_request(key, false), Repeat::safe)));
  return std::move(reply).then(
      [this](const aws::Reply& reply) { return present(item_of_reply("GetItem", reply, "Item")); });
}

Written Table::write(std::string_view operation, std::string request, Repeat repeat) {
  auto reply = client_.call(make_call(operation, request + '}', repeat));
  if (reply.error_code == "ConditionalCheckFailedException")
    return {.is_done = false, .may_be_ours = reply.may_have_run_before};
  return {.is_done = true, .may_be_ours = false, .item = item_of_reply(operation, reply, "Attributes")};
}

Written Table::put(const Put& put) {
  auto request = begin();
  add_item(request, "Item", put.item);
  add(request, "ConditionExpression", put.condition);
  put.terms.encode_into(request);
  if (put.wants_item) add(request, "ReturnValues", "ALL_OLD");
  return write("PutItem", std::move(request), put.repeat);
}

Written Table::update(const Update& update) {
  auto request = begin();
  add_item(request, "Key", item_of(update.key));
  add(request, "UpdateExpression", update.update);
  add(request, "ConditionExpression", update.condition);
  update.terms.encode_into(request);
  if (update.wants_item) add(request, "ReturnValues", "ALL_NEW");
  if (update.wants_changed) add(request, "ReturnValues", "UPDATED_NEW");
  return write("UpdateItem", std::move(request), update.repeat);
}

Written Table::remove(const Remove& remove) {
  auto request = begin();
  add_item(request, "Key", item_of(remove.key));
  add(request, "ConditionExpression", remove.condition);
  remove.terms.encode_into(request);
  if (remove.wants_item) add(request, "ReturnValues", "ALL_OLD");
  return write("DeleteItem", std::move(request), Repeat::safe);
}

ItemPage Table::query(const Query& query) {
  auto request = begin();
  add(request, "IndexName", query.index);
  add(request, "KeyConditionExpression", query.condition);
  add(request, "FilterExpression", query.filter);
  add(request, "ProjectionExpression", query.projection);
  query.terms.encode_into(request);
  if (!query.is_forward) request += ",\"ScanIndexForward\":false";
  add_flag(request, "ConsistentRead", query.is_strong);
  add_number(request, "Limit", query.limit);
  if (query.is_count) add(request, "Select", "COUNT");
  add_item(request, "ExclusiveStartKey", query.from);
  return page_in(ask("Query", request + '}'));
}

void Table::query_all(Query query, const std::function<bool(Item&&)>& take) {
  do {
    auto page = this->query(query);
    for (auto& item : page.items)
      if (!take(std::move(item))) return;
    query.from = std::move(page.last);
  } while (!query.from.empty());
}

ItemPage Table::scan(const Scan& scan) {
  auto request = begin();
  add(request, "IndexName", scan.index);
  add(request, "FilterExpression", scan.filter);
  add(request, "ProjectionExpression", scan.projection);
  scan.terms.encode_into(request);
  add_flag(request, "ConsistentRead", scan.is_strong);
  add_number(request, "Limit", scan.limit);
  if (scan.parts > 1)
    request +=
        ",\"Segment\":" + std::to_string(scan.part) + ",\"TotalSegments\":" + std::to_string(scan.parts);
  add_item(request, "ExclusiveStartKey", scan.from);
  return page_in(ask("Scan", request + '}'));
}

void Table::batch(std::string_view operation, std::string items,
                  const std::function<void(boost::json::object&)>& take) {
  const auto* left_member = operation == "BatchGetItem" ? "UnprocessedKeys" : "UnprocessedItems";
  for (int idle = 0; !items.empty();) {
    std::string request = "{\"RequestItems\":" + items;
    if (meter_) add(request, "ReturnConsumedCapacity", "INDEXES");
    auto body = ask(operation, request + '}');
    take(body);
    const auto* left = body.if_contains(left_member);
    if (!left || !left->is_object() || left->get_object().empty()) return;
    auto unprocessed = boost::json::serialize(*left);
    idle = unprocessed.size() < items.size() ? 0 : idle + 1;
    if (idle > most_idle_batches)
      throw Error(ErrorKind::unavailable, "DynamoDB left a part of the batch undone, again and again.", {},
                  1);
    wait_before_batch(idle);
    items = std::move(unprocessed);
  }
}

std::vector<Item> Table::batch_get(std::span<const Key> keys, bool is_strong) {
  std::vector<Item> found;
  std::string name;
  encode_string(name, name_);
  while (!keys.empty()) {
    const auto some = keys.first(std::min(most_gets, keys.size()));
    keys = keys.subspan(some.size());
    std::string items = "{" + name + ":{\"Keys\":[";
    for (const auto& key : some) {
      if (&key != some.data()) items += ',';
      encode_item(items, item_of(key));
    }
    items += is_strong ? "],\"ConsistentRead\":true}}" : "]}}";
    batch("BatchGetItem", std::move(items), [&](boost::json::object& body) {
      auto* tables = body.if_contains("Responses");
      auto* rows = tables && tables->is_object() ? tables->get_object().if_contains(name_) : nullptr;
      if (!rows || !rows->is_array()) return;
      for (const auto& item : rows->get_array()) found.push_back(decode_item(item));
    });
  }
  return found;
}

void Table::batch_write(const std::vector<Item>& puts, const std::vector<Key>& removals) {
  std::string name, items;
  encode_string(name, name_);
  std::size_t count = 0;
  auto flush = [&] {
    if (count == 0) return;
    batch("BatchWriteItem", "{" + name + ":[" + items + "]}", [](boost::json::object&) {});
    items.clear();
    count = 0;
  };
  auto add_one = [&](std::string_view kind, const Item& item) {
    if (count > 0) items += ',';
    items += "{\"" + std::string(kind) + ':';
    encode_item(items, item);
    items += "}}";
    if (++count == most_writes) flush();
  };
  for (const auto& item : puts) add_one("PutRequest\":{\"Item\"", item);
  for (const auto& key : removals) add_one("DeleteRequest\":{\"Key\"", item_of(key));
  flush();
}

std::map<Key, Item> find_items(Table& table, std::vector<Key> keys) {
  std::ranges::sort(keys);
  keys.erase(std::unique(keys.begin(), keys.end()), keys.end());
  std::map<Key, Item> found;
  for (auto& item : table.batch_get(keys, true)) {
    auto key = key_of(item);
    found.emplace(std::move(key), std::move(item));
  }
  return found;
}

}  // namespace segments::dynamodb
