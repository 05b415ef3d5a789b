#include "api/segments.h"

#include <algorithm>

#include "api/handlers.h"
#include "api/present.h"
#include "api/upload_key.h"
#include "base/crypto.h"
#include "base/ids.h"
#include "base/log.h"
#include "base/text.h"

namespace segments {

namespace {

// Whose media lies under a key is told by the video id in it. An id without an owner is nobody's, so its
// media is not the caller's either: but for the id of the segment itself, which creating the segment makes
// the user's, or is refused.
bool is_foreign_key(std::string_view key, std::string_view video_id, std::string_view user,
                    Services& services) {
  auto video_in_key = video_id_in_key(key);
  if (!video_in_key) return false;
  auto owner = services.videos.find_owner(*video_in_key);
  return owner ? *owner != user : *video_in_key != video_id;
}

// Records may be older than the rule above, and a key's video may have found an owner since.
void check_may_read_media(const Request& request, const Segment& segment, Services& services) {
  auto video_in_key = video_id_in_key(segment.s3_key);
  if (request.trusted || video_in_key == segment.video_id)
    return;  // what is under its own video is its owner's
  if (is_foreign_key(segment.s3_key, segment.video_id, segment.user_id, services))
    throw not_found("object", segment.s3_key);
}

// The fingerprint is of what the body says: another order of its members is the same request.
std::optional<IdempotencyKey> idempotency_key_of(const Request& request, const std::string& user,
                                                 const CreateSegment& body) {
  std::string_view key = request.header("idempotency-key");
  bool is_there =
      std::ranges::any_of(request.headers, [](const auto& h) { return h.first == "idempotency-key"; });
  if (!is_there) return std::nullopt;
  bool is_printable = std::ranges::all_of(key, [](char c) { return c >= 0x20 && c < 0x7f; });
  if (key.empty() || key.size() > 255 || !is_printable)
    throw invalid_input(
        {{"Idempotency-Key", "format", "An Idempotency-Key has 1 to 255 printable ASCII characters."}});
  return IdempotencyKey{user, std::string(key), encode_hex(sha256(encode(body)))};
}

Segment make_segment(CreateSegment&& body, const std::string& user) {
  Segment segment;
  segment.segment_id = make_segment_id(body.video_id, make_id());
  segment.video_id = std::move(body.video_id);
  segment.user_id = user;
  segment.segment_type = body.segment_type;
  segment.segment_number = body.segment_number;
  segment.s3_key = std::move(body.s3_key);
  segment.duration = body.duration;
  segment.file_size = body.file_size;
  segment.content_type = std::move(body.content_type);
  segment.created_at = segment.updated_at = now_text();
  segment.title = std::move(body.title);
  segment.description = std::move(body.description);
  if (body.tags) segment.tags = std::move(*body.tags);
  segment.filename = segment.s3_key.substr(segment.s3_key.rfind('/') + 1);
  return segment;
}

// The version that a change is bound to; std::nullopt binds it to none.
std::optional<std::int64_t> wanted_version(const Request& request, Services& services) {
  std::string_view if_match = request.header("if-match");
  auto versions = if_match.empty() ? std::nullopt : versions_in_if_match(if_match);
  if (!versions) return std::nullopt;
  if (versions->size() == 1) return versions->front();
  // Several tags, or none of ours: the stored version must be among them.
  auto stored = require_segment(request, services);
  if (std::ranges::find(*versions, stored.version) == versions->end())
    throw Error(ErrorKind::precondition_failed, "The segment was changed meanwhile.");
  return stored.version;
}

// Whether another record of the video, or the video itself as its source, names the key.
bool is_named_elsewhere(const std::string& key, const std::string& video_id, Services& services) {
  auto video = services.videos.find_video(video_id);
  if (video && video->bucket_location == key) return true;
  return std::ranges::any_of(
      services.segments.list_video_segments(video_id, "", std::nullopt),
      [&](const Segment& other) { return other.s3_key == key || other.thumbnail_url == key; });
}

// Only media of the segment's own video that nothing else names, and only once the record is gone: a crash
// between leaves an object, never a record without one. The video no longer offers what is removed.
void remove_media(const Segment& segment, Services& services) {
  for (const auto& key : {segment.s3_key, segment.thumbnail_url.value_or("")}) {
    if (key.empty() || video_id_in_key(key) != segment.video_id) continue;
    if (is_named_elsewhere(key, segment.video_id, services)) continue;
    if (auto video = services.videos.find_video(segment.video_id);
        video && std::erase(video->output_s3_urls, key))
      services.videos.update_video(segment.video_id, std::nullopt, video->output_s3_urls, std::nullopt);
    services.objects.remove_object(key);
  }
}

int expires_in_of(const Request& request) {
  return static_cast<int>(read_query<AddressQuery>(request).expires_in.value_or(3'600));
}

Response address_response(std::string body) {
  Response response = json_response(std::move(body));
  response.set("Cache-Control", "no-store");
  return response;
}

// What a new segment names, and for whom.
struct Naming {
  std::string video_id, s3_key, user;
};

void check_key(const Naming& naming, const Request& request, Services& services) {
  if (!request.trusted && is_foreign_key(naming.s3_key, naming.video_id, naming.user, services))
    throw invalid_input({{"/s3_key", "format", "The key belongs to a video that is not yours."}});
}

Response creation_response(const CreateOutcome& outcome, const Naming& naming, const Request& request,
                           Services& services) {
  switch (outcome.kind) {
    case CreateOutcome::Kind::foreign_video:
      check_key(naming, request, services);
      throw not_found("video", naming.video_id);
    case CreateOutcome::Kind::taken:
      throw Error(ErrorKind::conflict, "There is a segment with that id already.");
    case CreateOutcome::Kind::other_request:
      throw Error(ErrorKind::conflict, "The Idempotency-Key was used for another request.");
    case CreateOutcome::Kind::created:
    case CreateOutcome::Kind::replayed:
      break;
  }
  const Segment& segment = outcome.segment.segment;
  Response response = segment_response(outcome.segment, request, services, 201);
  response.set("Location", "/api/segments/" + percent_encode(segment.segment_id));
  if (outcome.kind == CreateOutcome::Kind::replayed)
    response.set("Idempotent-Replayed", "true");
  else
    log_info("segment.created",
             {{"segment_id", segment.segment_id}, {"video_id", naming.video_id}, {"user", naming.user}});
  return response;
}

VersionedSegment visible(std::optional<VersionedSegment>&& stored, const Request& request,
                         std::string_view id) {
  if (!stored || !may_see(request, stored->segment.user_id)) throw not_found("segment", id);
  return std::move(*stored);
}

}  // namespace

VersionedSegment require_segment(const Request& request, Services& services) {
  auto id = path_id(request, "segment_id", "segment");
  return visible(services.segments.find_segment(id), request, id);
}

Response create_segment(const Request& request, Services& services) {
  auto body = read_body<CreateSegment>(request);
  std::string user = user_for(request, body.user_id);
  auto key = idempotency_key_of(request, user, body);
  Naming naming{body.video_id, body.s3_key, user};
  // Whose the segment's own video is, creating it finds out.
  if (video_id_in_key(body.s3_key) != body.video_id) check_key(naming, request, services);
  auto creating = services.segments.create_segment_later(make_segment(std::move(body), user), std::move(key));
  return later_response(std::move(creating).then(
      [&request, &services, naming = std::move(naming)](const CreateOutcome& outcome) {
        return creation_response(outcome, naming, request, services);
      }));
}

Response get_segment(const Request& request, Services& services) {
  if (!services.settings.is_behind_network)
    return segment_response(require_segment(request, services), request, services);
  std::string id(path_id(request, "segment_id", "segment"));
  auto finding = services.segments.find_segment_later(id);
  if (!services.objects.presigns_at_once()) finding = std::move(finding).for_who_may_wait();
  return later_response(std::move(finding).then(
      [&request, &services, id = std::move(id)](std::optional<VersionedSegment>&& stored) {
        return segment_response(visible(std::move(stored), request, id), request, services);
      }));
}

Response list_video_segments(const Request& request, Services& services) {
  auto query = read_query<VideoSegmentsQuery>(request);
  std::string video_id(path_id(request, "video_id", "video"));
  std::string_view user = owner_of(request);
  auto found = services.segments.list_video_segments(video_id, user, query.segment_type);
  if (found.empty()) {
    // No segments yet, or no such video: the first is an empty list, the second 404.
    auto owner = services.videos.find_owner(video_id);
    if (!owner || !may_see(request, *owner)) throw not_found("video", video_id);
  }
  return json_response(show_segments(found, request, services));
}

Response update_segment(const Request& request, Services& services) {
  auto body = read_body<UpdateSegment>(request);
  user_for(request, body.user_id);
  std::string id(path_id(request, "segment_id", "segment"));
  if (!body.title.given && !body.description.given && !body.tags.given) {
    // Nothing is asked for, so nothing changes: no new version for others to trip over.
    auto version = wanted_version(request, services);
    auto stored = require_segment(request, services);
    if (version && *version != stored.version)
      throw Error(ErrorKind::precondition_failed, "The segment was changed meanwhile.");
    return segment_response(stored, request, services);
  }
  auto version = wanted_version(request, services);
  auto edit = [body = std::move(body)](Segment& segment) {
    body.title.apply_to(segment.title);
    body.description.apply_to(segment.description);
    body.tags.apply_to(segment.tags);
  };
  auto changing = services.segments.update_segment_later(id, std::string(owner_of(request)), version,
                                                         std::move(edit), now_text());
  return later_response(std::move(changing).then(
      [&request, &services, id = std::move(id)](const std::optional<VersionedSegment>& changed) {
        if (!changed) throw not_found("segment", id);
        return segment_response(*changed, request, services);
      }));
}

Response remove_segment(const Request& request, Services& services) {
  auto query = read_query<RemoveSegmentQuery>(request);
  std::string id(path_id(request, "segment_id", "segment"));
  auto removed = services.segments.remove_segment(id, owner_of(request), wanted_version(request, services));
  if (!removed) throw not_found("segment", id);
  if (query.media.value_or(false)) remove_media(*removed, services);
  log_info("segment.deleted", {{"segment_id", id}, {"user", request.user}});
  return answer(Message{"Segment deleted successfully"});
}

Response download_segment(const Request& request, Services& services) {
  auto show = [&request, &services, expires_in = expires_in_of(request)](const Segment& segment) {
    auto address = readable_url(request, services, segment.s3_key, expires_in,
                                attachment(filename_of(segment)), segment.content_type);
    return address_response(encode(DownloadAddress{segment.segment_id, std::move(address.url),
                                                   segment.download_count, format_time(address.expires)}));
  };
  auto check = [&request, &services](const Segment& segment) {
    check_may_read_media(request, segment, services);
  };
  // HEAD asks what a GET would say, and changes nothing.
  if (request.method == "HEAD") {
    auto stored = require_segment(request, services);
    check(stored.segment);
    return show(stored.segment);
  }
  std::string id(path_id(request, "segment_id", "segment"));
  auto counting =
      services.segments.count_download_later(id, std::string(owner_of(request)), now_text(), check);
  return later_response(
      std::move(counting).then([show, id = std::move(id)](const std::optional<Segment>& segment) {
        if (!segment) throw not_found("segment", id);
        return show(*segment);
      }));
}

Response play_segment(const Request& request, Services& services) {
  int expires_in = expires_in_of(request);
  auto stored = require_segment(request, services);
  const Segment& segment = stored.segment;
  check_may_read_media(request, segment, services);
  auto address = playable_url(request, services, segment.s3_key, expires_in,
                              inline_disposition(filename_of(segment)), segment.content_type);
  return address_response(
      encode(PlayAddress{segment.segment_id, std::move(address.url), format_time(address.expires)}));
}

}  // namespace segments
