// What every VideoStore does.
#pragma once

#include <algorithm>
#include <atomic>

#include "describe/encode.h"
#include "store/contract.h"

namespace segments::contract {

class VideoStoreContract : public StoreContract {};

TEST_P(VideoStoreContract, KeepsEveryMember) {
  Video video = make_video("v1");
  video.duration = 61;
  video.output_s3_urls = {"processed/v1/segment_001.mp4", "a,\"b\".mp4"};
  video.tags = {"x", "日本"};
  video.status = VideoStatus::PROCESSING;
  video.progress = 33.3;
  video.stage = "segmenting";
  video.message = "Cutting";
  video.error_message = "none";
  video.task_id = "process-v1";
  EXPECT_TRUE(videos_.create_video(video));
  EXPECT_EQ(videos_.find_video("v1"), video);
  EXPECT_TRUE(videos_.create_video(make_video("v2")));
  EXPECT_EQ(videos_.find_video("v2"), make_video("v2"));
  EXPECT_FALSE(videos_.find_video("v3"));
  EXPECT_FALSE(videos_.find_video(""));
}

TEST_P(VideoStoreContract, BelongsToTheFirstWhoClaimsIt) {
  EXPECT_EQ(videos_.find_owner("v1"), std::nullopt);
  EXPECT_TRUE(videos_.claim_video("v1", "ann"));
  EXPECT_TRUE(videos_.claim_video("v1", "ann"));
  EXPECT_FALSE(videos_.claim_video("v1", "bob"));
  EXPECT_EQ(videos_.find_owner("v1"), "ann");
  EXPECT_FALSE(videos_.create_video(make_video("v1", "bob")));
  EXPECT_FALSE(videos_.find_video("v1"));
  EXPECT_TRUE(videos_.claim_video("v1", "bob", true));
  EXPECT_EQ(videos_.find_owner("v1"), "bob");
  EXPECT_TRUE(videos_.create_video(make_video("v1", "bob")));
  EXPECT_FALSE(videos_.claim_video("v1", "ann", true));
  EXPECT_FALSE(videos_.create_video(make_video("v1", "bob")));
  EXPECT_EQ(videos_.list_videos("bob", 10, 0).total_count, 1);

  std::atomic<int> owners{0};
  run_at_once(16, [&](int i) { owners += videos_.claim_video("v9", "user" + std::to_string(i)); });
  EXPECT_EQ(owners, 1);
}

TEST_P(VideoStoreContract, RemovesAVideoWithItsClaim) {
  videos_.create_video(make_video("v1"));
  EXPECT_TRUE(videos_.remove_video("v1"));
  EXPECT_FALSE(videos_.remove_video("v1"));
  EXPECT_FALSE(videos_.find_video("v1"));
  EXPECT_EQ(videos_.find_owner("v1"), std::nullopt);
  EXPECT_EQ(videos_.list_videos("ann", 10, 0).total_count, 0);
  EXPECT_EQ(videos_.list_videos(std::nullopt, 10, 0).total_count, 0);
  EXPECT_TRUE(videos_.create_video(make_video("v1")));
}

TEST_P(VideoStoreContract, KeepsARemovedVideosIdForItsLastOwner) {
  videos_.create_video(make_video("v1"));
  segments_.create_segment(make_segment("bobs", 1, "bob"));
  videos_.begin_removal("v1");
  EXPECT_FALSE(videos_.claim_video("v1", "bob")) << "while it is being removed";
  EXPECT_TRUE(videos_.remove_video("v1"));
  EXPECT_FALSE(videos_.remove_video("v1")) << "asked again, it must not forget whose the id was";

  auto before = events_.newest_event_id();
  for (const char* user : {"bob", "never seen before"}) {
    EXPECT_FALSE(videos_.claim_video("v1", user));
    EXPECT_FALSE(videos_.create_video(make_video("v1", user)));
    EXPECT_EQ(segments_.create_segment(make_segment("v1", 1, user)).kind, CreateOutcome::Kind::foreign_video);
    EXPECT_EQ(segments_.put_segment_from_media(make_segment("v1", 1, user)), MediaOutcome::removed);
    EXPECT_EQ(segments_.list_segments(user, {}).total_count, user == std::string("bob") ? 1 : 0);
  }
  EXPECT_EQ(videos_.find_owner("v1"), std::nullopt);
  EXPECT_EQ(events_.newest_event_id(), before);

  // Three ways for the owner to have it again; each removal keeps it for her once more.
  EXPECT_TRUE(videos_.claim_video("v1", "ann"));
  EXPECT_TRUE(videos_.create_video(make_video("v1")));
  EXPECT_TRUE(videos_.remove_video("v1"));
  EXPECT_FALSE(videos_.claim_video("v1", "bob"));
  EXPECT_TRUE(videos_.create_video(make_video("v1")));
  EXPECT_TRUE(videos_.remove_video("v1"));
  EXPECT_FALSE(videos_.claim_video("v1", "bob"));
  EXPECT_EQ(segments_.create_segment(make_segment("v1", 1)).kind, CreateOutcome::Kind::created);
  EXPECT_EQ(videos_.find_owner("v1"), "ann");
  EXPECT_EQ(segments_.create_segment(make_segment("v1", 2, "bob")).kind, CreateOutcome::Kind::foreign_video);
}

TEST_P(VideoStoreContract, LetsARemovedVideosIdBeTakenOverWhereThatIsAsked) {
  videos_.create_video(make_video("v1"));
  videos_.remove_video("v1");
  EXPECT_TRUE(videos_.claim_video("v1", "bob", true));
  EXPECT_EQ(videos_.find_owner("v1"), "bob");
  EXPECT_TRUE(videos_.create_video(make_video("v1", "bob")));
  videos_.remove_video("v1");
  EXPECT_FALSE(videos_.claim_video("v1", "ann")) << "bob was the last";
  EXPECT_TRUE(videos_.claim_video("v1", "bob"));
}

TEST_P(VideoStoreContract, KeepsNoIdThatNobodyHad) {
  videos_.begin_removal("v1");
  EXPECT_FALSE(videos_.remove_video("v1"));
  EXPECT_TRUE(videos_.claim_video("v1", "bob"));
}

TEST_P(VideoStoreContract, KeepsWhatAWaitingVideosTaskIsToBeGiven) {
  auto waiting = [&](Millis before, std::string_view after = "", std::size_t limit = 10) {
    std::vector<std::string> found;
    for (const auto& video : videos_.list_waiting_videos(before, after, limit)) {
      found.push_back(video.video_id);
      EXPECT_EQ(video.user_id, "ann");
      EXPECT_EQ(video.task_arguments, R"({"of":")" + video.video_id + "\"}");
    }
    return found;
  };
  using Ids = std::vector<std::string>;
  const Millis uploaded = *parse_time("2026-11-22T10:00:00.000Z");
  for (std::string id : {"v3", "v1", "v2", "v4"}) {
    Video video = make_video(id);
    video.upload_date = format_time(uploaded);
    ASSERT_TRUE(videos_.create_video(video, R"({"of":")" + id + "\"}"));
  }
  ASSERT_TRUE(videos_.create_video(make_video("by-hand")));
  EXPECT_EQ(waiting(uploaded), Ids{}) << "they are queued just now";
  EXPECT_EQ(waiting(uploaded + 1), (Ids{"v1", "v2", "v3", "v4"}));
  EXPECT_EQ(waiting(uploaded + 1, "v1", 2), (Ids{"v2", "v3"}));
  EXPECT_FALSE(videos_.create_video(make_video("v1"), "{}"));
  videos_.put_progress(make_progress("v2", "extracting", 5));
  videos_.put_progress(make_progress("v3", "cancelled", 5));
  videos_.remove_video("v4");
  EXPECT_EQ(waiting(uploaded + 1), Ids{"v1"});
}

