// kill -9 while posts are linked: what was acknowledged is there, its task too, and a post whose task was
// never queued is synced all the same.
#include <gtest/gtest.h>
#include <signal.h>
#include <sys/wait.h>
#include <unistd.h>

#include <array>
#include <atomic>
#include <cstdlib>
#include <cstring>
#include <filesystem>
#include <set>
#include <thread>

#include "api/routes.h"
#include "app/engines.h"
#include "base/log.h"
#include "embedded_queue/embedded_queue.h"
#include "tasks/periodic.h"
#include "tasks/run_task.h"

namespace segments {
namespace {

[[noreturn]] void die() {
  ::kill(::getpid(), SIGKILL);
  std::abort();
}

// The process is killed where the link is durable and its task is about to be queued, or where both are
// durable and nobody was told yet.
class DeadlyQueue : public EmbeddedQueue {
 public:
  DeadlyQueue(const std::string& file, bool queues) : EmbeddedQueue(file), queues_(queues) {}
  Later<std::string> enqueue_later(NewTask task) override {
    if (!queues_) die();
    return EmbeddedQueue::enqueue_later(std::move(task)).then([](const std::string&) -> std::string {
      die();
    });
  }

 private:
  bool queues_;
};

class SocialCrash : public ::testing::Test {
 protected:
  SocialCrash() {
    set_log_level(LogLevel::off);
    std::string pattern = (std::filesystem::temp_directory_path() / "segments-crash-XXXXXX").string();
    if (!mkdtemp(pattern.data())) throw std::runtime_error("no temporary folder");
    config_.data_dir = pattern;
    config_.auth = AuthMode::none;
    config_.social_syncs_per_minute = 0;
  }
  ~SocialCrash() override { std::filesystem::remove_all(config_.data_dir); }

  // A child that runs f() until it is killed.
  template <class F>
  static pid_t fork_child(F&& f) {
    const pid_t child = ::fork();
    if (child != 0) return child;
    try {
      f();
    } catch (const std::exception& error) {
      std::fprintf(stderr, "child: %s\n", error.what());
    }
    ::_exit(1);
  }
  static void expect_killed(pid_t child) {
    int status = 0;
    ASSERT_EQ(::waitpid(child, &status, 0), child);
    ASSERT_TRUE(WIFSIGNALED(status)) << "exit code " << WEXITSTATUS(status);
    EXPECT_EQ(WTERMSIG(status), SIGKILL);
  }

  Engines open() const {
    return Engines(config_, [](const std::string&) { return MediaInfo{}; });
  }
  static std::string create(Services& services, int number) {
    Segment segment;
    segment.video_id = "v" + std::to_string(number);
    segment.user_id = "ann";
    segment.segment_id = make_numbered_segment_id(segment.video_id, 1);
    segment.segment_number = 1;
    segment.s3_key = "processed/" + segment.video_id + "/x";
    segment.created_at = segment.updated_at = now_text();
    services.segments.create_segment(segment);
    return segment.segment_id;
  }
  // The task's id.
  static std::string link(const Router& router, const std::string& segment_id) {
    Request request;
    request.method = "POST";
    request.target = "/api/segments/" + segment_id + "/social-media?user_id=ann";
    request.body = R"({"platform":"youtube","post_id":"dQw4w9WgXcQ"})";
    request.remote_address = "127.0.0.1";
    auto answer = router.call(request);
    if (answer.status != 200) throw std::runtime_error(answer.body);
    return std::string(answer.headers.find("X-Task-Id"));
  }
  void link_with_deadly_queue(bool queues) const {
    auto engines = open();
    Services& wired = engines.services();
    DeadlyQueue queue(config_.data_dir + "/queue.db", queues);
    Services services{.segments = wired.segments,
                      .videos = wired.videos,
                      .events = wired.events,
                      .totals = wired.totals,
                      .objects = wired.objects,
                      .directory = wired.directory,
                      .queue = queue,
                      .platforms = wired.platforms,
                      .metrics = wired.metrics,
                      .probe = wired.probe,
                      .settings = wired.settings};
    link(*make_router(services), create(services, 1));
  }
  static std::size_t count_posts(Services& services, const std::string& segment_id) {
    auto stored = services.segments.find_segment(segment_id);
    return stored ? stored->segment.social_media_usage.size() : 0;
  }

