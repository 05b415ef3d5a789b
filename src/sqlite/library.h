// One user's segments as columns in memory: what lists filter by and sort by, no more. A page of any order,
// wherever it begins, costs what it holds once that order was asked for; a filter costs a look at each row.
// Not for several threads at once.
#pragma once

#include <array>
#include <cstdint>
#include <deque>
#include <optional>
#include <string>
#include <string_view>
#include <unordered_map>
#include <vector>

#include "model/segment_query.h"
#include "sqlite/connection.h"
#include "sqlite/segment_queries.h"

namespace segments::sqlite {

class Library {
 public:
  // Reads all of the user's rows anew. False when they would take more than `most_bytes`; it is empty then.
  bool load(Connection&, std::int64_t user_ref, std::size_t most_bytes);
  // Reads these rows anew, which may be of the user no more.
  void refresh(Connection&, std::int64_t user_ref, std::vector<std::int64_t> segment_refs);

  struct Found {
    std::int64_t count = 0;                  // of all that match
    std::vector<std::int64_t> segment_refs;  // of the page, in its order
    bool has_more = false;
  };
  // The query names no video. Throws Error{invalid} when the position is not one of its order.
  Found find(const SegmentQuery&);

  std::size_t bytes() const;

 private:
  using Slot = std::uint32_t;
  using Slots = std::vector<Slot>;
  struct Row {
    std::int64_t segment_ref = 0;  // 0: the slot is free
    std::int64_t file_size = 0, download_count = 0, segment_number = 0;
    double duration = 0;
    std::uint64_t text_at = 0;                 // in texts_
    std::array<std::uint32_t, 6> text_ends{};  // of its parts, from there
    std::uint32_t tags = 0;                    // in tag_sets_
    std::uint32_t platforms = 0;
    std::uint32_t type = 0;
  };
  // A row's texts, folded but for the first two. The name is there only where neither title nor filename is.
  enum Part { created_at, segment_id, title, filename, description, name };
  struct Filter;
  struct Selection {
    std::string key;
    Slots slots;
  };

  std::size_t bytes_in_use() const;
  std::size_t bytes_of_tags() const;
  void clear();
  void read_row(Statement&, Slot);
  Slot take_slot(std::int64_t segment_ref);
  std::optional<Slot> find_slot(std::int64_t segment_ref) const;
  void drop(Slot);
  std::uint32_t tags_as_number(std::string_view tags);
  void make_room(std::size_t rows);
  void make_texts_anew(std::size_t more);
  std::string_view part(const Row&, Part) const;
  std::string_view text_key(const Row&, SegmentOrder) const;
  int compare_keys(SegmentOrder, const Row&, const Row&) const;
  bool is_before(SegmentOrder, Slot, Slot) const;
  int compare_to(SegmentOrder, Slot, const Value& key, std::string_view segment_id) const;
  const Slots& sorted(SegmentOrder);
  const Slots& select(const SegmentQuery&);
  bool matches(const Row&, const Filter&) const;

  std::vector<Row> rows_;
  Slots free_;
  Slots by_ref_;  // by segment_ref
  std::string texts_;
  std::size_t stale_text_ = 0;  // bytes of texts_ that belong to no row
  std::vector<std::string> tag_sets_;
  std::unordered_map<std::string, std::uint32_t> by_tags_;
  std::array<std::optional<Slots>, 8> orders_;  // by SegmentOrder, ascending, where it was asked for
  std::deque<Selection> selections_;            // of filters, the newest first; until a row changes
};

}  // namespace segments::sqlite