TEST_P(VideoStoreContract, ListsNewestFirst) {
  std::vector<Video> videos;
  for (int i = 0; i < 12; ++i) {
    Video video = make_video("v" + std::to_string(10 + i), i % 3 == 0 ? "bob" : "ann");
    video.upload_date = "2026-11-2" + std::to_string(i % 4) + "T10:00:00.000Z";
    videos_.create_video(video);
    videos.push_back(video);
  }
  std::ranges::sort(videos, std::greater(),
                    [](const Video& v) { return std::pair(v.upload_date, v.video_id); });
  for (std::optional<std::string> user : {std::optional<std::string>("ann"), {"bob"}, {"none"}, {}}) {
    std::vector<Video> expected = videos;
    if (user) std::erase_if(expected, [&](const Video& video) { return video.user_id != *user; });
    for (std::int64_t offset = 0; offset < 14; offset += 3) {
      auto page = videos_.list_videos(user, 4, offset);
      EXPECT_EQ(page.total_count, std::ssize(expected));
      auto begin = expected.begin() + std::min(offset, std::ssize(expected));
      EXPECT_EQ(page.videos,
                std::vector<Video>(begin, begin + std::min<std::int64_t>(4, expected.end() - begin)));
    }
  }
}

TEST_P(VideoStoreContract, MovesAJobOnAndNeverBack) {
  EXPECT_FALSE(videos_.put_progress(make_progress("v1", "queued", 0)));
  videos_.create_video(make_video("v1"));
  auto at = [&](const char* stage, double percentage, VideoStatus status, double stored) {
    EXPECT_TRUE(videos_.put_progress(make_progress("v1", stage, percentage)));
    auto video = videos_.find_video("v1");
    EXPECT_EQ(video->status, status) << stage;
    EXPECT_EQ(video->progress, stored);
    EXPECT_EQ(video->stage, stage);
    EXPECT_EQ(video->message, std::string("now ") + stage);
    EXPECT_EQ(video->updated_at, "2026-11-22T10:00:01.000Z");
  };
  at("queued", 0, VideoStatus::QUEUED, 0);
  at("extracting", 10.5, VideoStatus::PROCESSING, 10.5);
  at("segmenting", 5, VideoStatus::PROCESSING, 10.5);
  at("uploading", 80, VideoStatus::PROCESSING, 80);
  auto event = events_.find_last_event("v1");
  ASSERT_TRUE(event);
  auto progress = make_progress("v1", "uploading", 80);
  EXPECT_EQ(event->data, encode(progress));
  EXPECT_EQ(event->type, "job.progress");
  EXPECT_EQ(event->job_id, "v1");
  EXPECT_EQ(event->user_id, "ann");
  // Raised percentages are what is told, too.
  EXPECT_EQ(events_.list_events({.user_id = {}, .job_id = "v1"}, 0, 10)[2].data,
            encode(make_progress("v1", "segmenting", 10.5)));
  at("completed", 100, VideoStatus::COMPLETED, 100);
  EXPECT_EQ(events_.find_last_event("v1")->type, "job.completed");
}

