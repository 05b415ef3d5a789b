#include "api/media.h"

#include <algorithm>
#include <limits>

#include "api/present.h"
#include "api/upload_key.h"
#include "base/log.h"
#include "base/text.h"
#include "http/problem.h"
#include "http/range.h"
#include "model/segment.h"
#include "objects/directory.h"
#include "objects/presign.h"

namespace segments {

namespace {

DirectoryObjectStore& require_directory(Services& services) {
  if (!services.directory) throw Error(ErrorKind::not_found, "Media is not served from here.");
  return *services.directory;
}

// What was uploaded is somebody's file, never a page of this program: nothing in it runs, reads or asks. That
// its type is not guessed is said in every answer.
void set_safe(Response& response) {
  response.set("Content-Security-Policy",
               "sandbox; default-src 'none'; media-src 'self'; img-src 'self'; style-src 'unsafe-inline'");
  response.set("Cross-Origin-Resource-Policy", "cross-origin");
}

std::string_view essence_of(std::string_view content_type) {
  return trim(content_type.substr(0, content_type.find(';')));
}

// An address outlives what it was signed for. A part's upload is asked by the store.
void check_takes_bytes(Services& services, const PresignRequest& allowed) {
  auto video_id = video_id_in_key(allowed.key);
  if (!video_id) return;
  if (!services.videos.find_owner(*video_id))
    throw Error(ErrorKind::not_found, "The video was removed, and its upload with it.");
  if (!allowed.upload_id && services.videos.find_video(*video_id))
    throw Error(ErrorKind::conflict, "The upload was completed; its bytes stay as they are.");
}

// Takes an object's bytes, or a part's, as the address was signed for.
class MediaSink : public BodySink {
 public:
  MediaSink(std::unique_ptr<ObjectWriter> writer, std::optional<std::int64_t> exactly, std::int64_t most)
      : writer_(std::move(writer)), exactly_(exactly), most_(exactly.value_or(most)) {}

  void write(std::string_view piece) override {
    received_ += static_cast<std::int64_t>(piece.size());
    if (received_ > most_) {
      writer_.reset();  // its bytes go at once, not when the connection does
      throw Error(ErrorKind::too_large,
                  "The body is larger than the " + std::to_string(most_) + " bytes that are taken here.");
    }
    writer_->write(piece);
  }

  Response finish() override {
    if (exactly_ && received_ != *exactly_) {
      writer_.reset();
      throw Error(ErrorKind::malformed, "The body has " + std::to_string(received_) + " bytes, not the " +
                                            std::to_string(*exactly_) + " that were announced.");
    }
    Response response;
    response.set("ETag", writer_->commit().etag);
    return response;
  }

 private:
  std::unique_ptr<ObjectWriter> writer_;
  std::optional<std::int64_t> exactly_;
  std::int64_t most_;
  std::int64_t received_ = 0;
};

std::string content_type_of(const Request& request, const PresignRequest& allowed) {
  std::string_view declared = trim(request.header("content-type"));
  if (!declared.empty() && fault_of_content_type(declared))
    throw Error(ErrorKind::unsupported_media, "The content type is like video/mp4.");
  if (allowed.content_type) {
    bool is_same = lower_ascii(essence_of(declared)) == lower_ascii(essence_of(*allowed.content_type));
    if (!declared.empty() && !is_same)
      throw Error(ErrorKind::unsupported_media, "This address was signed for " + *allowed.content_type + ".");
    return *allowed.content_type;
  }
  return declared.empty() ? guess_content_type(allowed.key) : std::string(declared);
}

// An object that lies elsewhere: there each method has an address of its own.
Response redirect_media(const Request& request, Services& services) {
  auto allowed = verify_media_url(services.settings.media_secret, request.method, request.target, now_ms());
  allowed.method = request.method == "HEAD" ? PresignMethod::head : PresignMethod::get;
  Response response;
  response.status = 307;
  set_safe(response);
  response.set("Location", services.objects.presign(allowed).url);
  response.set("Cache-Control", "no-store");
  return response;
}

}  // namespace

Response send_media(const Request& request, Services& services) {
  if (!services.directory) return redirect_media(request, services);
  auto& directory = require_directory(services);
  auto allowed = directory.verify(request.method, request.target);
  auto object = directory.open_object(allowed.key);
  if (!object) throw not_found("object", allowed.key);
  const ObjectInfo& info = object->info;

  Response response;
  set_safe(response);
  response.set("Accept-Ranges", "bytes");
  response.set("ETag", info.etag);
  response.set("Last-Modified", format_http_date(info.modified));
  response.set("Cache-Control", "private, max-age=300");
  if (none_match_hits(request.header("if-none-match"), info.etag)) {
    response.status = 304;
    return response;
  }
  response.set("Content-Type", allowed.content_type.value_or(info.content_type));
  response.set("Content-Disposition", allowed.disposition.value_or("inline"));

  ByteRange range;
  // A range means something to GET alone (RFC 9110, 14.2).
  if (request.method == "GET" && if_range_holds(request.header("if-range"), info.etag, info.modified))
    range = parse_range(request.header("range"), info.size);
  if (range.kind == ByteRange::Kind::unsatisfiable) {
    Response refusal = http::problem(416, "The object has " + std::to_string(info.size) + " bytes.", request);
    refusal.set("Content-Range", content_range(range, info.size));
    refusal.set("Accept-Ranges", "bytes");
    return refusal;
  }
  std::int64_t offset = 0, length = info.size;
  if (range.kind == ByteRange::Kind::satisfiable) {
    response.status = 206;
    response.set("Content-Range", content_range(range, info.size));
    offset = range.offset;
    length = range.length;
  }
  response.file = FileRange{
      .file = std::make_shared<FileHandle>(object->file.release()), .offset = offset, .length = length};
  return response;
}

std::unique_ptr<BodySink> receive_media(const Request& request, Services& services) {
  auto& directory = require_directory(services);
  auto allowed = directory.verify(request.method, request.target);
  std::string content_type = content_type_of(request, allowed);
  check_takes_bytes(services, allowed);

  std::int64_t bound = services.settings.max_upload_bytes;
  std::int64_t most = bound > 0 ? bound : std::numeric_limits<std::int64_t>::max();
  if (allowed.upload_id)
    if (auto room = directory.room_for_part(allowed.key, *allowed.upload_id, allowed.part_number))
      most = std::min(most, *room);
  if (request.content_length && allowed.size && *request.content_length < *allowed.size)
    throw Error(ErrorKind::malformed, "The body has " + std::to_string(*request.content_length) +
                                          " bytes, not the " + std::to_string(*allowed.size) +
                                          " that were announced.");
  if (request.content_length.value_or(0) > allowed.size.value_or(most))
    throw Error(ErrorKind::too_large, "The body is larger than the " +
                                          std::to_string(allowed.size.value_or(most)) +
                                          " bytes that are taken here.");
  auto writer = allowed.upload_id ? directory.write_part(allowed.key, *allowed.upload_id, allowed.part_number)
                                  : directory.write_object(allowed.key, content_type);
  return std::make_unique<MediaSink>(std::move(writer), allowed.size, most);
}

}  // namespace segments
