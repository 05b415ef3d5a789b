// Objects from one store to another, each read back after it was written.
#pragma once

#include <cstdint>
#include <functional>
#include <string>
#include <vector>

#include "move/note.h"
#include "objects/object_store.h"

namespace segments::move {

// "processed/" of no bytes: what some tools leave in buckets to show a folder. No store but S3 keeps one.
bool is_folder_marker(const ObjectInfo&);

// The pages of all objects after `after` but such markers. Stops when `take` says false.
void for_each_page(ObjectStore&, std::string after, std::size_t page_size,
                   const std::function<bool(const std::vector<ObjectInfo>&)>& take);
void add_to_sums(ObjectSums&, const ObjectInfo&);
ObjectSums sum_objects(ObjectStore&, const std::function<void(const ObjectSums&)>& tell);

// SHA-256 of the object's bytes; "" where it is gone, or became another meanwhile.
std::string digest_of(ObjectStore&, const ObjectInfo&);

struct CopyOutcome {
  std::int64_t copied = 0;  // bytes that were written
  bool is_copied = false;
  std::string fault = {};  // why it is not there, as a sentence
};
// Makes the object be in the target as it is in the source: its bytes, by SHA-256 of what is read back, and
// its type. One that is there and was `verified` in an earlier pass is not read again.
CopyOutcome copy_object(ObjectStore& source, ObjectStore& target, const ObjectInfo& listed, bool verified);

// The difference between the two as a sentence, or "".
std::string difference_of(ObjectStore& source, ObjectStore& target, const std::string& key, bool reads);

}  // namespace segments::move
