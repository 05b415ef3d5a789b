// The verbs of EmbeddedQueue that queue tasks.
#include <algorithm>
#include <array>
#include <utility>

#include "base/batch.h"
#include "base/error.h"
#include "base/ids.h"
#include "embedded_queue/change.h"

namespace segments {

using sqlite::Connection;
using sqlite::Database;

namespace {

// `id`: the task's own, or one that was made for it.
struct Entry {
  std::string id;
  const NewTask* task;
  Millis now;
};

Entry make_entry(const NewTask& task, Millis now) {
  return {task.id.empty() ? make_id() : task.id, &task, now};
}

// A statement opens every index of the table, which costs as much as a row.
constexpr std::size_t rows_at_once = 8;

std::string insert_sql(std::size_t rows) {
  std::string sql =
      "INSERT INTO task (id, name, arguments, user_id, parent_id, priority, max_retries, time_limit_s,"
      " soft_time_limit_s, expires, phase, status, ready_at, created_at) VALUES";
  for (std::size_t row = 0; row < rows; ++row)
    sql.append(row ? ", " : " ").append("(?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, 'PENDING', ?, ?)");
  return sql + " ON CONFLICT (id) DO NOTHING";
}

// One, or as many as are inserted at once. How many of them were not known.
std::int64_t insert(Connection& connection, std::span<const Entry> entries) {
  static const std::string one = insert_sql(1), many = insert_sql(rows_at_once);
  auto insert = connection.prepare(entries.size() == 1 ? one : many);
  int parameter = 0;
  const auto bind = [&](const auto&... values) { (insert.bind(++parameter, values), ...); };
  for (const auto& [id, task, now] : entries) {
    for (std::string_view text :
         {std::string_view(id), std::string_view(task->name), std::string_view(task->arguments),
          std::string_view(task->user_id), std::string_view(task->parent_id)})
      bind(text);
    for (std::int64_t number :
         {std::int64_t{priority_step(task->priority)}, std::int64_t{task->max_retries},
          std::int64_t{task->time_limit_s}, std::int64_t{task->soft_time_limit_s}, task->expires,
          std::int64_t{task->not_before > now ? 0 : 1}, std::max(task->not_before, now), now})
      bind(number);
  }
  return insert.run();
}

// False when the id is known.
bool insert_named(Connection& connection, const Entry& entry) {
  // A final task is known for as long as its result is kept, whether or not a sweep has been by since.
  connection.run("DELETE FROM task WHERE id = ? AND phase = 3 AND finished_at <= ?", entry.id,
                 entry.now - results_kept_ms);
  return insert(connection, {&entry, 1}) > 0;
}

bool is_named(const Entry& entry) {
  return !entry.task->id.empty();
}

// How many of each name: few, since what is queued together is much alike.
using Tally = std::vector<std::pair<std::string_view, std::int64_t>>;

void add_one(Tally& tally, std::string_view name) {
  auto found = std::ranges::find(tally, name, &Tally::value_type::first);
  if (found == tally.end()) found = tally.insert(found, {name, 0});
  ++found->second;
}

// Nothing else makes a task, so nothing else counts new ones.
void insert_all(Connection& connection, std::span<const Entry> entries) {
  Tally names, parents;
  const auto count = [&](const Entry& entry) {
    add_one(names, entry.task->name);
    if (!entry.task->parent_id.empty()) add_one(parents, entry.task->parent_id);
  };
  for (auto rest = entries; !rest.empty();) {
    if (is_named(rest.front())) {
      if (insert_named(connection, rest.front())) count(rest.front());
      rest = rest.subspan(1);
      continue;
    }
    auto next = rest.first(std::min(rest.size(), rows_at_once));
    if (next.size() < rows_at_once || std::ranges::any_of(next, is_named)) next = rest.first(1);
    insert(connection, next);
    std::ranges::for_each(next, count);
    rest = rest.subspan(next.size());
  }
  for (const auto& [name, count] : names)
    connection.run(
        "INSERT INTO total VALUES (?, 'PENDING', ?2) ON CONFLICT DO UPDATE SET amount = amount + ?2", name,
        count);
  for (const auto& [parent_id, count] : parents)
    connection.run(
        "INSERT INTO batch VALUES (?, ?2, 0, ?3) ON CONFLICT DO UPDATE SET children = children + ?2,"
        " touched_at = ?3",
        parent_id, count, entries.front().now);
}

// A task that is queued by who does not wait.
class Enqueuing : public LaterSource<std::string> {
 public:
  Enqueuing(Database& database, const void* queue, NewTask task, Millis now)
      : database_(database), queue_(queue), task_(std::move(task)), entry_(make_entry(task_, now)) {}

