#include "dynamodb/kept_requests.h"

#include "base/ids.h"
#include "base/text.h"

namespace segments::dynamodb {

namespace {

constexpr std::string_view partition_prefix = "#key#";

std::int64_t expiry_of(Millis now) {
  return (now + request_kept_ms) / 1'000;
}

}  // namespace

// The user's length stands before it, so that no two pairs of user and key are the same text.
Key key_of_request(const IdempotencyKey& key) {
  return {
      std::string(partition_prefix) + std::to_string(key.user_id.size()) + "#" + key.user_id + "#" + key.key,
      "#KEY"};
}

std::optional<IdempotencyKey> parse_request_key(std::string_view partition) {
  if (!partition.starts_with(partition_prefix)) return std::nullopt;
  partition.remove_prefix(partition_prefix.size());
  const auto separator = partition.find('#');
  const auto size = parse_integer(partition.substr(0, separator));
  if (separator == std::string_view::npos || !size || *size < 0) return std::nullopt;
  partition.remove_prefix(separator + 1);
  const auto length = static_cast<std::size_t>(*size);
  if (partition.size() <= length || partition[length] != '#') return std::nullopt;
  return IdempotencyKey{std::string(partition.substr(0, length)), std::string(partition.substr(length + 1)),
                        ""};
}

Item make_request_item(const IdempotencyKey& by, const KeptRequest& request, bool is_done,
                       std::int64_t expires_at_s) {
  Item item = item_of(key_of_request(by));
  item["id"] = text(request.id);
  item["fingerprint"] = text(request.fingerprint);
  item["segment"] = *attribute_of(request.segment);
  item["state"] = text(is_done ? "done" : "pending");
  item["expires_at"] = number(expires_at_s);
  return item;
}

KeptRequest read_request(const Item& item) {
  KeptRequest request;
  request.id = text_of(item, "id");
  request.fingerprint = text_of(item, "fingerprint");
  request.is_done = text_of(item, "state") == "done";
  if (const auto* segment = find(item, "segment")) read_attribute(request.segment, *segment);
  return request;
}

KeptRequest begin_request(Table& table, const IdempotencyKey& by, const Segment& segment, Millis now) {
  const Key key = key_of_request(by);
  KeptRequest ours{.id = make_id(), .fingerprint = by.fingerprint, .segment = segment, .is_ours = true};
  for (;;) {
    // DynamoDB removes what has expired when it finds the time, which can take days.
    Terms terms;
    auto free = "attribute_not_exists(" + terms.name("id") + ") OR " + terms.name("expires_at") +
                " <= " + terms.value(now / 1'000);
    auto written = table.put(
        {.item = make_request_item(by, ours, false, expiry_of(now)), .condition = free, .terms = terms});
    if (written.is_done) return ours;
    auto item = table.get(key, true);
    if (!item) continue;  // it was forgotten since
    auto found = read_request(*item);
    if (found.id == ours.id) ours.is_done = found.is_done;
    return found.id == ours.id ? ours : found;
  }
}

void finish_request(Table& table, const IdempotencyKey& by, const KeptRequest& request, Millis now) {
  Terms terms;
  const auto id = terms.name("id");
  auto is_the_same = "attribute_not_exists(" + id + ") OR " + id + " = " + terms.value(request.id);
  table.put({.item = make_request_item(by, request, true, expiry_of(now)),
             .condition = is_the_same,
             .terms = terms});
}

void forget_request(Table& table, const IdempotencyKey& by, const KeptRequest& request) {
  Terms terms;
  auto is_the_same = terms.name("id") + " = " + terms.value(request.id) + " AND " + terms.name("state") +
                     " = " + terms.value("pending");
  table.remove({.key = key_of_request(by), .condition = is_the_same, .terms = terms});
}

}  // namespace segments::dynamodb
