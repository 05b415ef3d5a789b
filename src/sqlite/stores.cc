#include "sqlite/stores.h"

#include "sqlite/archive.h"
#include "sqlite/change_log.h"
#include "sqlite/database.h"
#include "sqlite/event_log.h"
#include "sqlite/schema.h"
#include "sqlite/segment_functions.h"
#include "sqlite/segment_store.h"
#include "sqlite/video_store.h"

namespace segments {

namespace {

sqlite::DatabaseOptions database_options(const SqliteOptions& options) {
  return {.file = options.file,
          .busy_timeout_ms = options.busy_timeout_ms,
          .cache_mb = options.cache_mb,
          .max_pages = options.max_pages,
          .name = "segments",
          .on_open = sqlite::add_segment_functions};
}

}  // namespace

struct SqliteStores::Parts {
  Parts(const SqliteOptions& options, Metrics* metrics)
      : database(database_options(options), sqlite::store_schema(), metrics),
        segments(database, static_cast<std::size_t>(options.library_mb) << 20, metrics),
        videos(database),
        events(database),
        totals(database),
        archive(database) {
    database.before_commit(sqlite::write_notes);
    database.after_commit([this] { events.look(); });
  }

  sqlite::Database database;
  sqlite::SqliteSegmentStore segments;
  sqlite::SqliteVideoStore videos;
  sqlite::SqliteEventLog events;
  sqlite::SqliteTotals totals;
  sqlite::SqliteArchive archive;
};

SqliteStores::SqliteStores(const SqliteOptions& options, Metrics* metrics)
    : parts_(std::make_unique<Parts>(options, metrics)) {}
SqliteStores::~SqliteStores() = default;

SegmentStore& SqliteStores::segments() {
  return parts_->segments;
}
VideoStore& SqliteStores::videos() {
  return parts_->videos;
}
EventLog& SqliteStores::events() {
  return parts_->events;
}
Totals& SqliteStores::totals() {
  return parts_->totals;
}
Archive& SqliteStores::archive() {
  return parts_->archive;
}

}  // namespace segments
