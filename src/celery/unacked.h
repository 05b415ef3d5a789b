// What `unacked` keeps of a delivery: [message, exchange, routing key].
#pragma once

#include <functional>
#include <optional>
#include <span>
#include <string>
#include <string_view>

#include "redis/client.h"

namespace segments::celery {

struct UnackedEntry {
  std::string raw, exchange, routing_key;
};
// The message is as it was written, and whether it can be read is not looked at. Empty for what is no such
// list, and for what is larger than a message may be.
std::optional<UnackedEntry> read_unacked(std::string_view value);

// What stands under each tag (nil: nothing), with the tag's place; a few at a time, so that large ones are
// not all in memory at once. It ends where `visit` says that it is enough: false.
void for_each_unacked(redis::Client&, std::span<const std::string> tags,
                      const std::function<bool(std::size_t, const redis::Reply&)>& visit);

}  // namespace segments::celery
