// Requests that came with a promise to be the same when they are repeated (IdempotencyKey), and what they
// made. An item each, kept for 24 hours.
#pragma once

#include <string>

#include "dynamodb/table.h"
#include "store/segment_store.h"

namespace segments::dynamodb {

constexpr Millis request_kept_ms = 24 * 3'600'000;

// What stands under a key. Not done: the segment is about to be made, by whoever finds it; its own writer may
// have been killed.
struct KeptRequest {
  std::string id;  // of this request alone
  std::string fingerprint;
  Segment segment;
  bool is_done = false;
  bool is_ours = false;  // begun just now, by this call
};

// The item of a request, and what it tells.
Key key_of_request(const IdempotencyKey&);
std::optional<IdempotencyKey> parse_request_key(std::string_view partition);  // without fingerprint
Item make_request_item(const IdempotencyKey&, const KeptRequest&, bool is_done, std::int64_t expires_at_s);
KeptRequest read_request(const Item&);

// Begins the request unless one stands under the key.
KeptRequest begin_request(Table&, const IdempotencyKey&, const Segment&, Millis now);
void finish_request(Table&, const IdempotencyKey&, const KeptRequest&, Millis now);
// Of a request that made nothing.
void forget_request(Table&, const IdempotencyKey&, const KeptRequest&);

}  // namespace segments::dynamodb
