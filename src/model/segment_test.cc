#include "model/segment.h"

#include <gtest/gtest.h>

#include "describe/decode.h"

namespace segments {
namespace {

TEST(FaultOfId, TakesWhatIdsAreMadeOf) {
  for (const auto& id :
       std::vector<std::string>{"a", "A0", "seg_v_001", "01arz3ndektsv4rrffq69g5fav", "user@example.com",
                                "a.b~c:d-e_f", "-", std::string(240, 'x')})
    EXPECT_EQ(fault_of_id(id), nullptr) << id;
}

TEST(FaultOfId, RefusesTheRest) {
  for (const auto& id :
       std::vector<std::string>{"", ".", "..", ".hidden", "a/b", "../a", "a\\b", "a b", "a'b", "a\"b", "a%00",
                                "é", "😀", "a\n", "a;b", "a?b", "a#b", std::string(241, 'x')})
    EXPECT_NE(fault_of_id(id), nullptr) << id;
  EXPECT_NE(fault_of_id(std::string_view("a\0b", 3)), nullptr);
}

TEST(FaultOfObjectKey, TakesKeys) {
  for (std::string key :
       {"a", "processed/v/segment_001.mp4", "uploads/v/my clip (1).mp4", "a/..b/c..", "a/...", "ü/漢"})
    EXPECT_EQ(fault_of_object_key(key), nullptr) << key;
  EXPECT_EQ(fault_of_object_key(std::string(900, 'k')), nullptr);
}

TEST(FaultOfObjectKey, RefusesWaysOut) {
  for (std::string key : {"", "/", "/a", "a/", "a//b", ".", "..", "../a", "a/..", "a/../b", "a/./b", "a\\b",
                          "a\nb", "a\x7f", "\xff", "a/\xc0\xae\xc0\xae/b"})
    EXPECT_NE(fault_of_object_key(key), nullptr) << key;
  EXPECT_NE(fault_of_object_key(std::string_view("a\0b", 3)), nullptr);
  EXPECT_NE(fault_of_object_key(std::string(901, 'k')), nullptr);
}

TEST(FaultOfContentType, KnowsMediaTypes) {
  for (const char* type :
       {"video/mp4", "application/vnd.apple.mpegurl", "video/mp4; codecs=\"avc1.42E01E\"", "image/svg+xml"})
    EXPECT_EQ(fault_of_content_type(type), nullptr) << type;
  for (const char* type : {"", "video", "/", "video/", "/mp4", "video/mp4/x", "video mp4", "vi deo/mp4",
                           " video/mp4", "video/mp4\r\nX: y", "video/mp4; a=\x01", "vidéo/mp4", ";video/mp4"})
    EXPECT_NE(fault_of_content_type(type), nullptr) << type;
}

TEST(SegmentIds, NameTheirVideo) {
  EXPECT_EQ(make_numbered_segment_id("v", 7), "seg_v_007");
  EXPECT_EQ(make_numbered_segment_id("v_1", 1'234), "seg_v_1_1234");
  EXPECT_EQ(make_numbered_segment_id("v", 0), "seg_v_000");
  for (std::string video : {"v", "v_1", "_", "a_b_c", "seg_x_001"}) {
    EXPECT_EQ(video_id_of(make_numbered_segment_id(video, 12)), video);
    EXPECT_EQ(video_id_of(make_segment_id(video, "01arz3ndektsv4rrffq69g5fav")), video);
  }
  for (const char* id : {"", "seg", "seg_", "seg_v", "seg__1", "seg_v_", "SEG_v_1", "v_001"})
    EXPECT_FALSE(video_id_of(id)) << id;
}

TEST(SegmentIds, OfTheLongestVideoIdAreStillIds) {
  EXPECT_EQ(fault_of_id(make_segment_id(std::string(200, 'v'), std::string(26, 's'))), nullptr);
}

const std::string body =
    R"("video_id":"v","segment_type":"processed","segment_number":1,"s3_key":"a/b.mp4","duration":1.5,"file_size":10)";

std::vector<std::string> faults_of(const std::string& text) {
  try {
    decode<CreateSegment>(text);
  } catch (const Error& error) {
    std::vector<std::string> faults;
    for (const auto& fault : error.faults()) faults.push_back(fault.pointer + " " + fault.code);
    return faults;
  }
  return {};
}

TEST(CreateSegmentBody, HasDefaults) {
  auto create = decode<CreateSegment>("{" + body + "}");
  EXPECT_EQ(create.content_type, "video/mp4");
  EXPECT_FALSE(create.title || create.tags || create.user_id);
}

TEST(CreateSegmentBody, NamesEveryFault) {
  EXPECT_EQ(faults_of("{}"), (std::vector<std::string>{"/video_id required", "/segment_type required",
                                                       "/segment_number required", "/s3_key required",
                                                       "/duration required", "/file_size required"}));
  EXPECT_EQ(
      faults_of(
          R"({"video_id":"../x","segment_type":"clip","segment_number":-1,"s3_key":"a//b","duration":-0.1,
    "file_size":9007199254740992,"content_type":"mp4","title":"a\u0007","description":"line\nbreak","tags":["ok","","a\nb"],"user_id":""})"),
      (std::vector<std::string>{"/video_id format", "/segment_type enum", "/segment_number range",
                                "/s3_key format", "/duration range", "/file_size range",
                                "/content_type format", "/title encoding", "/tags/1 length",
                                "/tags/2 encoding", "/user_id length"}));
}

TEST(SegmentRecord, HasTheNamesAndOrderOfTheApi) {
  Segment segment;
  segment.segment_id = "seg_v_001";
  EXPECT_EQ(
      encode(segment),
      R"({"segment_id":"seg_v_001","video_id":"","user_id":"","segment_type":"processed","segment_number":0,"s3_key":"",)"
      R"("s3_url":null,"duration":0,"file_size":0,"content_type":"video/mp4","thumbnail_url":null,"created_at":"",)"
      R"("updated_at":"","title":null,"description":null,"tags":[],"social_media_usage":[],"filename":null,)"
      R"("download_count":0,"last_downloaded_at":null})");
}

}  // namespace
}  // namespace segments
