// The rules by which parts become an object, whichever store keeps them.
#pragma once

#include <cstdint>
#include <functional>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "base/error.h"
#include "objects/object_store.h"

namespace segments {

struct StoredPart {
  std::int64_t size = 0;
  std::string etag;
};

// The bytes of all listed parts together; `find` gives what lies under a number. Throws Error{invalid} naming
// every fault of the list: none, out of order, not there, of another ETag.
std::int64_t check_parts(const std::vector<UploadPart>&,
                         const std::function<std::optional<StoredPart>(int)>& find);

// Throws what ObjectStore::complete_upload promises for parts of so many bytes together.
void check_size_of_parts(std::int64_t size, std::optional<std::int64_t> announced, const UploadBounds&);

Error part_put_again(int part_number);  // while the parts were joined
Error no_upload(std::string_view upload_id);

std::string unquoted(std::string_view etag);

}  // namespace segments
