// Segments: the records, their lists, and the addresses under which their media are fetched.
#pragma once

#include <boost/describe.hpp>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "describe/rule.h"
#include "http/request.h"
#include "http/response.h"
#include "model/segment.h"
#include "model/segment_query.h"
#include "services/services.h"

namespace segments {

struct Api;

Response create_segment(const Request&, Services&);  // POST /api/segments
Response get_segment(const Request&, Services&);     // GET /api/segments/{segment_id}
Response list_segments(const Request&, Api&);        // GET /api/segments
bool scans_segments(const Request&);                 // whether that list may look at many rows: on the pool
Response list_video_segments(const Request&, Services&);  // GET /api/videos/{video_id}/segments
Response update_segment(const Request&, Services&);       // PUT and PATCH /api/segments/{segment_id}
Response remove_segment(const Request&, Services&);       // DELETE /api/segments/{segment_id}
Response download_segment(const Request&, Services&);     // GET and POST /api/segments/{segment_id}/download
Response play_segment(const Request&, Services&);         // GET /api/segments/{segment_id}/play

// Somebody else's segment is absent, so that ids cannot be probed.
VersionedSegment require_segment(const Request&, Services&);
// The JSON of a SegmentList that holds all there is.
std::string show_segments(const std::vector<Segment>&, const Request&, Services&);

struct VideoSegmentsQuery {
  std::optional<SegmentType> segment_type;
};
BOOST_DESCRIBE_STRUCT(VideoSegmentsQuery, (), (segment_type))

struct RemoveSegmentQuery {
  std::optional<bool> media;
};
BOOST_DESCRIBE_STRUCT(RemoveSegmentQuery, (), (media))
constexpr Rule rule_of(Describes<RemoveSegmentQuery>, std::string_view) {
  return {.about = "With true the segment's object and thumbnail are removed too"};
}

struct AddressQuery {
  std::optional<std::int64_t> expires_in;
};
BOOST_DESCRIBE_STRUCT(AddressQuery, (), (expires_in))
constexpr Rule rule_of(Describes<AddressQuery>, std::string_view) {
  return {.minimum = 60, .maximum = 604'800, .about = "Seconds that the address works for; default 3600"};
}

struct SegmentList {
  std::vector<Segment> segments;
  std::int64_t total_count = 0;  // all that match
  std::int64_t page = 1;
  std::int64_t page_size = 0;  // rows in this answer
  std::optional<std::string> next_cursor;
  bool has_more = false;
};
BOOST_DESCRIBE_STRUCT(SegmentList, (), (segments, total_count, page, page_size, next_cursor, has_more))

struct DownloadAddress {
  std::string segment_id;
  std::string download_url;
  std::int64_t download_count = 0;
  std::string expires_at;
};
BOOST_DESCRIBE_STRUCT(DownloadAddress, (), (segment_id, download_url, download_count, expires_at))

struct PlayAddress {
  std::string segment_id;
  std::string play_url;
  std::string expires_at;
};
BOOST_DESCRIBE_STRUCT(PlayAddress, (), (segment_id, play_url, expires_at))

struct Message {
  std::string message;
};
BOOST_DESCRIBE_STRUCT(Message, (), (message))

}  // namespace segments
