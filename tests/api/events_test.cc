// Both event streams, from the log to the bytes that a client reads.
#include <condition_variable>
#include <mutex>
#include <thread>

#include "api/fixture.h"
#include "base/text.h"
#include "http/event_stream.h"

namespace segments::testing {
namespace {

struct Received {
  std::string id, event;
  boost::json::value data;
};

// A client that takes down what it is sent.
class Client : public EventStream {
 public:
  bool send(std::shared_ptr<const std::string> bytes) override {
    std::lock_guard lock(mutex_);
    if (closed_) return false;
    text_ += *bytes;
    changed_.notify_all();
    return true;
  }
  void close() override { finish(); }
  bool is_closed() const override {
    std::lock_guard lock(mutex_);
    return closed_;
  }
  void on_closed(std::function<void()> callback) override {
    std::unique_lock lock(mutex_);
    callback_ = std::move(callback);
  }
  void go_away() { finish(); }

  // Waits until so many events came; fewer when that takes too long.
  std::vector<Received> wait_for(std::size_t count) {
    std::unique_lock lock(mutex_);
    changed_.wait_for(lock, std::chrono::seconds(20), [&] { return parse().size() >= count; });
    return parse();
  }
  bool wait_for_close() {
    std::unique_lock lock(mutex_);
    return changed_.wait_for(lock, std::chrono::seconds(20), [&] { return closed_; });
  }

 private:
  void finish() {
    std::function<void()> callback;
    {
      std::lock_guard lock(mutex_);
      if (closed_) return;
      closed_ = true;
      callback = std::move(callback_);
      changed_.notify_all();
    }
    if (callback) callback();
  }
  std::vector<Received> parse() const {
    std::vector<Received> events;
    std::size_t from = 0;
    for (auto end = text_.find("\n\n"); end != text_.npos; end = text_.find("\n\n", from)) {
      Received received;
      for (const auto& line : split(text_.substr(from, end - from), '\n')) {
        if (line.starts_with("id: ")) received.id = line.substr(4);
        if (line.starts_with("event: ")) received.event = line.substr(7);
        if (line.starts_with("data: ")) received.data = boost::json::parse(line.substr(6));
      }
      if (!received.event.empty()) events.push_back(std::move(received));
      from = end + 2;
    }
    return events;
  }

  mutable std::mutex mutex_;
  std::condition_variable changed_;
  std::string text_;
  bool closed_ = false;
  std::function<void()> callback_;
};

class Events : public ApiTest {
 public:
  explicit Events(AuthMode mode = AuthMode::token) : ApiTest(mode) {}

