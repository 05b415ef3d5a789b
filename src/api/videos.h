// Videos: the user's list, one of them, and their removal with all that was made of them.
#pragma once

#include <boost/describe.hpp>
#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "api/handlers.h"
#include "http/request.h"
#include "http/response.h"
#include "model/video.h"
#include "services/services.h"

namespace segments {

struct VideoListQuery {
  std::optional<std::string> user_id;
  std::optional<std::int64_t> limit, offset;
};
BOOST_DESCRIBE_STRUCT(VideoListQuery, (), (user_id, limit, offset))
constexpr Rule rule_of(Describes<VideoListQuery>, std::string_view member) {
  if (member == "limit") return {.minimum = 1, .maximum = 1'000, .about = "1 to 1000, default 1000"};
  if (member == "offset") return {.minimum = 0, .maximum = 1'000'000'000};
  return {.max_length = 200};
}

struct VideoList {
  std::vector<Video> videos;
  std::int64_t total_count = 0;
};
BOOST_DESCRIBE_STRUCT(VideoList, (), (videos, total_count))

struct RemovedVideo {
  std::string message;
  std::string video_id;
  std::int64_t segments_removed = 0;
  std::int64_t objects_removed = 0;
};
BOOST_DESCRIBE_STRUCT(RemovedVideo, (), (message, video_id, segments_removed, objects_removed))

struct PresignVideo {
  std::string bucket_location;  // an object key, or an address that ends with one
  std::optional<std::string> user_id;
};
BOOST_DESCRIBE_STRUCT(PresignVideo, (), (bucket_location, user_id))
constexpr Rule rule_of(Describes<PresignVideo>, std::string_view member) {
  if (member == "bucket_location") return {.min_length = 1, .max_length = 4'000};
  return {.max_length = 200};
}

struct VideoUrl {
  std::string url;
  std::string signedUrl;  // the same, under the name that older pages read
  std::string expires_at;
};
BOOST_DESCRIBE_STRUCT(VideoUrl, (), (url, signedUrl, expires_at))

Response list_videos(const Request&, Services&);        // GET /api/videos
Response get_video(const Request&, Services&);          // GET /api/videos/{video_id}
Response remove_video(const Request&, Services&);       // DELETE /api/videos/{video_id}
Response presign_video_url(const Request&, Services&);  // POST /api/videos/url

}  // namespace segments
