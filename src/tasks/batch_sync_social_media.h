// tasks.batch_sync_social_media_task: queues one sync task for each of a user's segments and platforms.
#pragma once

#include <boost/describe.hpp>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "model/social_media.h"
#include "tasks/registry.h"

namespace segments {

struct BatchSync {
  std::string user_id;
  std::optional<std::vector<SocialMediaPlatform>> platforms;  // absent or empty: all five
};
BOOST_DESCRIBE_STRUCT(BatchSync, (), (user_id, platforms))
constexpr Rule rule_of(Describes<BatchSync>, std::string_view member) {
  if (member == "user_id") return {.min_length = 1, .max_length = 200};
  return {.max_items = 100};
}

struct BatchSyncResult {
  std::int64_t segments = 0;  // that have posts there
  std::int64_t tasks = 0;     // queued, one for each segment and platform
};
BOOST_DESCRIBE_STRUCT(BatchSyncResult, (), (segments, tasks))

std::string batch_sync_social_media(std::string_view arguments, Services&, const TaskContext&);

}  // namespace segments
