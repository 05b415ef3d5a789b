// What S3 writes and reads as XML. Pure functions; std::nullopt for what is not such a document.
#pragma once

#include <map>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "objects/object_store.h"
#include "objects/parts.h"

namespace segments::s3 {

struct ListedPage {
  std::vector<ObjectInfo> objects;  // without content types
  bool is_last = true;
};
std::optional<ListedPage> parse_object_list(std::string_view xml);  // of ListObjectsV2

struct ListedPart : StoredPart {
  std::string crc32;  // in base64; empty where the part was put without
};
struct PartsPage {
  std::map<int, ListedPart> parts;  // by number
  bool is_last = true;
};
std::optional<PartsPage> parse_part_list(std::string_view xml);  // of ListParts

std::optional<std::string> parse_begun_upload(std::string_view xml);     // of CreateMultipartUpload: its id
std::optional<std::string> parse_completed_etag(std::string_view xml);   // of CompleteMultipartUpload
std::string text_of_error(std::string_view xml, std::string_view name);  // "" where it is not there

// The body of CompleteMultipartUpload. S3 wants the checksums of those parts that were put with one.
std::string completion_of(const std::vector<UploadPart>&, const std::map<int, ListedPart>& stored);

}  // namespace segments::s3
