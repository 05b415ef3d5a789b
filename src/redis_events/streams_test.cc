// Streams as the API serves them, over Redis that dies, comes back and forgets.
#include <map>
#include <mutex>

#include "api/events.h"
#include "base/metrics.h"
#include "redis_events/test_log.h"
#include "store/contract.h"

namespace segments::redis_events {

namespace {

// A client's end: the ids that came, in order.
class Stream : public EventStream {
 public:
  bool send(std::shared_ptr<const std::string> event) override {
    std::lock_guard lock(mutex_);
    if (is_closed_) return false;
    text_ += *event;
    ids_.push_back(std::stoll(event->substr(4)));
    return true;
  }
  void close() override {
    std::function<void()> tell;
    {
      std::lock_guard lock(mutex_);
      if (std::exchange(is_closed_, true)) return;
      tell = on_closed_;
    }
    if (tell) tell();
  }
  bool is_closed() const override {
    std::lock_guard lock(mutex_);
    return is_closed_;
  }
  void on_closed(std::function<void()> f) override {
    std::lock_guard lock(mutex_);
    on_closed_ = std::move(f);
  }
  std::vector<std::int64_t> ids() const {
    std::lock_guard lock(mutex_);
    return ids_;
  }
  std::string text() const {
    std::lock_guard lock(mutex_);
    return text_;
  }

 private:
  mutable std::mutex mutex_;
  std::string text_;
  std::vector<std::int64_t> ids_;
  bool is_closed_ = false;
  std::function<void()> on_closed_;
};

// What an API process has open; two of them share the file and Redis.
struct ApiProcess {
  ApiProcess(const std::filesystem::path& file, const std::string& url)
      : stores({.file = file}),
        client(redis::parse_url(url)),
        log(stores.events(), client),
        hub(log, stores.videos(), metrics) {}

  std::shared_ptr<Stream> open(Subscription subscription) {
    auto stream = std::make_shared<Stream>();
    hub.subscribe(stream, std::move(subscription));
    return stream;
  }
  std::shared_ptr<Stream> open_user(const std::string& user, std::optional<std::int64_t> last_event_id = {}) {
    return open({user, std::nullopt, last_event_id, log.newest_event_id()});
  }
  void append(int count, const std::string& user) {
    for (int i = 0; i < count; ++i) stores.events().append_event(make_event(i, user));
  }
  std::vector<std::int64_t> ids(const EventFilter& filter, std::int64_t after = 0) {
    std::vector<std::int64_t> found;
    for (const auto& event : stores.events().list_events(filter, after, all)) found.push_back(event.id);
    return found;
  }

  SqliteStores stores;
  Metrics metrics;
  redis::Client client;
  RelayedEventLog log;
  EventHub hub;
};

class Streams : public testing::TestWithParam<bool> {
 protected:
  bool keeps_data() const { return GetParam(); }
  void expect_all(Stream& stream, const std::vector<std::int64_t>& wanted) {
    EXPECT_TRUE(await([&] { return stream.ids().size() >= wanted.size(); }));
    EXPECT_EQ(stream.ids(), wanted);
  }

  sqlite::TestFolder folder_;
  redis::RedisServer server_{{.arguments = {"--appendfsync", "everysec"}, .append_only = GetParam()}};
  ApiProcess first_{folder_.path() / "segments.db", server_.url()};
  ApiProcess second_{folder_.path() / "segments.db", server_.url()};
};

TEST_P(Streams, StayOpenAndMissAndRepeatNothing) {
  auto anns = first_.open_user("ann"), bobs = second_.open_user("bob");
  const EventFilter ann{.user_id = "ann", .job_id = {}}, bob{.user_id = "bob", .job_id = {}};
  for (int round = 0; round < 3; ++round) {
    second_.append(30, "ann");
    first_.append(10, "bob");
    expect_all(*anns, first_.ids(ann));
    server_.kill();
    first_.append(30, "ann");
    second_.append(10, "bob");
    expect_all(*anns, first_.ids(ann));  // streams do not wait for Redis
    expect_all(*bobs, first_.ids(bob));
    server_.start();
    first_.append(30, "ann");
    // A client that comes back, to the other process, while Redis is being filled.
    auto half = anns->ids()[anns->ids().size() / 2];
    auto resumed = second_.open_user("ann", half);
    expect_all(*resumed, first_.ids(ann, half));
    EXPECT_EQ(resumed->text().find("reset"), std::string::npos);
    resumed->close();
    ASSERT_TRUE(await([&] { return is_caught_up(first_.stores.events(), first_.log.copy()); }));
  }
  expect_all(*anns, first_.ids(ann));
  expect_all(*bobs, first_.ids(bob));
  EXPECT_FALSE(anns->is_closed());
  EXPECT_FALSE(bobs->is_closed());
  expect_same(first_.stores.events(), first_.log.copy());
}

TEST_P(Streams, OfAJobEndWithItWhereverItRuns) {
  auto& videos = first_.stores.videos();
  videos.create_video(contract::make_video("v1"));
  auto early = second_.open({std::nullopt, "v1", std::nullopt, 0});
  videos.put_progress(contract::make_progress("v1", "segmenting", 20));
  ASSERT_TRUE(await([&] { return !early->ids().empty(); }));
  server_.kill();
  videos.put_progress(contract::make_progress("v1", "uploading", 60));
  server_.start();
  videos.put_progress(contract::make_progress("v1", "completed", 100));
  EXPECT_TRUE(await([&] { return early->is_closed(); }));
  auto first_id = first_.ids({.user_id = {}, .job_id = "v1"}).front();
  auto late = second_.open({std::nullopt, "v1", std::nullopt, 0});
  auto resumed = first_.open({std::nullopt, "v1", first_id, 0});
  EXPECT_TRUE(await([&] { return late->is_closed() && resumed->is_closed(); }));
  EXPECT_EQ(late->ids(), (std::vector{first_id + 2}));
  EXPECT_EQ(resumed->ids(), (std::vector{first_id + 1, first_id + 2}));
}

TEST_P(Streams, OfAThousandUsersGetTheirOwn) {
  std::map<std::string, std::shared_ptr<Stream>> streams;
  for (int user = 0; user < 1'000; ++user) {
    auto name = "u" + std::to_string(user);
    streams[name] = (user % 2 ? first_ : second_).open_user(name);
  }
  for (int part = 0; part < 2; ++part) {
    contract::run_at_once(2, [&](int side) {
      for (int user = side; user < 1'000; user += 2)
        (side ? second_ : first_).append(1, "u" + std::to_string(user));
    });
    if (part == 0) server_.restart();
  }
  for (auto& [name, stream] : streams) {
    auto wanted = first_.ids({.user_id = name, .job_id = {}});
    ASSERT_EQ(wanted.size(), 2u);
    expect_all(*stream, wanted);
  }
}

INSTANTIATE_TEST_SUITE_P(Redis, Streams, testing::Bool(),
                         [](const auto& info) { return info.param ? "Kept" : "Wiped"; });

}  // namespace

}  // namespace segments::redis_events
