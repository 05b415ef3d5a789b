// The keys under which uploads and what is made of them lie, and whose they are.
#pragma once

#include <optional>
#include <string>
#include <string_view>

#include "http/request.h"
#include "services/services.h"

namespace segments {

// "uploads/{video_id}/{name}": the name is the file's own, without folders and without what trips over shells
// and URLs.
std::string make_upload_key(std::string_view video_id, std::string_view filename);
// The file's name as people are shown it: without folders and control characters; "" when nothing is left.
std::string shown_filename(std::string_view filename);
// By the name's extension; "application/octet-stream" for those that no video has.
std::string guess_content_type(std::string_view filename);

// The video a key's object belongs to: "uploads/{video_id}/…", also processed, thumbnails and audio;
// std::nullopt for others.
std::optional<std::string> video_id_in_key(std::string_view key);
// The same, of the caller. Error{not_found} for a key of nobody's or somebody else's video.
std::string require_own_key(const Request&, Services&, std::string_view key);

}  // namespace segments
