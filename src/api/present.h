// How things are shown: keys become addresses that work, and answers get their ETag.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>

#include "describe/text_sink.h"
#include "http/request.h"
#include "http/response.h"
#include "model/segment.h"
#include "services/services.h"

namespace segments {

// "https://host:port" of the caller's view: settings.public_url, else the Host the request came to.
std::string origin_of(const Request&, const ServiceSettings&);
// An address that begins with "/" gets the origin before it; others stay.
std::string absolute_url(const Request&, const Services&, std::string url);

// A presigned absolute address for reading that stays the same, byte by byte, for the rest of the UTC day and
// works to the end of the next one.
std::string steady_url(const Request&, Services&, std::string_view key);

// Prints such addresses of the thumbnails of one answer.
class ThumbnailPrinter {
 public:
  ThumbnailPrinter(const Request&, Services&);
  // `kept`: a key, or the address of something that lies elsewhere.
  void operator()(TextSink& out, std::string_view kept);
  // Until when all that was printed stays as it would be printed anew.
  Millis steady_until() const { return steady_until_; }

 private:
  Services& services_;
  std::string origin_;
  PresignRequest presign_;
  Millis steady_until_;
};

struct ReadableUrl {
  std::string url;  // absolute, presigned
  Millis expires = 0;
};
ReadableUrl readable_url(const Request&, Services&, std::string_view key, int expires_in_s,
                         std::string disposition, std::optional<std::string> content_type = std::nullopt);

// The same for players, which ask with HEAD before: where the store's addresses answer GET alone it is one of
// this program, which redirects either (send_media).
ReadableUrl playable_url(const Request&, Services&, std::string_view key, int expires_in_s,
                         std::string disposition, std::optional<std::string> content_type = std::nullopt);

// RFC 6266: `attachment; filename="plain.mp4"; filename*=UTF-8''…`. What no file name may hold is replaced.
std::string attachment(std::string_view filename);
std::string inline_disposition(std::string_view filename);
// The segment's filename, else the last part of its key.
std::string filename_of(const Segment&);

// Appends the record as answers show it: thumbnail_url is an address.
void show_segment(TextSink& out, const Segment&, const Request&, Services&);
// 200 or `status` with the record and its ETag.
Response segment_response(const VersionedSegment&, const Request&, Services&, int status = 200);

// "{version}-{hash of the shown bytes}", quoted; of what has no version, the hash alone.
std::string etag_of(std::int64_t version, std::string_view bytes);
std::string etag_of(std::string_view bytes);
// If-None-Match names this ETag (weak comparison), or is "*".
bool none_match_hits(std::string_view if_none_match, std::string_view etag);
// The versions that If-Match names; std::nullopt: "*", any. Tags that are none of ours name no version.
std::optional<std::vector<std::int64_t>> versions_in_if_match(std::string_view if_match);

}  // namespace segments