  void begin(std::function<void()> ready) noexcept override;
  std::string take() override {
    if (error_) std::rethrow_exception(error_);
    return std::move(entry_.id);
  }
  const Entry& entry() const { return entry_; }
  void end(std::exception_ptr error) {
    error_ = std::move(error);
    // It may be gone as soon as it is told.
    auto told = std::move(ready_);
    told();
  }

 private:
  Database& database_;
  const void* queue_;
  NewTask task_;
  Entry entry_;
  std::function<void()> ready_;
  std::exception_ptr error_;
};

// What a thread queues for all that is ready at the moment, such as the links of one commit, as one change:
// the queue's writer wakes once, and counts them together.
class QueuedTogether {
 public:
  explicit QueuedTogether(Database& database) : database_(database) {}
  ~QueuedTogether();
  QueuedTogether(const QueuedTogether&) = delete;
  QueuedTogether& operator=(const QueuedTogether&) = delete;

  void add(Enqueuing& one) { all_.push_back(&one); }

 private:
  using All = std::vector<Enqueuing*>;
  static std::exception_ptr error_of(LaterSource<bool>& change);

  Database& database_;
  All all_;
};

QueuedTogether::~QueuedTogether() {
  std::vector<Entry> entries;
  entries.reserve(all_.size());
  for (const auto* one : all_) entries.push_back(one->entry());
  auto change = database_
                    .write_later([entries = std::move(entries)](Connection& connection) {
                      insert_all(connection, entries);
                      return true;
                    })
                    .source();
  change->begin([change, all = std::move(all_)] {
    for (auto* one : all) one->end(error_of(*change));
  });
}

// One of its own for each, who may be on different threads.
std::exception_ptr QueuedTogether::error_of(LaterSource<bool>& change) {
  try {
    change.take();
    return nullptr;
  } catch (const Error& error) {
    return std::make_exception_ptr(apart(error));
  } catch (...) {
    return std::current_exception();
  }
}

void Enqueuing::begin(std::function<void()> ready) noexcept {
  ready_ = std::move(ready);
  if (auto* batch = Batch::of_this_thread()) {
    auto& kept = batch->kept_for(queue_);
    if (!kept) kept = std::make_shared<QueuedTogether>(database_);
    static_cast<QueuedTogether*>(kept.get())->add(*this);
  } else {
    QueuedTogether(database_).add(*this);
  }
}

}  // namespace

std::string EmbeddedQueue::enqueue(const NewTask& task) {
  const std::array entries{make_entry(task, clock_())};
  database_->write([&](Connection& connection) { insert_all(connection, entries); });
  return entries.front().id;
}

Later<std::string> EmbeddedQueue::enqueue_later(NewTask task) {
  return Later<std::string>(std::make_shared<Enqueuing>(*database_, this, std::move(task), clock_()));
}

void EmbeddedQueue::enqueue_all(std::span<const NewTask> tasks) {
  std::vector<Entry> entries;
  entries.reserve(tasks.size());
  const Millis now = clock_();
  for (const auto& task : tasks) entries.push_back(make_entry(task, now));
  database_->write([&](Connection& connection) { insert_all(connection, entries); });
}

}  // namespace segments