 protected:
  std::shared_ptr<Client> open(const std::string& target, const std::string& user = "alice",
                               Headers headers = {}) {
    auto answer = get(target, user, std::move(headers));
    EXPECT_EQ(answer.status, 200) << answer.body;
    EXPECT_TRUE(answer.header("Content-Type").starts_with("text/event-stream"));
    auto client = std::make_shared<Client>();
    if (answer.response.stream) answer.response.stream(client);
    return client;
  }
  void make_job(const std::string& id, const std::string& user = "alice") {
    Video video;
    video.video_id = id;
    video.user_id = user;
    video.upload_date = video.updated_at = now_text();
    video.bucket_location = "uploads/" + id + "/x.mp4";
    ASSERT_TRUE(services().videos.create_video(video));
  }
  void progress(const std::string& id, const std::string& stage, double percentage) {
    JobProgress progress;
    progress.job_id = id;
    progress.stage = stage;
    progress.message = stage;
    progress.progress_percentage = percentage;
    progress.timestamp = now_text();
    if (stage == "completed")
      progress.output_urls = std::vector<std::string>{"processed/" + id + "/segment_001.mp4"};
    ASSERT_TRUE(services().videos.put_progress(progress));
  }
};

TEST_F(Events, AUserSeesTheirOwnAsTheyHappen) {
  auto alice = open("/api/events"), bob = open("/api/events", "bob");
  std::string id = create_segment("alice", "v1");
  put("/api/segments/" + id, R"({"title":"x"})");
  remove("/api/segments/" + id);
  create_segment("bob", "w1");
  auto events = alice->wait_for(3);
  ASSERT_EQ(events.size(), 3u);
  EXPECT_EQ(events[0].event, "segment.created");
  EXPECT_EQ(events[1].event, "segment.updated");
  EXPECT_EQ(events[2].event, "segment.deleted");
  for (const auto& event : events) {
    EXPECT_EQ(event.data.at("segment_id").as_string(), id);
    EXPECT_FALSE(event.id.empty());
  }
  auto others = bob->wait_for(1);
  ASSERT_EQ(others.size(), 1u);
  EXPECT_EQ(others[0].data.at("video_id").as_string(), "w1");
}

TEST_F(Events, AResumeMissesNothingAndRepeatsNothingWhileOthersWrite) {
  constexpr int writers = 4, each = 60;
  // Where it begins is known: an id before all that a log holds may as well be one that it has lost.
  std::string last = std::to_string(
      services().events.append_event({0, "segment.updated", "alice", std::nullopt, "{}", now_ms()}));
  std::vector<std::thread> threads;
  for (int w = 0; w < writers; ++w)
    threads.emplace_back([&, w] {
      for (int i = 0; i < each; ++i) create_segment("alice", "v" + std::to_string(w), i);
    });
  // A client that comes and goes all the while, each time from where it was.
  std::vector<std::string> ids;
  while (ids.size() < writers * each) {
    auto client = open("/api/events", "alice", {{"Last-Event-ID", last}});
    auto events = client->wait_for(std::min<std::size_t>(7, writers * each - ids.size()));
    client->go_away();
    ASSERT_FALSE(events.empty()) << ids.size();
    for (const auto& event : events) {
      EXPECT_EQ(event.event, "segment.created");
      ids.push_back(event.id);
    }
    last = events.back().id;
  }
  for (auto& thread : threads) thread.join();
  ASSERT_EQ(ids.size(), static_cast<std::size_t>(writers * each));
  for (std::size_t i = 1; i < ids.size(); ++i) ASSERT_LT(std::stoll(ids[i - 1]), std::stoll(ids[i]));
  EXPECT_EQ(std::stoll(ids.back()), services().events.newest_event_id());
}

TEST_F(Events, ALongReplayComesWholeAndThenGoesOnLive) {
  std::int64_t first = 0;
  for (int i = 0; i < 700; ++i) {
    auto id = services().events.append_event(
        {0, "segment.updated", "alice", std::nullopt, "{\"n\":" + std::to_string(i) + "}", now_ms()});
    if (i == 0) first = id;
  }
  auto client = open("/api/events?last_event_id=" + std::to_string(first - 1));
  ASSERT_EQ(client->wait_for(700).size(), 700u);
  create_segment();
  auto events = client->wait_for(701);
  ASSERT_EQ(events.size(), 701u);
  for (int i = 0; i < 700; ++i) ASSERT_EQ(events[i].data.at("n").as_int64(), i);
  EXPECT_EQ(events.back().event, "segment.created");
}

TEST_F(Events, WithoutAnIdAUsersStreamBeginsNow) {
  create_segment("alice", "v1", 1);
  for (const char* garbage : {"", "abc", "-5", "1.5", "99999999999999999999", "1 2"}) {
    auto client = open("/api/events", "alice", {{"Last-Event-ID", garbage}});
    std::string id = create_segment("alice", "v1", 2);
    auto events = client->wait_for(1);
    ASSERT_FALSE(events.empty()) << garbage;
    EXPECT_EQ(events[0].data.at("segment_id").as_string(), id) << garbage;
    client->go_away();
  }
}

TEST_F(Events, WhatIsNotKeptAnyMoreIsSaidSo) {
  for (int i = 0; i < 10; ++i)
    services().events.append_event({0, "segment.updated", "alice", std::nullopt, "{}", 1'000});
  auto first_kept =
      services().events.append_event({0, "segment.updated", "alice", std::nullopt, "{}", now_ms()});
  services().events.remove_events_before(500'000);
  ASSERT_EQ(services().events.oldest_event_id(), first_kept);
  auto client = open("/api/events", "alice", {{"Last-Event-ID", "3"}});
  auto events = client->wait_for(1);
  ASSERT_EQ(events.size(), 1u);
  EXPECT_EQ(events[0].event, "reset");
  EXPECT_EQ(events[0].id, std::to_string(first_kept));
  create_segment();
  EXPECT_EQ(client->wait_for(2).back().event, "segment.created");

  auto nothing_lost = open("/api/events", "alice", {{"Last-Event-ID", std::to_string(first_kept - 1)}});
  EXPECT_EQ(nothing_lost->wait_for(1).front().event, "segment.updated");
  auto from_elsewhere = open("/api/events", "alice", {{"Last-Event-ID", "999999"}});
  EXPECT_EQ(from_elsewhere->wait_for(1).front().event, "reset");
}

TEST_F(Events, AJobIsFollowedToItsEnd) {
  make_job("j1");
  progress("j1", "extracting", 10);
  auto client = open("/api/job-progress/j1/stream");
  auto first = client->wait_for(1);
  ASSERT_EQ(first.size(), 1u);  // a late subscriber gets the last state at once
  EXPECT_EQ(first[0].event, "progress");
  EXPECT_EQ(first[0].data.at("stage").as_string(), "extracting");
  progress("j1", "processing_segment", 50);
  progress("j1", "uploading", 40);  // never falls
  progress("j1", "completed", 100);
  ASSERT_TRUE(client->wait_for_close());
  auto events = client->wait_for(4);
  ASSERT_EQ(events.size(), 4u);
  double last = 0;
  for (const auto& event : events) {
    EXPECT_EQ(event.event, "progress");
    EXPECT_FALSE(event.id.empty());
    EXPECT_GE(event.data.at("progress_percentage").to_number<double>(), last);
    last = event.data.at("progress_percentage").to_number<double>();
  }
  EXPECT_EQ(events.back().data.at("stage").as_string(), "completed");
  EXPECT_EQ(events.back().data.at("output_urls").at(0).as_string(), "processed/j1/segment_001.mp4");

  auto late = open("/api/job-progress/j1/stream");
  EXPECT_TRUE(late->wait_for_close());
  auto last_state = late->wait_for(1);
  ASSERT_EQ(last_state.size(), 1u);
  EXPECT_EQ(last_state[0].data.at("stage").as_string(), "completed");

  auto resumed = open("/api/job-progress/j1/stream", "alice", {{"Last-Event-ID", events[1].id}});
  EXPECT_TRUE(resumed->wait_for_close());
  auto rest = resumed->wait_for(2);
  ASSERT_EQ(rest.size(), 2u);
  EXPECT_EQ(rest[0].id, events[2].id);
  auto seen_all = open("/api/job-progress/j1/stream", "alice", {{"Last-Event-ID", events[3].id}});
  EXPECT_TRUE(seen_all->wait_for_close());
  EXPECT_TRUE(seen_all->wait_for(0).empty());
}

TEST_F(Events, AJobWhoseEventsAreGoneIsToldFromItsRecord) {
  make_job("j2");
  progress("j2", "completed", 100);
  services().events.remove_events_before(now_ms() + 1'000'000);
  auto client = open("/api/job-progress/j2/stream");
  EXPECT_TRUE(client->wait_for_close());
  auto events = client->wait_for(1);
  ASSERT_EQ(events.size(), 1u);
  EXPECT_EQ(events[0].event, "progress");
  EXPECT_EQ(events[0].data.at("stage").as_string(), "completed");
  EXPECT_EQ(events[0].data.at("progress_percentage").to_number<double>(), 100);
  EXPECT_FALSE(events[0].id.empty());
}

TEST_F(Events, JobsAreTheirOwnersAlone) {
  make_job("j3");
  EXPECT_EQ(get("/api/job-progress/j3/stream", "bob").status, 404);
  EXPECT_EQ(get("/api/job-progress/none/stream").status, 404);
  auto bob = open("/api/events", "bob");
  auto alice = open("/api/events");
  progress("j3", "failed", 10);
  auto events = alice->wait_for(1);
  ASSERT_FALSE(events.empty());
  EXPECT_EQ(events.back().event, "job.failed");
  create_segment("bob", "w1");
  EXPECT_EQ(bob->wait_for(1).front().event, "segment.created");
}

TEST_F(Events, WhoLeavesIsForgotten) {
  auto gauge = [&] { return metrics().gauge("segments_event_streams", "").value(); };
  std::vector<std::shared_ptr<Client>> clients;
  for (int i = 0; i < 50; ++i) clients.push_back(open("/api/events"));
  create_segment();
  for (auto& client : clients) ASSERT_EQ(client->wait_for(1).size(), 1u);
  EXPECT_EQ(gauge(), 50);
  for (auto& client : clients) client->go_away();
  auto last = open("/api/events");
  create_segment();
  ASSERT_EQ(last->wait_for(1).size(), 1u);
  create_segment();
  ASSERT_EQ(last->wait_for(2).size(), 2u);
  EXPECT_EQ(gauge(), 1);
  rebuild();
  EXPECT_TRUE(last->wait_for_close());
}

class TrustedEvents : public Events {
 public:
  TrustedEvents() : Events(AuthMode::none) {}
};

TEST_F(TrustedEvents, WhoNamesNoUserIsToldEverything) {
  auto all = open("/api/events"), ann = open("/api/events?user_id=ann");
  create_segment("bob", "v1");
  create_segment("ann", "v2");
  EXPECT_EQ(all->wait_for(2).size(), 2u);
  auto own = ann->wait_for(1);
  ASSERT_EQ(own.size(), 1u);
  EXPECT_EQ(own[0].data.at("video_id").as_string(), "v2");
}

}  // namespace
}  // namespace segments::testing