  Config config_;
};

TEST_F(SocialCrash, APostWhoseTaskWasNotQueuedIsSynced) {
  expect_killed(fork_child([&] { link_with_deadly_queue(false); }));
  auto engines = open();
  Services& services = engines.services();
  const auto id = make_numbered_segment_id("v1", 1);
  ASSERT_EQ(count_posts(services, id), 1u) << "the post is durable before its task is queued";
  EXPECT_TRUE(services.queue.lease_tasks("w", 10, 60'000).empty());

  EXPECT_EQ(queue_due_syncs(services, now_ms() + 60'000, 10, [] { return true; }), 1);
  auto tasks = services.queue.lease_tasks("w", 10, 60'000);
  ASSERT_EQ(tasks.size(), 1u);
  const auto work = std::filesystem::path(config_.data_dir) / "run";
  std::filesystem::create_directories(work);
  run_task(tasks.front(), services, work.string());
  EXPECT_TRUE(services.segments.find_segment(id)->segment.social_media_usage.at(0).last_synced);
}

TEST_F(SocialCrash, ATaskWhoseLinkWasNotAnsweredIsRunLikeAnyOther) {
  expect_killed(fork_child([&] { link_with_deadly_queue(true); }));
  auto engines = open();
  Services& services = engines.services();
  const auto id = make_numbered_segment_id("v1", 1);
  ASSERT_EQ(count_posts(services, id), 1u);
  auto tasks = services.queue.lease_tasks("w", 10, 60'000);
  ASSERT_EQ(tasks.size(), 1u);
  const auto work = std::filesystem::path(config_.data_dir) / "run";
  std::filesystem::create_directories(work);
  const auto outcome = run_task(tasks.front(), services, work.string());
  EXPECT_EQ(outcome.ending, TaskEnding::success) << outcome.error;
  EXPECT_TRUE(services.segments.find_segment(id)->segment.social_media_usage.at(0).last_synced);
  EXPECT_EQ(queue_due_syncs(services, now_ms() + 60'000, 10, [] { return true; }), 0);
}

TEST_F(SocialCrash, LosesNoAcknowledgedLinkNorItsTask) {
  struct Acknowledged {
    int number;
    std::array<char, 64> task_id;
  };
  std::size_t acknowledged = 0;
  std::set<std::string> seen;  // after the runs before
  for (int run = 0; run < 6; ++run) {
    int ends[2];
    ASSERT_EQ(::pipe(ends), 0);
    const pid_t child = fork_child([&] {
      auto engines = open();
      auto router = make_router(engines.services());
      std::atomic<int> next{run * 1'000'000};
      std::vector<std::jthread> clients;
      for (int i = 0; i < 4; ++i)
        clients.emplace_back([&] {
          for (;;) {
            Acknowledged one{next++, {}};
            const auto task_id = link(*router, create(engines.services(), one.number));
            std::strncpy(one.task_id.data(), task_id.c_str(), one.task_id.size() - 1);
            if (::write(ends[1], &one, sizeof one) != sizeof one) ::_exit(2);
          }
        });
      clients.clear();
    });
    ::close(ends[1]);
    std::vector<Acknowledged> links;
    Acknowledged one{};
    while (::read(ends[0], &one, sizeof one) == sizeof one) {
      links.push_back(one);
      if (links.size() == 20u + 37u * static_cast<unsigned>(run)) ::kill(child, SIGKILL);
    }
    ::close(ends[0]);
    expect_killed(child);
    acknowledged += links.size();

    auto engines = open();
    Services& services = engines.services();
    for (const auto& [number, task_id] : links) {
      EXPECT_EQ(count_posts(services, make_numbered_segment_id("v" + std::to_string(number), 1)), 1u);
      EXPECT_TRUE(services.queue.find_task(task_id.data())) << task_id.data();
    }
    // Each post that is there has a task, or gets one.
    queue_due_syncs(services, now_ms() + 60'000, 10'000, [] { return true; });
    std::string asked;
    for (auto tasks = services.queue.lease_tasks("w", 500, 600'000); !tasks.empty();
         tasks = services.queue.lease_tasks("w", 500, 600'000))
      for (const auto& task : tasks) asked += task.arguments;
    for (const auto& segment : services.segments.list_segments_with_posts("ann", {}, "", 100'000))
      if (seen.insert(segment.segment_id).second) {
        EXPECT_NE(asked.find("\"" + segment.segment_id + "\""), asked.npos) << segment.segment_id;
      }
  }
  EXPECT_GT(acknowledged, 600u);
}

}  // namespace
}  // namespace segments
