#include "dynamodb/segment_lists.h"

#include <algorithm>
#include <chrono>
#include <map>

#include "base/error.h"
#include "dynamodb/segment_count.h"
#include "dynamodb/segment_match.h"
#include "dynamodb/segment_store.h"
#include "dynamodb/table_definition.h"

namespace segments::dynamodb {

namespace {

// A segment, or what an index holds of it, and where it stands in the list.
struct Row {
  Segment segment;
  SortKey key;
  bool is_whole = false;

  auto position() const { return std::tie(key, segment.segment_id); }
};

bool comes_before(const Row& a, const Row& b, const SegmentQuery& query) {
  return query.descending ? b.position() < a.position() : a.position() < b.position();
}

// The order by creation is that of the stored text, because the index has no other.
Row make_row(Segment segment, const std::string& created_at, const SegmentQuery& query, bool is_whole) {
  SortKey key =
      query.sort_by == SegmentOrder::created_at ? SortKey(created_at) : make_sort_key(segment, query.sort_by);
  return {std::move(segment), std::move(key), is_whole};
}

Error too_many(std::int64_t most) {
  const std::string sentence = "Such a list reads at most " + std::to_string(most) +
                               " segments: narrow it by created_after and created_before, or by video_id, or "
                               "ask for the newest or oldest first "
                               "without filters.";
  return Error(ErrorKind::invalid, sentence, {{"created_after", "range", sentence}});
}

class Lister {
 public:
  Lister(Table& table, std::string_view user_id, const SegmentQuery& query, std::int64_t most)
      : table_(table), user_id_(user_id), query_(query), most_(most) {
    if (!query.after) return;
    Row row;
    row.key = parse_sort_key(query.after->key, query.sort_by);
    row.segment.segment_id = query.after->segment_id;
    after_ = std::move(row);
  }

  SegmentPage list() {
    if (query_.sort_by == SegmentOrder::created_at && !query_.has_filter()) return list_by_creation();
    rows_ = query_.video_id ? read_video() : read_index();
    if (needs_whole(query_)) complete(rows_);
    std::erase_if(rows_, [&](const Row& row) {
      return row.is_whole ? !matches(row.segment, query_) : !may_match(row.segment, query_);
    });
    const auto total = std::ssize(rows_);
    if (after_) std::erase_if(rows_, [&](const Row& row) { return !comes_before(*after_, row, query_); });
    return cut(total);
  }

 private:
  std::size_t skipped() const { return after_ ? 0 : static_cast<std::size_t>(query_.offset); }
  std::size_t wanted() const { return skipped() + static_cast<std::size_t>(query_.limit); }

  Query query_index(std::string_view index) const {
    Query query{.index = std::string(index), .is_forward = !query_.descending};
    query.condition = query.terms.name("user_id") + " = " + query.terms.value(user_id_);
    return query;
  }

  void take(Item&& item) {
    if (++read_ > most_) throw too_many(most_);
    auto listed = read_listed(item);
    if (listed.segment_id.starts_with('#')) return;
    rows_.push_back(make_row(std::move(listed), text_of(item, "created_at"), query_, false));
  }

