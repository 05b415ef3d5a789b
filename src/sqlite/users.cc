#include "sqlite/users.h"

#include "sqlite/binding.h"

namespace segments::sqlite {

namespace {

constexpr std::size_t most_known_users = 4'096;

std::string count_column(const char* type) {
  return "\"segments_" + std::string(type) + "\"";
}

template <class F>
void for_each_type(F&& f) {
  boost::mp11::mp_for_each<boost::describe::describe_enumerators<SegmentType>>(f);
}

// Of the type asked for, and of all.
std::string select_counts(std::optional<SegmentType> type) {
  std::string sum;
  for_each_type([&](auto t) { sum += (sum.empty() ? "" : " + ") + count_column(t.name); });
  return "SELECT \"user_ref\", \"revision\", " + (type ? count_column(name_of(*type)) : sum) + ", " + sum +
         " FROM \"users\" WHERE \"user_id\" = ?";
}

}  // namespace

std::string segment_count_definitions() {
  std::string sql;
  for_each_type([&](auto type) { sql += ", " + count_column(type.name) + " INTEGER NOT NULL DEFAULT 0"; });
  return sql;
}

std::optional<std::int64_t> find_user(Connection& connection, std::string_view user_id) {
  auto& known = connection.numbers();
  if (auto found = known.find(user_id); found != known.end()) return found->second;
  auto select = connection.prepare("SELECT \"user_ref\" FROM \"users\" WHERE \"user_id\" = ?");
  if (!select.with(user_id).step()) return std::nullopt;
  const auto user_ref = select.integer(0);
  // A user is never removed, and keeps the number.
  if (known.size() >= most_known_users) known.clear();
  known.emplace(user_id, user_ref);
  return user_ref;
}

std::int64_t find_or_make_user(Connection& connection, std::string_view user_id) {
  if (auto found = find_user(connection, user_id)) return *found;
  connection.run("INSERT INTO \"users\" (\"user_id\") VALUES (?)", user_id);
  return connection.last_row_id();
}

std::optional<UserCounts> find_counts(Connection& connection, std::string_view user_id,
                                      std::optional<SegmentType> type) {
  static const auto of_all = select_counts(std::nullopt);
  auto select = connection.prepare(type ? select_counts(type) : of_all);
  if (!select.with(user_id).step()) return std::nullopt;
  return UserCounts{select.integer(0), select.integer(1), select.integer(2), select.integer(3)};
}

std::int64_t find_revision(Connection& connection, std::string_view user_id) {
  const auto user_ref = find_user(connection, user_id);
  if (!user_ref) return 0;
  auto select = connection.prepare("SELECT \"revision\" FROM \"users\" WHERE \"user_ref\" = ?");
  return select.with(*user_ref).step() ? select.integer(0) : 0;
}

void add_counts(Connection& connection, std::int64_t user_ref, const SegmentCounts& counts) {
  static const std::string sql = [] {
    std::string sums;
    for_each_type([&](auto type) {
      const std::string column = count_column(type.name);
      sums += ", " + column + " = " + column + " + ?";
    });
    return "UPDATE \"users\" SET \"revision\" = \"revision\" + 1" + sums + " WHERE \"user_ref\" = ?";
  }();
  auto update = connection.prepare(sql);
  int parameter = 0;
  for_each_type([&](auto type) { update.bind(++parameter, counts[static_cast<std::size_t>(type.value)]); });
  update.bind(++parameter, user_ref);
  update.run();
}

void count_videos(Connection& connection, std::int64_t user_ref, int change) {
  connection.run("UPDATE \"users\" SET \"videos\" = \"videos\" + ? WHERE \"user_ref\" = ?", change, user_ref);
  connection.run("UPDATE \"video_count\" SET \"videos\" = \"videos\" + ?", change);
}

std::optional<std::int64_t> find_claim(Connection& connection, std::string_view video_id) {
  auto select = connection.prepare("SELECT \"user_ref\" FROM \"claims\" WHERE \"video_id\" = ?");
  if (!select.with(video_id).step()) return std::nullopt;
  return select.integer(0);
}

bool is_free_for(Connection& connection, std::string_view video_id, std::optional<std::int64_t> user_ref) {
  auto select = connection.prepare("SELECT \"user_ref\" FROM \"removed_videos\" WHERE \"video_id\" = ?");
  if (!select.with(video_id).step()) return true;
  // 0, of which there is no user: nobody knows whose it was.
  return user_ref && select.integer(0) == *user_ref;
}

void claim_free(Connection& connection, std::string_view video_id, std::int64_t user_ref) {
  connection.run("INSERT INTO \"claims\" (\"video_id\", \"user_ref\") VALUES (?, ?)", video_id, user_ref);
}

bool claim(Connection& connection, std::string_view video_id, std::int64_t user_ref) {
  if (auto owner = find_claim(connection, video_id)) return *owner == user_ref;
  if (!is_free_for(connection, video_id, user_ref)) return false;
  claim_free(connection, video_id, user_ref);
  return true;
}

bool is_removed(Connection& connection, std::string_view video_id) {
  return connection.prepare("SELECT 1 FROM \"removed_videos\" WHERE \"video_id\" = ?").with(video_id).step();
}

}  // namespace segments::sqlite
