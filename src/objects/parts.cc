#include "objects/parts.h"

namespace segments {

std::int64_t check_parts(const std::vector<UploadPart>& parts,
                         const std::function<std::optional<StoredPart>(int)>& find) {
  std::int64_t size = 0;
  std::vector<Fault> faults;
  if (parts.empty()) faults.push_back({"/parts", "length", "At least one part is needed."});
  int previous = 0;
  for (std::size_t i = 0; i < parts.size(); ++i) {
    std::string pointer = "/parts/" + std::to_string(i);
    std::string number = std::to_string(parts[i].part_number);
    if (parts[i].part_number <= previous || parts[i].part_number > 10'000) {
      faults.push_back(
          {pointer + "/PartNumber", "range", "Parts are listed once each, by number, 1 to 10000."});
      continue;
    }
    previous = parts[i].part_number;
    auto stored = find(previous);
    if (!stored)
      faults.push_back({pointer, "required", "Part " + number + " was not uploaded."});
    else if (unquoted(stored->etag) != unquoted(parts[i].etag))
      faults.push_back({pointer + "/ETag", "format", "Part " + number + " has another ETag."});
    else
      size += stored->size;
  }
  if (!faults.empty()) throw invalid_input(std::move(faults));
  return size;
}

void check_size_of_parts(std::int64_t size, std::optional<std::int64_t> announced,
                         const UploadBounds& bounds) {
  std::string found = "The parts have " + std::to_string(size) + " bytes, ";
  // Where each was bound when it came, those that came at once did not know of each other.
  if (announced && size > *announced)
    throw Error(ErrorKind::too_large,
                found + "more than the " + std::to_string(*announced) + " that were announced.");
  if (bounds.most && size > *bounds.most)
    throw Error(ErrorKind::too_large, "An upload has at most " + std::to_string(*bounds.most) + " bytes.");
  if (bounds.exactly && size != *bounds.exactly)
    throw Error(ErrorKind::conflict,
                found + "not the " + std::to_string(*bounds.exactly) + " that were announced.");
}

Error part_put_again(int part_number) {
  return Error(ErrorKind::conflict,
               "Part " + std::to_string(part_number) + " was put again while the parts were joined.");
}

Error no_upload(std::string_view upload_id) {
  return not_found("upload", upload_id.substr(0, 100));
}

std::string unquoted(std::string_view etag) {
  if (etag.size() >= 2 && etag.front() == '"' && etag.back() == '"') etag = etag.substr(1, etag.size() - 2);
  return std::string(etag);
}

}  // namespace segments
