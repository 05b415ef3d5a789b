#include "s3/answers.h"

#include "aws/xml.h"
#include "base/text.h"
#include "base/time.h"
#include "s3/bucket.h"

namespace segments::s3 {

namespace {

std::optional<aws::XmlElement> parse_document(std::string_view xml, std::string_view name) {
  auto document = aws::parse_xml(xml);
  if (!document || document->name != name) return std::nullopt;
  return document;
}

std::optional<std::int64_t> size_of(const aws::XmlElement& element) {
  auto size = parse_integer(trim(element.text_of("Size")));
  return size && *size >= 0 ? size : std::nullopt;
}

bool is_last_page(const aws::XmlElement& document) {
  return trim(document.text_of("IsTruncated")) != "true";
}

std::string escaped(std::string_view text) {
  std::string out;
  for (char c : text) {
    if (c == '&')
      out += "&amp;";
    else if (c == '<')
      out += "&lt;";
    else if (c == '>')
      out += "&gt;";
    else
      out += c;
  }
  return out;
}

}  // namespace

std::optional<ListedPage> parse_object_list(std::string_view xml) {
  auto document = parse_document(xml, "ListBucketResult");
  if (!document) return std::nullopt;
  ListedPage out;
  out.is_last = is_last_page(*document);
  bool is_encoded = document->text_of("EncodingType") == "url";
  for (const auto& element : document->children) {
    if (element.name != "Contents") continue;
    auto key = std::optional(element.text_of("Key"));
    if (is_encoded) key = percent_decode(*key, true);
    auto size = size_of(element);
    auto modified = parse_time(trim(element.text_of("LastModified")));
    if (!key || !size || !modified) return std::nullopt;
    ObjectInfo info;
    info.key = std::move(*key);
    info.size = *size;
    info.etag = quoted_etag(element.text_of("ETag"));
    info.modified = *modified;
    out.objects.push_back(std::move(info));
  }
  return out;
}

std::optional<PartsPage> parse_part_list(std::string_view xml) {
  auto document = parse_document(xml, "ListPartsResult");
  if (!document) return std::nullopt;
  PartsPage out;
  out.is_last = is_last_page(*document);
  for (const auto& element : document->children) {
    if (element.name != "Part") continue;
    auto number = parse_integer(trim(element.text_of("PartNumber")));
    auto size = size_of(element);
    if (!number || *number < 1 || *number > most_parts || !size) return std::nullopt;
    out.parts[static_cast<int>(*number)] = {{.size = *size, .etag = quoted_etag(element.text_of("ETag"))},
                                            element.text_of("ChecksumCRC32")};
  }
  return out;
}

std::optional<std::string> parse_begun_upload(std::string_view xml) {
  auto document = parse_document(xml, "InitiateMultipartUploadResult");
  auto id = document ? document->text_of("UploadId") : std::string();
  return id.empty() ? std::nullopt : std::optional(id);
}

std::optional<std::string> parse_completed_etag(std::string_view xml) {
  auto document = parse_document(xml, "CompleteMultipartUploadResult");
  auto etag = document ? document->text_of("ETag") : std::string();
  return etag.empty() ? std::nullopt : std::optional(quoted_etag(etag));
}

std::string text_of_error(std::string_view xml, std::string_view name) {
  auto document = parse_document(xml, "Error");
  return document ? std::string(trim(document->text_of(name))) : std::string();
}

std::string completion_of(const std::vector<UploadPart>& parts, const std::map<int, ListedPart>& stored) {
  std::string out = "<CompleteMultipartUpload xmlns=\"http://s3.amazonaws.com/doc/2006-03-01/\">";
  for (const auto& part : parts) {
    out += "<Part><PartNumber>" + std::to_string(part.part_number) + "</PartNumber><ETag>" +
           escaped(quoted_etag(part.etag)) + "</ETag>";
    auto at = stored.find(part.part_number);
    if (at != stored.end() && !at->second.crc32.empty())
      out += "<ChecksumCRC32>" + escaped(at->second.crc32) + "</ChecksumCRC32>";
    out += "</Part>";
  }
  return out + "</CompleteMultipartUpload>";
}

}  // namespace segments::s3
