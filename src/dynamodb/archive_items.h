// Records as items: the way there and back.
#pragma once

#include <map>
#include <optional>
#include <span>
#include <string>
#include <vector>

#include "dynamodb/followed_posts.h"
#include "dynamodb/table.h"
#include "store/archive.h"

namespace segments::dynamodb {

// The items of which some records are made: those of the records themselves, of the segments that say what an
// item means (whose history it is, whether a request was carried out), and the other parts of totals.
class RecordItems {
 public:
  RecordItems(Table&, std::vector<Item>);

  // What the item tells, in the form that all engines have; std::nullopt for what is no record: hints,
  // counts, what a removed segment has left, a request that was never carried out.
  std::optional<Record> record_of(const Item&) const;

 private:
  std::map<Key, Item> needed_;
};

// "#history#" stands before the segment's id and the id of its making.
bool is_history(const Item&);

// Where the record stands. A reading stands in the history of its segment as it is now: `segments` holds
// that. std::nullopt for a record that can have no key, or whose segment is not there.
std::optional<Key> key_of_record(const Record&, const std::map<Key, Item>& segments);
// The segments that key_of_record() is to be given for these.
std::vector<Key> keys_of_segments(std::span<const Record>);

// The item that the record becomes. `there` is what stands in its place, or null.
struct MadeItem {
  Item item;
  FollowedPosts before = {}, after = {};  // of a segment: which hints go and come
  bool has_new_history = false;           // another segment had the id: its history goes
};
MadeItem make_item(const Record&, const Key&, const Item* there);

}  // namespace segments::dynamodb
