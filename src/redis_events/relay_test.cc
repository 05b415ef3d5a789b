#include "redis_events/relay.h"

#include <sys/prctl.h>
#include <sys/wait.h>
#include <unistd.h>

#include <map>
#include <random>
#include <set>

#include "describe/encode.h"
#include "redis_events/test_log.h"
#include "store/contract.h"

namespace segments::redis_events {

namespace {

// What comes on the jobs' channels.
class Channels {
 public:
  explicit Channels(const std::string& url)
      : subscriber_(redis::parse_url(url), {}, {"job_progress_*"},
                    {[this](std::string_view channel, std::string_view message) {
                       std::lock_guard lock(mutex_);
                       heard_[std::string(channel) + " " + std::string(message)]++;
                     },
                     [this] { is_listening_ = true; }}) {
    EXPECT_TRUE(await([&] { return is_listening_.load(); }));
  }
  std::map<std::string, int> heard() {
    std::lock_guard lock(mutex_);
    return heard_;
  }

 private:
  std::mutex mutex_;
  std::map<std::string, int> heard_;
  std::atomic<bool> is_listening_ = false;
  redis::Subscriber subscriber_;
};

class Relay : public testing::Test {
 protected:
  std::filesystem::path file() { return folder_.path() / "segments.db"; }
  void open() {
    stores_.emplace(SqliteOptions{.file = file()});
    source_ = &stores_->events();
  }
  void append(int count, const std::string& job_id = "") {
    for (int i = 0; i < count; ++i, ++n_)
      source_->append_event(make_event(n_, "user" + std::to_string(n_ % 7), job_id));
  }
  std::int64_t keys() { return client_.ask({"DBSIZE"}).integer; }

