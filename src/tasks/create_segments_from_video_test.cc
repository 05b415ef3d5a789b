#include "tasks/create_segments_from_video.h"

#include <boost/json.hpp>

#include "tasks/test_world.h"

namespace segments::testing {
namespace {

constexpr const char* create = "tasks.create_segments_from_video_task";

class CreateSegmentsTest : public WorldTest {
 protected:
  std::string put_piece(int number, int seconds = 2, const std::string& video_id = "v1") {
    std::string key = "processed/" + video_id + "/segment_00" + std::to_string(number) + ".mp4";
    world.put_object(key, sample_video(seconds));
    return key;
  }
  CreateSegments payload(std::vector<std::string> keys) {
    return {"v1", "alice", std::move(keys),
            VideoMetadata{"My film", std::vector<std::string>{"fun"}, "film.mov", {}}};
  }
  boost::json::value run(const CreateSegments& task) {
    return boost::json::parse(world.run(create, encode(task)));
  }
  Segment segment(const std::string& id) {
    auto found = world.services.segments.find_segment(id);
    return found ? found->segment : Segment{};
  }
  std::string error_of(const CreateSegments& task) {
    try {
      world.run(create, encode(task));
    } catch (const Error& error) {
      return error.what();
    }
    return "";
  }
};

TEST_F(CreateSegmentsTest, RecordsTellWhatTheObjectsAre) {
  auto keys = std::vector{put_piece(1, 2), put_piece(2, 3)};
  auto result = run(payload(keys));
  EXPECT_EQ(result.at("segments_created").as_int64(), 2);
  EXPECT_EQ(result.at("segment_ids").at(1), "seg_v1_002");
  EXPECT_TRUE(result.at("failed").as_array().empty());
  auto second = segment("seg_v1_002");
  EXPECT_EQ(second.video_id, "v1");
  EXPECT_EQ(second.user_id, "alice");
  EXPECT_EQ(second.segment_type, SegmentType::processed);
  EXPECT_EQ(second.segment_number, 2);
  EXPECT_EQ(second.s3_key, keys[1]);
  EXPECT_NEAR(second.duration, 3, 0.05);
  EXPECT_EQ(second.file_size, static_cast<std::int64_t>(fs::file_size(sample_video(3))));
  EXPECT_EQ(second.content_type, "video/mp4");
  EXPECT_EQ(second.title, "My film - Part 2");
  EXPECT_EQ(second.tags, std::vector<std::string>{"fun"});
  EXPECT_EQ(second.filename, "film_part_002.mp4");
  EXPECT_EQ(second.thumbnail_url, "thumbnails/v1/segment_002.jpg");
  EXPECT_TRUE(world.services.objects.find_object("thumbnails/v1/segment_002.jpg"));
  EXPECT_EQ(world.services.videos.find_owner("v1"), "alice");
  EXPECT_EQ(world.total("segments_recorded_total{outcome=\"ok\"}"), 2);
}

TEST_F(CreateSegmentsTest, SinglePieceHasTheVideosOwnTitle) {
  run(payload({put_piece(1)}));
  EXPECT_EQ(segment("seg_v1_001").title, "My film");
  EXPECT_EQ(segment("seg_v1_001").filename, "film.mp4");
}

TEST_F(CreateSegmentsTest, RunTwiceItLeavesTheSameAndKeepsTheOwnersEdits) {
  auto task = payload({put_piece(1), put_piece(2)});
  run(task);
  world.services.segments.update_segment(
      "seg_v1_001", "alice", {}, [](Segment& s) { s.title = "Mine", s.tags = {"own"}; }, now_text());
  world.services.segments.count_download("seg_v1_001", "alice", now_text());
  auto first = segment("seg_v1_001"), second = segment("seg_v1_002");
  auto events = world.services.events.newest_event_id();
  run(task);
  EXPECT_EQ(segment("seg_v1_001"), first);
  EXPECT_EQ(segment("seg_v1_002"), second);
  EXPECT_EQ(world.services.events.newest_event_id(), events) << "nothing changed, so nothing is told";
  EXPECT_EQ(world.services.segments.list_video_segments("v1", "", {}).size(), 2u);
  EXPECT_EQ(world.total("segments_recorded_total{outcome=\"ok\"}"), 2);
}

TEST_F(CreateSegmentsTest, WhatWasMadeStandsWhereItsCountGetsNoAnswer) {
  world.totals.gives_answers = false;
  EXPECT_EQ(run(payload({put_piece(1), put_piece(2)})).at("segments_created").as_int64(), 2);
  EXPECT_EQ(world.total("segments_recorded_total{outcome=\"ok\"}"), 2);
}

TEST_F(CreateSegmentsTest, NewMediaUnderTheSameKeyIsTakenOver) {
  auto task = payload({put_piece(1, 2)});
  run(task);
  put_piece(1, 3);
  run(task);
  EXPECT_NEAR(segment("seg_v1_001").duration, 3, 0.05);
  EXPECT_EQ(world.services.segments.list_video_segments("v1", "", {}).size(), 1u);
}

TEST_F(CreateSegmentsTest, MissingObjectFailsByNameAndTheOthersAreMade) {
  auto first = put_piece(1);
  auto third = put_piece(3);
  auto sentence = error_of(payload({first, "processed/v1/segment_002.mp4", third}));
  EXPECT_NE(sentence.find("processed/v1/segment_002.mp4"), std::string::npos) << sentence;
  EXPECT_EQ(segment("seg_v1_001").segment_number, 1);
  EXPECT_TRUE(segment("seg_v1_002").segment_id.empty());
  EXPECT_EQ(segment("seg_v1_003").title, "My film - Part 3");
  EXPECT_EQ(world.total("segments_recorded_total{outcome=\"failed\"}"), 1);
}

TEST_F(CreateSegmentsTest, ObjectThatIsNoMediaFailsAlone) {
  world.put_bytes("processed/v1/segment_002.mp4", "no media");
  EXPECT_FALSE(error_of(payload({put_piece(1), "processed/v1/segment_002.mp4"})).empty());
  EXPECT_EQ(world.services.segments.list_video_segments("v1", "", {}).size(), 1u);
}

TEST_F(CreateSegmentsTest, VideoOfAnotherUserIsLeftAlone) {
  ASSERT_TRUE(world.services.videos.claim_video("v1", "bob"));
  EXPECT_FALSE(error_of(payload({put_piece(1)})).empty());
  EXPECT_TRUE(world.services.segments.list_video_segments("v1", "", {}).empty());
}

TEST_F(CreateSegmentsTest, VideoThatWasDeletedMeanwhileStaysDeleted) {
  EXPECT_FALSE(error_of(payload({"processed/v1/segment_001.mp4"})).empty());
  EXPECT_FALSE(world.services.videos.find_owner("v1"));
}

TEST_F(CreateSegmentsTest, VideoThatIsBeingRemovedGainsNothing) {
  world.create_video("v1", sample_video(2));
  std::string key = put_piece(1);
  world.services.videos.begin_removal("v1");
  run(payload({key}));
  EXPECT_TRUE(world.services.segments.list_video_segments("v1", "", {}).empty());
  EXPECT_TRUE(world.keys("thumbnails/v1/").empty()) << "nor what the run made itself";
  EXPECT_TRUE(world.services.videos.find_video("v1"));
}

TEST_F(CreateSegmentsTest, WhatTheTaskWasNotToldComesFromTheVideo) {
  world.create_video("v1", sample_video(2));
  CreateSegments task = payload({put_piece(1)});
  task.video_metadata.reset();
  run(task);
  EXPECT_EQ(segment("seg_v1_001").title, "My film");
  EXPECT_EQ(segment("seg_v1_001").tags, (std::vector<std::string>{"fun", "cats"}));
}

TEST_F(CreateSegmentsTest, SilentPieceWithoutAnyMetadata) {
  world.put_object("processed/v1/segment_001.mp4", sample_video(2, false));
  CreateSegments task = payload({"processed/v1/segment_001.mp4"});
  task.video_metadata.reset();
  run(task);
  EXPECT_FALSE(segment("seg_v1_001").title);
  EXPECT_EQ(segment("seg_v1_001").filename, "segment_001.mp4");
}

TEST_F(CreateSegmentsTest, OtherTypesAreMadeOnRequestOnly) {
  world.create_video("v1", sample_video(3));
  auto task = payload({put_piece(1), put_piece(2)});
  run(task);
  EXPECT_EQ(world.services.segments.list_video_segments("v1", "", {}).size(), 2u);
  task.video_metadata->extra_types = {SegmentType::original, SegmentType::thumbnail, SegmentType::audio};
  run(task);  // there is no audio object: no such record, no failure
  EXPECT_EQ(world.services.segments.list_video_segments("v1", "", {}).size(), 5u);
  fs::path sound = folder.path / "sound.m4a";
  ASSERT_TRUE(extract_audio(sample_video(3).string(), sound.string(), {}));
  world.put_object("audio/v1/audio.m4a", sound, "audio/mp4");
  run(task);
  auto audio = segment("seg_v1_audio");
  EXPECT_EQ(audio.content_type, "audio/mp4");
  EXPECT_NEAR(audio.duration, 3, 0.2);
  auto original = segment("seg_v1_original");
  EXPECT_EQ(original.s3_key, "uploads/v1/film.mov");
  EXPECT_NEAR(original.duration, 3, 0.05);
  auto thumbnail = segment("seg_v1_thumbnail-002");
  EXPECT_EQ(thumbnail.content_type, "image/jpeg");
  EXPECT_EQ(thumbnail.segment_number, 2);
  for (const auto& made : {audio, original, thumbnail}) EXPECT_EQ(video_id_of(made.segment_id), "v1");
}

TEST_F(CreateSegmentsTest, LongTitleIsShortenedWithinACharacter) {
  auto task = payload({put_piece(1), put_piece(2)});
  std::string title;
  while (title.size() < 498) title += "ü";
  task.video_metadata->title = title;
  run(task);
  auto made = *segment("seg_v1_002").title;
  EXPECT_LE(made.size(), 500u);
  EXPECT_TRUE(made.ends_with("ü - Part 2"));
}

TEST_F(CreateSegmentsTest, StoreThatDoesNotAnswerIsNotTheKeysFailure) {
  auto task = payload({put_piece(1)});
  world.services.probe = [](const std::string&) -> MediaInfo {
    throw Error(ErrorKind::unavailable, "Not now.");
  };
  EXPECT_EQ(error_of(task), "Not now.");
  EXPECT_EQ(world.total("segments_recorded_total{outcome=\"failed\"}"), 0);
}

}  // namespace
}  // namespace segments::testing