TEST_P(VideoStoreContract, LeavesAFinalJobAsItEnded) {
  for (const char* stage : {"completed", "failed", "cancelled"}) {
    std::string id = std::string("v-") + stage;
    videos_.create_video(make_video(id));
    auto end = make_progress(id, stage, 40);
    if (end.stage == "failed") end.error_message = "The file is not a video.";
    EXPECT_TRUE(videos_.put_progress(end));
    EXPECT_EQ(events_.find_last_event(id)->type, std::string("job.") + stage);
    EXPECT_EQ(videos_.find_video(id)->error_message, end.error_message);
    auto before = events_.newest_event_id();
    EXPECT_FALSE(videos_.put_progress(make_progress(id, "uploading", 50)));
    EXPECT_FALSE(videos_.put_progress(make_progress(id, "cancelled", 50)));
    EXPECT_EQ(videos_.find_video(id)->stage, stage);
    EXPECT_EQ(events_.newest_event_id(), before);
    // Only what failed begins anew.
    bool is_failed = end.stage == "failed";
    EXPECT_EQ(videos_.put_progress(make_progress(id, "extracting", 5), true), is_failed);
    if (!is_failed) continue;
    EXPECT_EQ(videos_.find_video(id)->progress, 5);
    EXPECT_EQ(videos_.find_video(id)->status, VideoStatus::PROCESSING);
    EXPECT_EQ(videos_.find_video(id)->error_message, std::nullopt);
    // A restart of what runs does not let its percentage fall.
    EXPECT_TRUE(videos_.put_progress(make_progress(id, "extracting", 2), true));
    EXPECT_EQ(videos_.find_video(id)->progress, 5);
  }
}

