// Requests that were answered within the last 24 hours, by the key their callers gave them. The functions run
// inside the caller's transaction.
#pragma once

#include <optional>
#include <string>

#include "base/time.h"
#include "sqlite/connection.h"
#include "store/segment_store.h"

namespace segments::sqlite {

struct KeptRequest {
  std::string fingerprint;
  Segment segment;  // as it was made then
};

std::optional<KeptRequest> find_kept_request(Connection&, const IdempotencyKey&, Millis now);
// Forgets some of those that have expired, so that they do not gather.
void keep_request(Connection&, const IdempotencyKey&, const Segment&, Millis now);

}  // namespace segments::sqlite
