#include "dynamodb/stores.h"

#include "dynamodb/archive.h"
#include "dynamodb/segment_store.h"
#include "dynamodb/table.h"
#include "dynamodb/totals.h"
#include "dynamodb/video_store.h"

namespace segments {

struct DynamoStores::Parts {
  Parts(aws::Client& client, std::string table_name, EventLog& log, Metrics* metrics)
      : table(client, std::move(table_name)),
        segments(table, log, metrics),
        videos(table, log),
        events(log),
        totals(table),
        archive(table) {}

  dynamodb::Table table;
  dynamodb::DynamoSegmentStore segments;
  dynamodb::DynamoVideoStore videos;
  EventLog& events;
  dynamodb::DynamoTotals totals;
  dynamodb::DynamoArchive archive;
};

DynamoStores::DynamoStores(aws::Client& client, std::string table_name, EventLog& events, Metrics* metrics)
    : parts_(std::make_unique<Parts>(client, std::move(table_name), events, metrics)) {}
DynamoStores::~DynamoStores() = default;

SegmentStore& DynamoStores::segments() {
  return parts_->segments;
}
VideoStore& DynamoStores::videos() {
  return parts_->videos;
}
EventLog& DynamoStores::events() {
  return parts_->events;
}
Totals& DynamoStores::totals() {
  return parts_->totals;
}
Archive& DynamoStores::archive() {
  return parts_->archive;
}

}  // namespace segments
