// The event log and the totals in SQLite.
#pragma once

#include <condition_variable>
#include <mutex>
#include <thread>

#include "sqlite/database.h"
#include "store/event_log.h"

namespace segments::sqlite {

// Inside the caller's transaction, whose end appends the event after those noted before. Of no job.
void note_event(Connection&, std::int64_t user_ref, Event&&);
void write_noted_events(Connection&);
// The same at once; the event's id.
std::int64_t append_event(Connection&, std::int64_t user_ref, const Event&);

class SqliteEventLog : public EventLog {
 public:
  explicit SqliteEventLog(Database&);
  ~SqliteEventLog() override;

  std::int64_t append_event(const Event&) override;
  std::vector<Event> list_events(const EventFilter&, std::int64_t after, std::size_t limit) override;
  std::optional<Event> find_last_event(std::string_view job_id) override;
  std::int64_t newest_event_id() override;
  std::int64_t oldest_event_id() override;
  void remove_events_before(Millis) override;
  void on_new_events(std::function<void()> notify) override;
  void check_writable() override { database_.check(); }

  // This process has committed something: looks for new events at once.
  void look();

 private:
  void watch(const std::function<void()>& notify);
  void stop_watching();

  Database& database_;
  std::mutex listener_mutex_;  // of on_new_events(), which starts and ends the thread
  std::mutex mutex_;
  std::condition_variable wake_;
  bool is_watching_ = false;
  bool has_committed_ = false;
  std::thread watcher_;
};

class SqliteTotals : public Totals {
 public:
  explicit SqliteTotals(Database& database) : database_(database) {}
  void add_total(std::string_view name, std::int64_t n) override;
  std::vector<std::pair<std::string, std::int64_t>> list_totals() override;

 private:
  Database& database_;
};

}  // namespace segments::sqlite
