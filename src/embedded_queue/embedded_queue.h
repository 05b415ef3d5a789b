// The durable task queue in a SQLite file of its own. Any thread may call it, and any number of processes may
// open the same file at once; a process that forks opens its own queue after the fork. What it cannot do now
// (a full disk, a busy file) is Error{unavailable}; asking an idle queue for work costs a read.
#pragma once

#include <filesystem>
#include <functional>
#include <memory>
#include <string>
#include <string_view>
#include <vector>

#include "base/metrics.h"
#include "base/time.h"
#include "queue/task_queue.h"

namespace segments {

namespace sqlite {
class Connection;
class Database;
}  // namespace sqlite

class EmbeddedQueue : public TaskQueue {
 public:
  // Makes the file and its folder when they are absent. Throws Error{internal} when the file is damaged or of
  // a newer version. `clock` gives the time of everything that is written.
  explicit EmbeddedQueue(const std::filesystem::path& file, std::function<Millis()> clock = now_ms,
                         Metrics* = nullptr);
  ~EmbeddedQueue() override;

  std::string enqueue(const NewTask&) override;
  Later<std::string> enqueue_later(NewTask) override;
  void enqueue_all(std::span<const NewTask>) override;
  std::optional<TaskState> find_task(std::string_view task_id) override;
  bool revoke(std::string_view task_id) override;

  void beat(std::string_view worker) override;
  std::vector<LeasedTask> lease_tasks(std::string_view worker, int most, int lease_ms) override;
  bool renew(const LeasedTask&, int lease_ms) override;
  bool put_task_progress(std::string_view task_id, double progress, std::string_view message) override;
  bool finish(const LeasedTask&, std::string_view result_json) override;
  bool retry(const LeasedTask&, std::string_view error, Millis not_before) override;
  bool fail(const LeasedTask&, std::string_view error) override;
  bool hand_back(const LeasedTask&) override;
  std::vector<std::string> revoked_tasks(const std::vector<std::string>& task_ids) override;
  std::vector<GivenUpTask> lease_given_up(int most, int lease_ms) override;
  bool settle_given_up(const LeasedTask&) override;

  std::vector<DeadLetter> list_dead_letters(std::string_view after, std::size_t limit) override;
  bool requeue_dead_letter(std::string_view task_id) override;
  bool remove_dead_letter(std::string_view task_id) override;

  QueueHealth health() override;
  void sweep() override;

 private:
  template <class... T>
  bool change(std::string_view sql, const T&... values);

  std::function<Millis()> clock_;
  std::unique_ptr<sqlite::Database> database_;
};

}  // namespace segments