  // Pages of the index until no row that is still to come can belong into the page: equal times have no order
  // there.
  SegmentPage list_by_creation() {
    Query query = query_index(by_user_creation);
    if (after_)
      query.condition += " AND " + query.terms.name("created_at") + (query_.descending ? " <= " : " >= ") +
                         query.terms.value(std::get<std::string>(after_->key));
    query.limit = static_cast<int>(std::min<std::size_t>(wanted() + 1, 1'000));
    bool is_last = false;
    while (!is_last && !is_closed()) {
      auto page = table_.query(query);
      for (auto& item : page.items) take(std::move(item));
      if (after_) std::erase_if(rows_, [&](const Row& row) { return !comes_before(*after_, row, query_); });
      query.from = std::move(page.last);
      is_last = query.from.empty();
    }
    // Those who have read all from the beginning know how many there are.
    auto total = std::ssize(rows_);
    if (after_ || !is_last) total = std::max(total, count_segments(table_, user_id_, now_ms()));
    return cut(total);
  }

  bool is_closed() const { return rows_.size() > wanted() && rows_.back().key != rows_[wanted() - 1].key; }

  std::vector<Row> read_video() {
    table_.query_all(segments_of_video(*query_.video_id), [&](Item&& item) {
      if (++read_ > most_) throw too_many(most_);
      auto stored = read_segment(item);
      if (stored && stored->segment.user_id == user_id_)
        rows_.push_back(make_row(std::move(stored->segment), stored->created_at, query_, true));
      return true;
    });
    return std::move(rows_);
  }

  std::vector<Row> read_index() {
    const bool is_timed = query_.created_after || query_.created_before;
    const bool is_typed = query_.segment_type && !is_timed;
    Query query = query_index(is_typed ? by_user_type : by_user_creation);
    auto narrow = [&](std::string_view name, const char* operation, const std::string& value) {
      query.condition += " AND " + query.terms.name(name) + operation + query.terms.value(value);
    };
    // What others wrote has times of other forms, which sort alike down to the second.
    auto second = [](const std::string& time) { return time.substr(0, 19); };
    if (is_typed) narrow("segment_type", " = ", name_of(*query_.segment_type));
    if (query_.created_after && query_.created_before)
      narrow("created_at", " BETWEEN ", second(*query_.created_after)),
          query.condition += " AND " + query.terms.value(second(*query_.created_before) + "~");
    else if (query_.created_after)
      narrow("created_at", " >= ", second(*query_.created_after));
    else if (query_.created_before)
      narrow("created_at", " <= ", second(*query_.created_before) + "~");
    table_.query_all(std::move(query), [&](Item&& item) {
      take(std::move(item));
      return true;
    });
    std::erase_if(rows_, [&](const Row& row) { return !may_match(row.segment, query_); });
    return std::move(rows_);
  }

  // Reads the rest of those of which only the index's part is known; drops what is no more.
  void complete(std::span<Row> rows, std::vector<Row>& into) {
    std::vector<Key> keys;
    for (const auto& row : rows)
      if (!row.is_whole) keys.push_back({row.segment.video_id, row.segment.segment_id});
    std::map<std::string, Segment> found;
    for (auto& segment : read_whole(table_, keys)) found[segment.segment_id] = std::move(segment);
    for (auto& row : rows) {
      if (!row.is_whole) {
        auto at = found.find(row.segment.segment_id);
        if (at == found.end()) continue;
        row.segment = std::move(at->second);
        row.is_whole = true;
      }
      into.push_back(std::move(row));
    }
  }
  void complete(std::vector<Row>& rows) {
    std::vector<Row> whole;
    complete(rows, whole);
    for (auto& row : whole)
      if (query_.sort_by == SegmentOrder::download_count)
        row.key = make_sort_key(row.segment, query_.sort_by);
    rows = std::move(whole);
  }

  SegmentPage cut(std::int64_t total) {
    SegmentPage page;
    page.total_count = total;
    std::ranges::sort(rows_, [&](const Row& a, const Row& b) { return comes_before(a, b, query_); });
    if (skipped() >= rows_.size()) return page;
    const auto count = std::min(rows_.size() - skipped(), static_cast<std::size_t>(query_.limit));
    const auto rows = std::span(rows_).subspan(skipped(), count);
    if (rows_.size() > wanted())
      page.next = {print_sort_key(rows.back().key), rows.back().segment.segment_id};
    std::vector<Row> whole;
    complete(rows, whole);
    for (auto& row : whole) page.segments.push_back(std::move(row.segment));
    return page;
  }

  Table& table_;
  const std::string user_id_;
  const SegmentQuery& query_;
  const std::int64_t most_;
  std::optional<Row> after_;
  std::vector<Row> rows_;
  std::int64_t read_ = 0;
};

}  // namespace

SegmentPage list_segments(Table& table, std::string_view user_id, const SegmentQuery& query,
                          std::int64_t most) {
  Lister lister(table, user_id, query, most);
  // DynamoDB asks for no key that is empty.
  if (user_id.empty() || (query.video_id && query.video_id->empty())) return {};
  // Nor for a range that ends before it begins.
  if (query.created_after && query.created_before && *query.created_after >= *query.created_before) return {};
  return lister.list();
}

Query segments_of_video(std::string_view video_id) {
  Query query{.is_strong = true};
  query.condition = query.terms.name("video_id") + " = " + query.terms.value(video_id) + " AND " +
                    query.terms.name("segment_id") + " > " + query.terms.value("$");
  return query;
}

std::vector<Key> list_keys(Table& table, std::string_view user_id, std::string_view after) {
  if (user_id.empty()) return {};
  Query query{.index = std::string(by_user_creation)};
  query.condition = query.terms.name("user_id") + " = " + query.terms.value(user_id);
  query.projection = query.terms.name("video_id") + ", " + query.terms.name("segment_id");
  std::vector<Key> keys;
  table.query_all(std::move(query), [&](Item&& item) {
    auto key = key_of(item);
    if (!key.segment_id.starts_with('#') && key.segment_id > after) keys.push_back(std::move(key));
    return true;
  });
  std::ranges::sort(keys, {}, &Key::segment_id);
  return keys;
}

std::vector<Segment> read_whole(Table& table, std::span<const Key> keys) {
  std::map<Key, Segment> found;
  auto read = [&](std::span<const Key> some, bool is_strong) {
    for (const auto& item : table.batch_get(some, is_strong))
      if (auto stored = read_segment(item)) found[key_of(item)] = std::move(stored->segment);
  };
  read(keys, false);
  // An index may know of a segment before every copy of the table does: what is not there is looked up for
  // certain.
  std::vector<Key> missing;
  for (const auto& key : keys)
    if (!found.contains(key)) missing.push_back(key);
  read(missing, true);
  std::vector<Segment> segments;
  for (const auto& key : keys)
    if (auto at = found.find(key); at != found.end()) segments.push_back(std::move(at->second));
  return segments;
}

SegmentPage DynamoSegmentStore::list_segments(std::string_view user_id, const SegmentQuery& query) {
  auto begun = std::chrono::steady_clock::now();
  auto page = dynamodb::list_segments(table_, user_id, query);
  if (auto* seconds = list_seconds_[static_cast<std::size_t>(query.sort_by)])
    seconds->observe(std::chrono::duration<double>(std::chrono::steady_clock::now() - begun).count());
  return page;
}

}  // namespace segments::dynamodb
