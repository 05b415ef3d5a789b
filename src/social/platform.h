// One social platform as the program asks it. Calls block; any thread may call.
#pragma once

#include <map>
#include <memory>
#include <optional>
#include <string>
#include <string_view>

#include "base/error.h"
#include "model/social_media.h"

namespace segments {

struct PostReference {
  std::string post_id;
  std::optional<std::string> post_url;
  std::optional<std::string> posted_at;
};

class Platform {
 public:
  virtual ~Platform() = default;
  virtual MetricsSource source() const = 0;
  // The post's counts now. Error{rate_limited} with retry_after_s, {unavailable} for what passes, {not_found} for a
  // deleted post, {forbidden} where the account may not read it.
  virtual MetricsReading read_metrics(const PostReference&) = 0;
};

// The five platforms, by their enumerator.
using Platforms = std::map<SocialMediaPlatform, std::unique_ptr<Platform>>;

}  // namespace segments
