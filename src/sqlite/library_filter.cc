// How a Library finds what matches a query's filters.
#include <algorithm>
#include <functional>

#include "sqlite/binding.h"
#include "sqlite/library.h"
#include "sqlite/segment_functions.h"

namespace segments::sqlite {

namespace {

constexpr std::size_t most_selections = 8;

using Searcher = std::boyer_moore_searcher<const char*>;

bool contains(std::string_view text, const Searcher& search) {
  return std::search(text.data(), text.data() + text.size(), search) != text.data() + text.size();
}

}  // namespace

struct Library::Filter {
  const SegmentQuery& query;
  std::vector<bool> has_tags;  // by the number of the tag set
  std::optional<Searcher> search;
};

bool Library::matches(const Row& row, const Filter& filter) const {
  const SegmentQuery& query = filter.query;
  if (!row.segment_ref) return false;
  if (query.segment_type && row.type != static_cast<std::uint32_t>(*query.segment_type)) return false;
  if (query.min_duration && !(row.duration >= *query.min_duration)) return false;
  if (query.max_duration && !(row.duration <= *query.max_duration)) return false;
  if (query.min_downloads && row.download_count < *query.min_downloads) return false;
  if (query.has_social_media && *query.has_social_media != (row.platforms != 0)) return false;
  if (query.platform && !(row.platforms >> static_cast<int>(*query.platform) & 1)) return false;
  if (!filter.has_tags.empty() && !filter.has_tags[row.tags]) return false;
  if (query.created_after && part(row, created_at) < *query.created_after) return false;
  if (query.created_before && part(row, created_at) >= *query.created_before) return false;
  if (!filter.search) return true;
  // All three at once, and each alone only where they look like it: what is found must not span two.
  const auto begin = row.text_ends[segment_id];
  const auto all = std::string_view(texts_).substr(row.text_at + begin, row.text_ends[description] - begin);
  return contains(all, *filter.search) &&
         (contains(part(row, title), *filter.search) || contains(part(row, filename), *filter.search) ||
          contains(part(row, description), *filter.search));
}

const Library::Slots& Library::select(const SegmentQuery& query) {
  const std::string key = std::string(name_of(query.sort_by)) + " " + make_filter_key(query);
  auto known = std::ranges::find(selections_, key, &Selection::key);
  if (known != selections_.end()) return known->slots;
  Filter filter{query, {}, {}};
  if (!query.tags.empty()) {
    const std::string wanted = encode(query.tags);
    for (const auto& tags : tag_sets_) filter.has_tags.push_back(has_all_tags(tags, wanted));
  }
  if (query.search) filter.search.emplace(query.search->data(), query.search->data() + query.search->size());
  // In the order of the rows in memory first: the order asked for jumps to and fro among them.
  std::vector<char> is_match(rows_.size());
  for (std::size_t slot = 0; slot < rows_.size(); ++slot) is_match[slot] = matches(rows_[slot], filter);
  Selection selection{key, {}};
  for (Slot slot : sorted(query.sort_by))
    if (is_match[slot]) selection.slots.push_back(slot);
  selections_.push_front(std::move(selection));
  if (selections_.size() > most_selections) selections_.pop_back();
  return selections_.front().slots;
}

}  // namespace segments::sqlite