TEST_P(VideoStoreContract, LetsACompletedJobFailAfterAllAndCompleteAgain) {
  videos_.create_video(make_video("v1"));
  ASSERT_TRUE(videos_.put_progress(make_progress("v1", "completed", 100)));
  auto failed = make_progress("v1", "failed", 100);
  failed.error_message = "Its records could not be stored.";
  EXPECT_FALSE(videos_.put_progress(failed)) << "not by chance";
  for (const char* stage : {"queued", "extracting", "completed", "cancelled"})
    EXPECT_FALSE(videos_.put_progress(make_progress("v1", stage, 100), true)) << stage;
  EXPECT_EQ(videos_.find_video("v1")->status, VideoStatus::COMPLETED);
  auto before = events_.newest_event_id();
  EXPECT_TRUE(videos_.put_progress(failed, true));
  auto video = videos_.find_video("v1");
  EXPECT_EQ(video->status, VideoStatus::FAILED);
  EXPECT_EQ(video->progress, 100);
  EXPECT_EQ(video->error_message, "Its records could not be stored.");
  EXPECT_TRUE(videos_.put_progress(make_progress("v1", "completed", 100), true));
  video = videos_.find_video("v1");
  EXPECT_EQ(video->status, VideoStatus::COMPLETED);
  EXPECT_EQ(video->progress, 100);
  EXPECT_EQ(video->error_message, std::nullopt);
  EXPECT_EQ(types_after(before), (std::vector<std::string>{"job.failed", "job.completed"}));
}

TEST_P(VideoStoreContract, EndsAJobOnceWhenManyWouldEndIt) {
  videos_.create_video(make_video("v1"));
  std::atomic<int> ended{0};
  run_at_once(16, [&](int i) {
    ended += videos_.put_progress(make_progress("v1", i % 2 ? "cancelled" : "completed", 100));
  });
  EXPECT_EQ(ended, 1);
  EXPECT_EQ(events_.list_events({.user_id = {}, .job_id = "v1"}, 0, 100).size(), 1u);
}

TEST_P(VideoStoreContract, TakesWhatTheWorkFoundOut) {
  Video video = make_video("v1");
  EXPECT_FALSE(videos_.update_video("v1", 10, {}, {}));
  videos_.create_video(video);
  EXPECT_TRUE(videos_.update_video("v1", 61.0, {}, {}));
  EXPECT_TRUE(videos_.update_video("v1", {}, std::vector<std::string>{"a", "b"}, {}));
  EXPECT_TRUE(videos_.update_video("v1", {}, {}, "task"));
  auto stored = videos_.find_video("v1");
  video.duration = 61;
  video.output_s3_urls = {"a", "b"};
  video.task_id = "task";
  EXPECT_NE(stored->updated_at, video.updated_at);
  video.updated_at = stored->updated_at;
  EXPECT_EQ(stored, video);
}

}  // namespace segments::contract