  sqlite::TestFolder folder_;
  // What was written outlives kill -9 of the server without a flush for each command.
  redis::RedisServer server_{{.arguments = {"--appendfsync", "everysec"}, .append_only = true}};
  redis::Client client_{redis::parse_url(server_.url())};
  RedisEventLog copy_{client_};
  std::optional<SqliteStores> stores_;
  EventLog* source_ = nullptr;
  int n_ = 0;
};

TEST_F(Relay, CopiesEverythingInOrderWithItsIds) {
  open();
  append(300);
  append(10, "j1");
  EventRelay relay(*source_, copy_);
  ASSERT_TRUE(await([&] { return is_caught_up(*source_, copy_); }));
  append(100);
  append(5, "j2");
  ASSERT_TRUE(await([&] { return is_caught_up(*source_, copy_); }));
  EXPECT_TRUE(relay.is_redis_up());
  expect_same(*source_, copy_);
  for (int user = 0; user < 7; ++user)
    expect_same(*source_, copy_, {.user_id = "user" + std::to_string(user), .job_id = {}});
  for (std::string job : {"j1", "j2", "none"}) expect_same(*source_, copy_, {.user_id = {}, .job_id = job});
}

TEST_F(Relay, CopiesOfTheSameEventsChangeNothing) {
  open();
  append(20, "j");
  auto events = source_->list_events({}, 0, all);
  auto copied = [&](std::int64_t after, std::size_t from, std::size_t to) {
    return copy_.copy_events({after, std::span(events).subspan(from, to - from), 0, 0});
  };
  EXPECT_EQ(copied(5, 5, 8), 0) << "those before are missing";
  EXPECT_EQ(copy_.newest_event_id(), 0);
  EXPECT_EQ(copied(0, 0, 5), 5);
  EXPECT_EQ(copied(0, 0, 5), 5);
  EXPECT_EQ(copied(3, 3, 12), 12) << "another relay had copied a part";
  EXPECT_EQ(copied(0, 0, 2), 12) << "an old batch of one that slept";
  EXPECT_EQ(copied(12, 12, 20), 20);
  expect_same(*source_, copy_);
  expect_same(*source_, copy_, {.user_id = {}, .job_id = "j"});
}

TEST_F(Relay, PublishesProgressAsStored) {
  open();
  EventRelay relay(*source_, copy_);
  Channels channels(server_.url());
  stores_->videos().create_video(contract::make_video("v1"));
  stores_->videos().put_progress(contract::make_progress("v1", "segmenting", 30));
  stores_->videos().put_progress(contract::make_progress("v1", "completed", 100));
  ASSERT_TRUE(await([&] { return channels.heard().size() >= 2; }));
  std::map<std::string, int> wanted;
  for (const auto& event : source_->list_events({.user_id = {}, .job_id = "v1"}, 0, all))
    wanted["job_progress_v1 " + event.data] = 1;
  EXPECT_EQ(channels.heard(), wanted);
  EXPECT_TRUE(wanted.contains("job_progress_v1 " + encode(contract::make_progress("v1", "segmenting", 30))));
}

TEST_F(Relay, FillsARedisThatLostEverythingAndDoesNotPublishAgain) {
  open();
  EventRelay relay(*source_, copy_);
  Channels channels(server_.url());
  append(700, "j");
  ASSERT_TRUE(await([&] { return channels.heard().size() == 700; }));
  client_.ask({"FLUSHALL"});
  append(50, "j");
  ASSERT_TRUE(await([&] { return is_caught_up(*source_, copy_) && channels.heard().size() == 750; }));
  expect_same(*source_, copy_);
  for (const auto& [message, times] : channels.heard()) EXPECT_EQ(times, 1) << message;
}

TEST_F(Relay, NoticesALossThoughNothingHappens) {
  open();
  EventRelay relay(*source_, copy_);
  append(10);
  ASSERT_TRUE(await([&] { return is_caught_up(*source_, copy_); }));
  client_.ask({"FLUSHALL"});
  ASSERT_TRUE(await([&] { return is_caught_up(*source_, copy_); }));
  expect_same(*source_, copy_);
}

TEST_F(Relay, GoesOnOverRestarts) {
  open();
  EventRelay relay(*source_, copy_);
  for (int i = 0; i < 3; ++i) {
    append(100);
    server_.kill();
    append(100);
    ASSERT_TRUE(await([&] { return !relay.is_redis_up(); }));
    server_.start();
    append(100);
  }
  ASSERT_TRUE(await([&] { return is_caught_up(*source_, copy_); }));
  expect_same(*source_, copy_);
}

TEST_F(Relay, FollowsTheRemovalOfOldEvents) {
  open();
  EventRelay relay(*source_, copy_);
  append(600, "j");
  ASSERT_TRUE(await([&] { return is_caught_up(*source_, copy_); }));
  source_->remove_events_before(1'000 + 520);
  ASSERT_TRUE(await([&] { return is_caught_up(*source_, copy_); }));
  expect_same(*source_, copy_);
  source_->remove_events_before(100'000);
  ASSERT_TRUE(await([&] { return is_caught_up(*source_, copy_); }));
  EXPECT_EQ(keys(), 1);
  client_.ask({"FLUSHALL"});
  ASSERT_TRUE(await([&] { return is_caught_up(*source_, copy_); }))
      << "the newest id is known though its event is gone";
  append(1);
  ASSERT_TRUE(await([&] { return is_caught_up(*source_, copy_); }));
  expect_same(*source_, copy_);
}

TEST_F(Relay, ReplacesWhatAnotherStoreLeft) {
  for (int more : {0, 200}) {
    {
      sqlite::TestFolder other_folder;
      SqliteStores other({.file = other_folder.path() / "other.db"});
      for (int i = 0; i < 50 + more; ++i) other.events().append_event(make_event(-i, "somebody", "x"));
      EventRelay relay(other.events(), copy_);
      ASSERT_TRUE(await([&] { return is_caught_up(other.events(), copy_); }));
    }
    if (!stores_) open();
    append(70);  // beyond the other's at first, then below
    EventRelay relay(*source_, copy_), second(*source_, copy_);
    ASSERT_TRUE(await([&] { return is_caught_up(*source_, copy_) && relay.is_redis_up(); }));
    expect_same(*source_, copy_);
    EXPECT_EQ(keys(), 1 + 7);
  }
}

// Two data folders on one Redis database: a mistake that must not cost the processors of both and of Redis.
TEST_F(Relay, TwoLivingStoresDoNotReplaceEachOtherForEver) {
  sqlite::TestFolder other_folder;
  SqliteStores other({.file = other_folder.path() / "other.db"});
  for (int i = 0; i < 30; ++i) other.events().append_event(make_event(-i, "somebody", "x"));
  open();
  append(50);
  auto cleared = [&] {
    auto stats = client_.ask({"INFO", "commandstats"}).text;
    auto at = stats.find("cmdstat_unlink:calls=");
    return at == stats.npos ? 0 : std::stoi(stats.substr(at + 21));
  };
  EventRelay first(other.events(), copy_), second(*source_, copy_);
  ASSERT_TRUE(await([&] { return !first.is_redis_up() || !second.is_redis_up(); }));
  int then = cleared();
  std::this_thread::sleep_for(std::chrono::seconds(4));  // four rounds of each
  EXPECT_LE(cleared() - then, 20) << "each clears once, key by key";
}

TEST_F(Relay, ServesAThousandUsers) {
  open();
  EventRelay relay(*source_, copy_);
  contract::run_at_once(4, [&](int thread) {
    for (int i = 0; i < 500; ++i)
      source_->append_event(make_event(i, "u" + std::to_string((thread * 500 + i) % 1'000)));
  });
  ASSERT_TRUE(await([&] { return is_caught_up(*source_, copy_); }));
  std::size_t found = 0;
  for (int user = 0; user < 1'000; ++user) {
    EventFilter filter{.user_id = "u" + std::to_string(user), .job_id = {}};
    auto events = copy_.list_events(filter, 0, all);
    found += events.size();
    EXPECT_EQ(shown(events), shown(source_->list_events(filter, 0, all)));
  }
  EXPECT_EQ(found, 2'000u);
  EXPECT_EQ(keys(), 1'001);
  source_->remove_events_before(100'000);
  EXPECT_TRUE(await([&] { return keys() == 1; }));
}

// A process of its own that keeps two processes with relays, kills one of them again and again, and starts
// another. Forked before this process has threads.
class RelayProcesses {
 public:
  RelayProcesses(std::filesystem::path file, std::string url) {
    if (pipe(kills_) != 0) throw std::runtime_error("pipe");
    keeper_ = fork();
    if (keeper_ == 0) keep(file, url);
    close(kills_[1]);
  }
  ~RelayProcesses() {
    close(kills_[0]);
    kill(keeper_, SIGKILL);  // the relays go with it
    waitpid(keeper_, nullptr, 0);
  }
  // Returns when one more was killed.
  bool await_kill() {
    char byte = 0;
    return read(kills_[0], &byte, 1) == 1;
  }

 private:
  [[noreturn]] void keep(const std::filesystem::path& file, const std::string& url) {
    prctl(PR_SET_PDEATHSIG, SIGKILL);
    signal(SIGPIPE, SIG_DFL);
    std::minstd_rand random(7);
    pid_t relays[2] = {start(file, url), start(file, url)};
    for (int i = 0;; ++i) {
      // Not to wait for anything: it chooses where in its work a relay is hit. Once the test has seen what it
      // counts they live longer and longer, so that they come to an end on a slow machine, too.
      int longest_us = 120'000 + 4'000 * std::max(0, i - 60);
      usleep(static_cast<useconds_t>(std::uniform_int_distribution<int>(1'000, longest_us)(random)));
      kill(relays[i % 2], SIGKILL);
      waitpid(relays[i % 2], nullptr, 0);
      relays[i % 2] = start(file, url);
      if (write(kills_[1], "k", 1) != 1) _exit(1);
    }
  }
  static pid_t start(const std::filesystem::path& file, const std::string& url) {
    pid_t relay = fork();
    if (relay != 0) return relay;
    prctl(PR_SET_PDEATHSIG, SIGKILL);
    SqliteStores stores({.file = file});
    redis::Client client(redis::parse_url(url));
    RelayedEventLog log(stores.events(), client);
    while (true) pause();
  }

  int kills_[2];
  pid_t keeper_;
};

TEST_F(Relay, LosesAndRepeatsNothingWhenRelaysAreKilled) {
  { SqliteStores made({.file = file()}); }
  RelayProcesses relays(file(), server_.url());
  open();
  Channels channels(server_.url());
  append(1);
  // What was before a relay met an empty Redis is history, and not announced.
  ASSERT_TRUE(await([&] { return is_caught_up(*source_, copy_); }));
  // Reads as the hub does, behind the relays.
  std::vector<Event> seen;
  auto read = [&] {
    for (auto& event : copy_.list_events({}, seen.empty() ? 0 : seen.back().id, 64))
      seen.push_back(std::move(event));
  };
  for (int kills = 0; kills < 60; ++kills) {
    append(20, "j" + std::to_string(kills));
    read();
    ASSERT_TRUE(relays.await_kill());
  }
  ASSERT_TRUE(await([&] {
    read();
    return !seen.empty() && seen.back().id == source_->newest_event_id();
  }));
  EXPECT_EQ(shown(seen), shown(source_->list_events({}, 0, all)));
  expect_same(*source_, copy_);
  for (int user = 0; user < 7; ++user)
    expect_same(*source_, copy_, {.user_id = "user" + std::to_string(user), .job_id = {}});
  // A killed relay leaves its announcements done or undone with its copies.
  ASSERT_TRUE(await([&] { return channels.heard().size() == seen.size() - 1; }))
      << channels.heard().size() << " of " << seen.size() - 1;
  for (const auto& [message, times] : channels.heard()) EXPECT_EQ(times, 1) << message;
}

}  // namespace

}  // namespace segments::redis_events
