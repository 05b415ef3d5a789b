// The id of a multipart upload as we give it out: S3's own, with what S3 forgets. Once parts are joined, S3
// no longer knows the upload; a mark that its object bears tells whether that was done before. And it never
// knew how many bytes were announced.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>

namespace segments::s3 {

struct UploadId {
  std::string mark;                  // 32 hex digits, in the object's metadata
  std::optional<std::int64_t> size;  // bytes, as announced
  std::string id;                    // S3's
};

inline constexpr std::string_view mark_header = "x-amz-meta-segments-upload";

std::string text_of(const UploadId&);  // "{mark}.{size or 0}.{id}"
// Throws Error{not_found} for what text_of never makes.
UploadId parse_upload(std::string_view);

}  // namespace segments::s3
