// Redis passes the contract suite of the event log, on its own and as the copy of a store's.
#include "redis_events/deferred_event_log.h"
#include "redis_events/test_log.h"
#include "store/event_log_contract.h"

namespace segments::contract {

namespace {

// All but the events is SQLite's.
class WithSqlite : public Stores {
 public:
  SegmentStore& segments() override { return stores_.segments(); }
  VideoStore& videos() override { return stores_.videos(); }
  Totals& totals() override { return stores_.totals(); }
  Archive& archive() override { return stores_.archive(); }

 protected:
  sqlite::TestFolder folder_;
  SqliteStores stores_{{.file = folder_.path() / "segments.db"}};
  redis::RedisServer server_;
  redis::Client client_{redis::parse_url(server_.url())};
};

class RedisUnderTest : public WithSqlite {
 public:
  EventLog& events() override { return events_; }

 private:
  RedisEventLog events_{client_};
};

class DeferredUnderTest : public WithSqlite {
 public:
  EventLog& events() override { return events_; }

 private:
  RedisEventLog log_{client_};
  DeferredEventLog events_{log_, log_};
};

class RelayedUnderTest : public WithSqlite {
 public:
  EventLog& events() override { return events_; }

 private:
  RelayedEventLog events_{stores_.events(), client_};
};

// The very same with a Redis that is not there.
class RelayedWithoutRedis : public RelayedUnderTest {
 public:
  RelayedWithoutRedis() { server_.kill(); }
};

const StoresFactory factories[] = {
    {"Redis", [] { return std::make_unique<RedisUnderTest>(); }},
    {"Deferred", [] { return std::make_unique<DeferredUnderTest>(); }},
    {"Relayed", [] { return std::make_unique<RelayedUnderTest>(); }},
    {"RelayedWithoutRedis", [] { return std::make_unique<RelayedWithoutRedis>(); }},
};

}  // namespace

INSTANTIATE_TEST_SUITE_P(Stores, EventLogContract, testing::ValuesIn(factories), name_of_factory);

}  // namespace segments::contract
