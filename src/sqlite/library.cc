#include "sqlite/library.h"

#include <algorithm>
#include <compare>

#include "base/text.h"
#include "sqlite/binding.h"
#include "sqlite/segment_functions.h"

namespace segments::sqlite {

namespace {

// Columns of read_row(). Titles and filenames are stored folded, as their keys.
const std::string& row_columns() {
  static const std::string columns =
      "\"segment_ref\", \"file_size\", \"download_count\", \"segment_number\", \"duration\", \"platforms\", "
      "\"segment_type\", \"tags\", \"created_at\", \"segment_id\", "
      "CASE WHEN \"title\" <> '' THEN \"title_key\" END, \"filename_key\", \"description\", "
      "CASE WHEN coalesce(\"title\", '') = '' AND \"filename_key\" = '' THEN \"name_key\" END";
  return columns;
}

constexpr std::size_t bytes_beside_row = 48;  // its place in by_ref_, in the orders, in some selections
constexpr std::size_t bytes_beside_tags = 64;
constexpr std::size_t rows_between_checks = 256;

std::weak_ordering compare_numbers(double a, double b) {
  return a < b   ? std::weak_ordering::less
         : a > b ? std::weak_ordering::greater
                 : std::weak_ordering::equivalent;
}

int sign(std::weak_ordering order) {
  return order < 0 ? -1 : order > 0 ? 1 : 0;
}

// Both are sorted; what is fresh is little.
template <class Slots, class Before>
Slots merge(const Slots& slots, const Slots& fresh, Before before) {
  Slots merged;
  merged.reserve(slots.size() + fresh.size());
  auto rest = slots.begin();
  for (auto slot : fresh) {
    auto place = std::upper_bound(rest, slots.end(), slot, before);
    merged.insert(merged.end(), rest, place);
    merged.push_back(slot);
    rest = place;
  }
  merged.insert(merged.end(), rest, slots.end());
  return merged;
}

}  // namespace

void Library::clear() {
  *this = Library();
}

bool Library::load(Connection& connection, std::int64_t user_ref, std::size_t most_bytes) {
  clear();
  static const std::string sql = "SELECT " + row_columns() + " FROM \"segments\" INDEXED BY \"" +
                                 order_index(SegmentOrder::created_at) +
                                 "\" WHERE \"user_ref\" = ? ORDER BY \"created_at\", \"segment_id\"";
  auto select = connection.prepare(sql);
  select.with(user_ref);
  auto& by_date = orders_[static_cast<std::size_t>(SegmentOrder::created_at)].emplace();
  while (select.step()) {
    const Slot slot = take_slot(select.integer(0));
    by_date.push_back(slot);
    read_row(select, slot);
    if (by_date.size() % rows_between_checks == 0 && bytes_in_use() > most_bytes) break;
  }
  // It grew by doubling; kept, it takes what it needs: half as many libraries would find room otherwise.
  texts_.shrink_to_fit();
  rows_.shrink_to_fit();
  by_date.shrink_to_fit();
  by_ref_ = by_date;
  std::ranges::sort(by_ref_, {}, [&](Slot slot) { return rows_[slot].segment_ref; });
  const bool fits = bytes() <= most_bytes;
  if (!fits) clear();
  return fits;
}

void Library::refresh(Connection& connection, std::int64_t user_ref, std::vector<std::int64_t> segment_refs) {
  std::ranges::sort(segment_refs);
  segment_refs.erase(std::ranges::unique(segment_refs).begin(), segment_refs.end());
  if (segment_refs.empty()) return;
  selections_.clear();
  Slots gone;
  std::vector<bool> is_gone(rows_.size());
  for (auto ref : segment_refs)
    if (auto slot = find_slot(ref)) {
      gone.push_back(*slot);
      is_gone[*slot] = true;
    }
  auto leave = [&](Slots& slots) { std::erase_if(slots, [&](Slot slot) { return is_gone[slot]; }); };
  leave(by_ref_);
  for (auto& order : orders_)
    if (order) leave(*order);
  for (Slot slot : gone) drop(slot);
  make_room(segment_refs.size());
  static const std::string sql =
      "SELECT " + row_columns() + " FROM \"segments\" WHERE \"segment_ref\" = ? AND \"user_ref\" = ?";
  auto select = connection.prepare(sql);
  Slots fresh;
  for (auto ref : segment_refs) {
    select.reset();
    if (!select.with(ref, user_ref).step()) continue;
    fresh.push_back(take_slot(ref));
    read_row(select, fresh.back());
  }
  by_ref_ =
      merge(by_ref_, fresh, [&](Slot a, Slot b) { return rows_[a].segment_ref < rows_[b].segment_ref; });
  for (std::size_t i = 0; i < orders_.size(); ++i) {
    if (!orders_[i]) continue;
    auto before = [&](Slot a, Slot b) { return is_before(static_cast<SegmentOrder>(i), a, b); };
    std::ranges::sort(fresh, before);
    orders_[i] = merge(*orders_[i], fresh, before);
  }
  if (stale_text_ > texts_.size() / 2) make_texts_anew(0);
}

void Library::read_row(Statement& select, Slot slot) {
  Row& row = rows_[slot];
  row.file_size = select.integer(1);
  row.download_count = select.integer(2);
  row.segment_number = select.integer(3);
  row.duration = select.number(4);
  row.platforms = static_cast<std::uint32_t>(select.integer(5));
  SegmentType type{};
  read_column(select, 6, type);
  row.type = static_cast<std::uint32_t>(type);
  row.tags = tags_as_number(select.text(7));
  row.text_at = texts_.size();
  for (std::size_t i = 0; i < row.text_ends.size(); ++i) {
    const auto text = select.text(8 + static_cast<int>(i));
    texts_ += i == description ? fold_case(text) : text;
    row.text_ends[i] = static_cast<std::uint32_t>(texts_.size() - row.text_at);
  }
}

Library::Slot Library::take_slot(std::int64_t segment_ref) {
  auto slot = static_cast<Slot>(rows_.size());
  if (free_.empty()) {
    rows_.emplace_back();
  } else {
    slot = free_.back();
    free_.pop_back();
  }
  rows_[slot].segment_ref = segment_ref;
  return slot;
}

std::optional<Library::Slot> Library::find_slot(std::int64_t segment_ref) const {
  const auto found =
      std::ranges::lower_bound(by_ref_, segment_ref, {}, [&](Slot slot) { return rows_[slot].segment_ref; });
  if (found == by_ref_.end() || rows_[*found].segment_ref != segment_ref) return std::nullopt;
  return *found;
}

void Library::drop(Slot slot) {
  stale_text_ += rows_[slot].text_ends.back();
  rows_[slot] = {};
  free_.push_back(slot);
}

std::uint32_t Library::tags_as_number(std::string_view tags) {
  auto [found, is_new] =
      by_tags_.try_emplace(std::string(tags), static_cast<std::uint32_t>(tag_sets_.size()));
  if (is_new) tag_sets_.emplace_back(tags);
  return found->second;
}

// An eighth more at a time: doubled by one new row, a library would take the place of another.
void Library::make_room(std::size_t rows) {
  if (rows_.capacity() - rows_.size() < rows) rows_.reserve(rows_.size() + std::max(rows, rows_.size() / 8));
  const std::size_t usual = 2 * texts_.size() / std::max<std::size_t>(rows_.size(), 1) + 64;
  if (texts_.capacity() - texts_.size() < rows * usual)
    make_texts_anew(std::max(rows * usual, texts_.size() / 8));
}

// Without what is stale, with room for so many bytes more.
void Library::make_texts_anew(std::size_t more) {
  std::string texts;
  texts.reserve(texts_.size() - stale_text_ + more);
  for (auto& row : rows_) {
    if (!row.segment_ref) continue;
    const auto at = texts.size();
    texts.append(texts_, row.text_at, row.text_ends.back());
    row.text_at = at;
  }
  texts_ = std::move(texts);
  stale_text_ = 0;
}

std::size_t Library::bytes() const {
  return texts_.capacity() + rows_.capacity() * (sizeof(Row) + bytes_beside_row) + bytes_of_tags();
}

std::size_t Library::bytes_in_use() const {
  return texts_.size() + rows_.size() * (sizeof(Row) + bytes_beside_row) + bytes_of_tags();
}

// Each set stands twice, with what holds it.
std::size_t Library::bytes_of_tags() const {
  return tag_sets_.size() * 3 * bytes_beside_tags;
}

std::string_view Library::part(const Row& row, Part part) const {
  const std::size_t begin = part == created_at ? 0 : row.text_ends[part - 1u];
  return std::string_view(texts_).substr(row.text_at + begin, row.text_ends[part] - begin);
}

std::string_view Library::text_key(const Row& row, SegmentOrder order) const {
  if (order == SegmentOrder::created_at) return part(row, created_at);
  if (order == SegmentOrder::filename) return part(row, filename);
  const auto first = part(row, order == SegmentOrder::title ? title : filename);
  if (!first.empty()) return first;
  const auto second = part(row, order == SegmentOrder::title ? filename : title);
  return second.empty() && order == SegmentOrder::name ? part(row, name) : second;
}

int Library::compare_keys(SegmentOrder order, const Row& a, const Row& b) const {
  switch (order) {
    case SegmentOrder::duration:
      return sign(compare_numbers(a.duration, b.duration));
    case SegmentOrder::file_size:
      return sign(a.file_size <=> b.file_size);
    case SegmentOrder::download_count:
      return sign(a.download_count <=> b.download_count);
    case SegmentOrder::segment_number:
      return sign(a.segment_number <=> b.segment_number);
    default:
      return text_key(a, order).compare(text_key(b, order));
  }
}

bool Library::is_before(SegmentOrder order, Slot a, Slot b) const {
  const int difference = compare_keys(order, rows_[a], rows_[b]);
  return difference ? difference < 0 : part(rows_[a], segment_id) < part(rows_[b], segment_id);
}

int Library::compare_to(SegmentOrder order, Slot slot, const Value& key, std::string_view id) const {
  const Row& row = rows_[slot];
  int difference = 0;
  if (const auto* text = std::get_if<std::string>(&key)) {
    difference = text_key(row, order).compare(*text);
  } else {
    Row other;
    if (const auto* number = std::get_if<double>(&key)) other.duration = *number;
    if (const auto* number = std::get_if<std::int64_t>(&key))
      other.file_size = other.download_count = other.segment_number = *number;
    difference = compare_keys(order, row, other);
  }
  return difference ? difference : part(row, segment_id).compare(id);
}

const Library::Slots& Library::sorted(SegmentOrder order) {
  auto& kept = orders_[static_cast<std::size_t>(order)];
  if (!kept) {
    kept = *orders_[static_cast<std::size_t>(SegmentOrder::created_at)];
    std::ranges::sort(*kept, [&](Slot a, Slot b) { return is_before(order, a, b); });
  }
  return *kept;
}

Library::Found Library::find(const SegmentQuery& query) {
  std::optional<Value> key;
  if (query.after) key = key_of(*query.after, query.sort_by);
  const Slots& slots = query.has_filter() ? select(query) : sorted(query.sort_by);
  Found found{.count = std::ssize(slots), .segment_refs = {}, .has_more = false};
  // Where the page begins, counted in its own direction.
  std::int64_t at = query.offset;
  if (key) {
    auto is_before_position = [&](Slot slot) {
      const int difference = compare_to(query.sort_by, slot, *key, query.after->segment_id);
      return query.descending ? difference < 0 : difference <= 0;
    };
    const auto before = std::ranges::partition_point(slots, is_before_position) - slots.begin();
    at = query.descending ? found.count - before : before;
  }
  for (; at < found.count && std::ssize(found.segment_refs) < query.limit; ++at)
    found.segment_refs.push_back(
        rows_[slots[static_cast<std::size_t>(query.descending ? found.count - 1 - at : at)]].segment_ref);
  found.has_more = at < found.count;
  return found;
}

}  // namespace segments::sqlite
