#include "media/cut.h"

#include <gtest/gtest.h>

#include <algorithm>
#include <cmath>
#include <random>

#include "base/error.h"
#include "media/test_media.h"

namespace segments {
namespace {

namespace fs = std::filesystem;

std::vector<Cut> evenly(double duration, double length) {
  std::vector<Cut> cuts;
  for (double at = 0; at < duration; at += length) cuts.push_back({at, std::min(at + length, duration)});
  if (cuts.size() > 1 && cuts.back().end - cuts.back().start < 0.1) {
    cuts[cuts.size() - 2].end = duration;
    cuts.pop_back();
  }
  return cuts;
}

std::vector<Cut> randomly(double duration, double least, double most) {
  std::mt19937 random(7);
  std::uniform_real_distribution<double> length(least, most);
  std::vector<Cut> cuts;
  for (double at = 0; at < duration;) {
    double end = std::min(duration, at + length(random));
    if (duration - end < least) end = duration;
    cuts.push_back({at, end});
    at = end;
  }
  return cuts;
}

class CutTest : public testing::Test {
 protected:
  std::vector<Piece> cut(const std::string& source, const std::vector<Cut>& cuts, CuttingMode mode,
                         std::vector<std::string> texts = {}) {
    CutRequest request{source, folder_.path(), cuts, mode, std::move(texts), {}};
    std::vector<std::size_t> seen;
    auto cutting = cut_media(request, probe_media(source), [&](std::size_t i, const Piece& piece) {
      seen.push_back(i);
      EXPECT_TRUE(fs::exists(piece.path));
    });
    EXPECT_EQ(seen.size(), cutting.pieces.size());
    return cutting.pieces;
  }

  // Pieces that tile the source: every frame once, as long together as the whole, and nothing to complain of.
  void expect_whole(const std::string& source, const std::vector<Piece>& pieces, double tolerance,
                    int frames = -1) {
    MediaInfo info = probe_media(source);
    double probed = 0, in_video = 0, in_container = 0;
    int counted = 0;
    for (std::size_t i = 0; i < pieces.size(); ++i) {
      const Piece& piece = pieces[i];
      SCOPED_TRACE(piece.path);
      probed += piece.duration;
      Opinion opinion = ask_ffmpeg(piece.path);
      in_video += opinion.video > 0 ? opinion.video : piece.duration;
      in_container += opinion.container;
      counted += opinion.frames;
      EXPECT_EQ(opinion.errors, "");
      EXPECT_NEAR(piece.end - piece.start, piece.duration, tolerance);
      EXPECT_LT(std::abs(opinion.start), 0.03);
      if (i > 0) {
        EXPECT_DOUBLE_EQ(piece.start, pieces[i - 1].end);
      }
    }
    EXPECT_DOUBLE_EQ(pieces.front().start, 0);
    EXPECT_NEAR(pieces.back().end, info.duration, 1 / info.frame_rate);
    EXPECT_NEAR(probed, info.duration, tolerance);
    EXPECT_NEAR(in_video, info.duration, tolerance);
    EXPECT_NEAR(in_container, info.duration, tolerance + 0.03 * (tolerance > 0.1 ? 10 : 0));
    EXPECT_EQ(counted, frames >= 0 ? frames : decoded_frames(source));
  }

  TestFolder folder_;
};

struct Real {
  const char* name;
  double length;  // of a piece
  double longest_group;
};
void PrintTo(const Real& real, std::ostream* out) {
  *out << real.name;
}

class RealVideo : public CutTest, public testing::WithParamInterface<Real> {};

TEST_P(RealVideo, exact_pieces_hold_every_frame_once) {
  auto source = real_video(GetParam().name);
  auto info = probe_media(source);
  auto pieces = cut(source, evenly(info.duration, GetParam().length), CuttingMode::exact);
  EXPECT_GT(pieces.size(), 1U);
  expect_whole(source, pieces, 1 / info.frame_rate);
}

TEST_P(RealVideo, keyframe_pieces_hold_every_frame_once) {
  auto source = real_video(GetParam().name);
  auto info = probe_media(source);
  auto pieces = cut(source, evenly(info.duration, GetParam().length), CuttingMode::keyframe);
  expect_whole(source, pieces, 0.1 + GetParam().longest_group);
}

INSTANTIATE_TEST_SUITE_P(Videos, RealVideo,
                         testing::Values(Real{"lego_560x320.mp4", 1.7, 5.6}, Real{"desk_motion.mov", 2.3, 1},
                                         Real{"rocket_vp8_vorbis.webm", 2.9, 5},
                                         Real{"dog_phone_1080p.mp4", 0.61, 1.2},
                                         Real{"hello_speech_720p.mp4", 3.05, 0.4}),
                         [](const auto& info) { return std::string(info.param.name).substr(0, 4); });

TEST_F(CutTest, three_minutes_are_copied_in_one_pass) {
  auto source = real_video("wannaworktogether_180s.mp4");
  auto pieces = cut(source, randomly(probe_media(source).duration, 11, 23), CuttingMode::keyframe);
  EXPECT_GT(pieces.size(), 6U);
  expect_whole(source, pieces, 0.2);
}

struct Synthetic {
  const char* name;
  const char* file;
  const char* arguments;
  const char* extension;  // of keyframe pieces
};
void PrintTo(const Synthetic& video, std::ostream* out) {
  *out << video.name;
}

#define PICTURE "-f lavfi -i testsrc=s=192x108:r=30:d=4 "
#define SOUND "-f lavfi -i sine=r=48000:d=4 "
#define H264 "-c:v libx264 -preset ultrafast -pix_fmt yuv420p -g 30 "
constexpr Synthetic synthetics[] = {
    {"no_audio", "a.mp4", PICTURE H264, "mp4"},
    {"audio_first", "a.mov", SOUND PICTURE "-map 0 -map 1 -c:a aac " H264, "mp4"},
    {"with_b_frames", "a.mp4",
     PICTURE SOUND "-c:v libx264 -preset medium -pix_fmt yuv420p -g 24 -bf 3 -c:a aac", "mp4"},
    {"index_at_the_end", "a.mp4", PICTURE SOUND H264 "-c:a aac -movflags -faststart", "mp4"},
    {"fragmented", "a.mp4", PICTURE SOUND H264 "-c:a aac -movflags frag_keyframe+empty_moov", "mp4"},
    {"ntsc_film", "a.mp4", "-f lavfi -i testsrc=s=192x108:r=24000/1001:d=4 " SOUND H264 "-c:a aac", "mp4"},
    {"sixty", "a.mp4", "-f lavfi -i testsrc=s=192x108:r=60:d=4 " SOUND H264 "-c:a aac", "mp4"},
    {"variable", "a.mp4",
     PICTURE SOUND "-vf \"select='not(between(mod(n,30),10,24))'\" -fps_mode vfr " H264 "-c:a aac", "mp4"},
    {"one_keyframe", "a.mp4",
     PICTURE SOUND "-c:v libx264 -preset ultrafast -pix_fmt yuv420p -g 9999 -sc_threshold 0 -c:a aac", "mp4"},
    {"webm_vp9_opus", "a.webm",
     PICTURE SOUND "-c:v libvpx-vp9 -deadline realtime -cpu-used 8 -g 30 -c:a libopus", "webm"},
    // No container of ours holds these two together: re-encoded from keyframe to keyframe.
    {"matroska", "a.mkv", PICTURE SOUND "-c:v libx264 -preset medium -pix_fmt yuv420p -g 30 -c:a libvorbis",
     "mp4"},
    {"transport_stream", "a.ts", PICTURE SOUND H264 "-c:a aac", "mp4"},
    {"flash", "a.flv", PICTURE SOUND H264 "-c:a aac -ar 44100", "mp4"},
    {"avi_mpeg4", "a.avi", PICTURE SOUND "-c:v mpeg4 -g 30 -c:a libmp3lame", "mp4"},
    {"hevc_ten_bits", "a.mp4",
     PICTURE SOUND "-c:v libx265 -x265-params log-level=none:keyint=30:open-gop=0 -preset ultrafast -pix_fmt "
                   "yuv420p10le -c:a aac",
     "mp4"},
    {"odd_size", "a.mp4",
     "-f lavfi -i testsrc=s=191x107:r=30:d=4 -c:v libx264 -preset ultrafast -pix_fmt yuv444p -g 30", "mp4"},
    {"prores", "a.mov",
     "-f lavfi -i testsrc=s=96x64:r=25:d=2 -f lavfi -i sine=d=2 -c:v prores_ks -c:a pcm_s16le", "mov"},
    {"late_audio", "a.mp4", PICTURE "-itsoffset 1.5 -f lavfi -i sine=d=1 " H264 "-c:a aac", "mp4"},
    {"surround", "a.mp4", PICTURE "-f lavfi -i anoisesrc=d=4:a=0.1 -ac 6 " H264 "-c:a aac", "mp4"},
};

class SyntheticVideo : public CutTest, public testing::WithParamInterface<Synthetic> {};

TEST_P(SyntheticVideo, is_cut_whole_in_both_modes) {
  TestFolder sources;
  auto source = make_video(sources, GetParam().file, GetParam().arguments);
  auto info = probe_media(source);
  auto cuts = evenly(info.duration, 1.27);
  {
    SCOPED_TRACE("exact");
    auto pieces = cut(source, cuts, CuttingMode::exact);
    EXPECT_EQ(pieces.size(), cuts.size());
    expect_whole(source, pieces, 1 / info.frame_rate + 0.001);
    for (const auto& piece : pieces) {
      EXPECT_EQ(piece.content_type, "video/mp4");
      EXPECT_EQ(stream_codecs(piece.path), info.has_audio ? "h264 aac " : "h264 ");
    }
  }
  SCOPED_TRACE("keyframe");
  auto pieces = cut(source, cuts, CuttingMode::keyframe);
  expect_whole(source, pieces, 0.2);
  EXPECT_EQ(pieces.front().extension, GetParam().extension);
}
INSTANTIATE_TEST_SUITE_P(Videos, SyntheticVideo, testing::ValuesIn(synthetics),
                         [](const auto& info) { return info.param.name; });

// A frame's grey value is its number: what is in a piece can be read from its pixels.
std::vector<int> frame_numbers(const std::string& path) {
  std::string pixels = run_shell("ffmpeg -nostdin -v error -i " + path +
                                 " -vf scale=1:1:flags=area,format=gray -f rawvideo -");
  std::vector<int> numbers;
  for (unsigned char pixel : pixels) numbers.push_back((pixel + 2) / 4);
  return numbers;
}

TEST_F(CutTest, marks_may_overlap_leave_gaps_and_come_in_any_order) {
  TestFolder sources;
  auto source =
      make_video(sources, "grey.mp4",
                 "-f lavfi -i \"color=s=64x64:r=10:d=5,format=gray,geq=lum='N*4'\" -c:v libx264 -crf 1 "
                 "-color_range pc -pix_fmt yuvj420p -g 10 -keyint_min 10 -sc_threshold 0 -bf 2");
  std::vector<Cut> marks{{3.0, 4.2}, {0.5, 1.1}, {0.5, 2.0}, {4.95, 9.0}, {1.02, 1.03}, {7.0, 8.0}};
  auto exact = cut(source, marks, CuttingMode::exact);
  ASSERT_EQ(exact.size(), 5U);  // the last begins after the end
  auto numbers = [&](std::size_t i) { return frame_numbers(exact[i].path); };
  auto range = [](int from, int to) {
    std::vector<int> all;
    for (int i = from; i < to; ++i) all.push_back(i);
    return all;
  };
  EXPECT_EQ(numbers(0), range(30, 42));
  EXPECT_EQ(numbers(1), range(5, 11));
  EXPECT_EQ(numbers(2), range(5, 20));
  EXPECT_EQ(numbers(3), range(49, 50));
  EXPECT_EQ(numbers(4), range(10, 11));
  EXPECT_DOUBLE_EQ(exact[4].start, 1.0);

  auto copied = cut(source, marks, CuttingMode::keyframe);
  ASSERT_EQ(copied.size(), 5U);
  EXPECT_EQ(frame_numbers(copied[0].path), range(30, 40));
  EXPECT_EQ(frame_numbers(copied[1].path), range(0, 10));
  EXPECT_EQ(frame_numbers(copied[2].path), range(0, 20));
  EXPECT_EQ(frame_numbers(copied[3].path), range(40, 50));
  EXPECT_EQ(frame_numbers(copied[4].path), range(10, 20));
}

TEST_F(CutTest, many_overlapping_marks_are_copied) {
  TestFolder sources;
  auto source = make_video(sources, "a.mp4", PICTURE H264);
  std::vector<Cut> marks;
  for (int i = 0; i < 40; ++i) marks.push_back({0, 1 + (i % 4) * 0.9 + i * 0.0001});
  marks.push_back({1, 2});
  auto pieces = cut(source, marks, CuttingMode::keyframe);
  for (const auto& piece : pieces) EXPECT_EQ(decoding_errors(piece.path), "");
  EXPECT_EQ(pieces.size(), 4U);  // one to each keyframe, and 1-2
}

TEST_F(CutTest, rotation_is_honoured) {
  TestFolder sources;
  auto plain =
      make_video(sources, "plain.mp4",
                 "-f lavfi -i color=white:s=192x108:d=2,drawbox=x=0:w=96:h=108:c=black:t=fill " H264);
  auto source = make_video(sources, "turned.mp4", "-i " + plain + " -c copy -metadata:s:v rotate=90");
  auto info = probe_media(source);
  ASSERT_EQ(info.rotation, 270);  // that option turns the other way
  auto turned = cut(source, {{0, 1}}, CuttingMode::exact).at(0).path;
  auto column = run_shell("ffmpeg -nostdin -v error -i " + turned +
                          " -frames:v 1 -vf scale=1:2:flags=area,format=gray -f rawvideo -");
  EXPECT_GT(static_cast<unsigned char>(column.at(0)), 200);  // the right half is above
  EXPECT_LT(static_cast<unsigned char>(column.at(1)), 50);
  auto exact = probe_media(turned);
  EXPECT_EQ(exact.rotation, 0);
  EXPECT_EQ(exact.width, 108);
  EXPECT_EQ(exact.height, 192);
  auto copied = probe_media(cut(source, {{0, 1}}, CuttingMode::keyframe).at(0).path);
  EXPECT_EQ(copied.rotation, 270);
  EXPECT_EQ(copied.width, 192);
  ASSERT_TRUE(make_thumbnail(source, folder_.file("t.jpg"), 1, {}));
  EXPECT_EQ(run_shell("ffprobe -v error -of csv=p=0 -show_entries stream=codec_name,width,height " +
                      folder_.file("t.jpg")),
            "mjpeg,108,192\n");
}

TEST_F(CutTest, other_streams_are_left_out) {
  TestFolder sources;
  std::ofstream(sources.file("words.srt")) << "1\n00:00:00,000 --> 00:00:02,000\nHello\n";
  auto cover = make_video(sources, "cover.png", "-f lavfi -i color=s=64x64 -frames:v 1");
  auto source =
      make_video(sources, "a.mp4",
                 "-i " + cover + " " PICTURE SOUND "-i " + sources.file("words.srt") +
                     " -map 0 -map 1 -map 2 -map 3 -c:v:0 png -disposition:v:0 attached_pic -c:v:1 libx264 "
                     "-pix_fmt:v:1 yuv420p -g 30 -c:a aac -c:s mov_text -timecode 01:00:00:00");
  for (auto mode : {CuttingMode::exact, CuttingMode::keyframe}) {
    auto pieces = cut(source, {{0, 2}, {2, 4}}, mode);
    ASSERT_EQ(pieces.size(), 2U);
    expect_whole(source, pieces, 0.1);
    EXPECT_EQ(stream_codecs(pieces[1].path), "h264 aac ");
  }
}

TEST_F(CutTest, an_edit_list_that_begins_within_a_group_is_kept) {
  TestFolder sources;
  auto whole = make_video(sources, "whole.mp4", PICTURE SOUND H264 "-bf 2 -c:a aac");
  auto source = make_video(sources, "late.mp4", "-ss 0.5 -i " + whole + " -c copy");
  int frames = decoded_frames(source);
  ASSERT_LT(frames, 110);
  auto pieces = cut(source, evenly(probe_media(source).duration, 1), CuttingMode::keyframe);
  expect_whole(source, pieces, 0.2, frames);
}

TEST_F(CutTest, a_text_is_drawn_and_makes_its_piece_exact) {
  TestFolder sources;
  auto source = make_video(sources, "black.mp4",
                           "-f lavfi -i color=black:s=320x240:r=10:d=3 -c:v libx264 -g 10 -pix_fmt yuv420p");
  std::vector<std::string> texts{
      "", "50% off: 'quoted', \"twice\" \\ [x]; a=b, %{pts} 🎬 שלום مرحبا\nsecond line", " \n"};
  auto pieces = cut(source, {{0, 1}, {1, 2}, {2, 3}}, CuttingMode::keyframe, texts);
  ASSERT_EQ(pieces.size(), 3U);
  expect_whole(source, pieces, 0.1);
  auto brightest = [](const std::string& path) {
    auto pixels =
        run_shell("ffmpeg -nostdin -v error -i " + path + " -frames:v 1 -vf format=gray -f rawvideo -");
    auto at = std::max_element(pixels.begin(), pixels.end(), [](char a, char b) {
      return static_cast<unsigned char>(a) < static_cast<unsigned char>(b);
    });
    return std::pair(static_cast<unsigned char>(*at), (at - pixels.begin()) / 320);
  };
  EXPECT_LT(brightest(pieces[0].path).first, 40);
  EXPECT_LT(brightest(pieces[2].path).first, 40);
  auto [light, row] = brightest(pieces[1].path);
  EXPECT_GT(light, 200);
  EXPECT_GT(row, 120);
  for (const auto& entry : fs::directory_iterator(folder_.path()))
    EXPECT_NE(entry.path().extension(), ".txt");
}

TEST_F(CutTest, a_header_that_lies_about_the_length_gives_what_there_is) {
  TestFolder sources;
  auto source = make_video(sources, "a.mkv", PICTURE SOUND H264 "-c:a aac");
  MediaInfo info = probe_media(source);
  info.duration = info.container_duration = 40'000;
  CutRequest request{source, folder_.path(), evenly(40'000, 30), CuttingMode::exact, {}, {}};
  auto pieces = cut_media(request, info, [](std::size_t, const Piece&) {}).pieces;
  ASSERT_EQ(pieces.size(), 1U);
  EXPECT_NEAR(pieces[0].duration, 4, 0.04);
}

TEST_F(CutTest, a_truncated_file_gives_what_there_is) {
  TestFolder sources;
  auto source = make_video(sources, "a.mp4", PICTURE SOUND H264 "-c:a aac -movflags +faststart");
  fs::resize_file(source, fs::file_size(source) / 2);
  for (auto mode : {CuttingMode::exact, CuttingMode::keyframe}) {
    auto pieces = cut(source, evenly(probe_media(source).duration, 1), mode);
    ASSERT_GE(pieces.size(), 1U);
    EXPECT_LT(pieces.back().end, 3.5);
    EXPECT_GT(decoded_frames(pieces[0].path), 20);
  }
}

class FailureTest : public CutTest {
 protected:
  std::string refuse(const CutRequest& request, const MediaInfo& info, ErrorKind kind) {
    try {
      cut_media(request, info, [](std::size_t, const Piece&) {});
    } catch (const Error& error) {
      EXPECT_EQ(error.kind(), kind) << error.what();
      EXPECT_TRUE(fs::is_empty(folder_.path()));
      return error.what();
    }
    ADD_FAILURE() << "was cut";
    return "";
  }
};

TEST_F(FailureTest, what_is_not_a_video_is_refused_with_one_sentence) {
  TestFolder sources;
  auto audio = make_video(sources, "a.m4a", SOUND "-c:a aac");
  CutRequest request{audio, folder_.path(), {{0, 1}}, CuttingMode::exact, {}, {}};
  EXPECT_EQ(refuse(request, probe_media(audio), ErrorKind::invalid), "The file has sound but no picture.");
  std::ofstream(sources.file("text.mp4")) << "not a video";
  request.source = sources.file("text.mp4");
  EXPECT_EQ(refuse(request, {}, ErrorKind::invalid), "The file is not a video that can be read.");
}

TEST_F(FailureTest, packets_of_noise_are_refused_and_leave_nothing) {
  TestFolder sources;
  auto source = make_video(sources, "a.mp4", PICTURE H264 "-movflags +faststart");
  std::fstream file(source, std::ios::in | std::ios::out | std::ios::binary);
  std::string bytes(fs::file_size(source), '\0');
  file.read(bytes.data(), static_cast<std::streamsize>(bytes.size()));
  auto data = bytes.find("mdat") + 4;
  std::mt19937 random(1);
  for (std::size_t i = data; i < bytes.size(); ++i) bytes[i] = static_cast<char>(random());
  file.seekp(0);
  file.write(bytes.data(), static_cast<std::streamsize>(bytes.size()));
  file.close();
  CutRequest request{source, folder_.path(), {{0, 2}, {2, 4}}, CuttingMode::exact, {}, {}};
  refuse(request, probe_media(source), ErrorKind::invalid);
}

TEST_F(FailureTest, too_little_memory_or_time_is_told) {
  TestFolder sources;
  auto source = make_video(sources, "a.mp4", "-f lavfi -i testsrc=s=1280x720:r=30:d=6 " H264);
  CutRequest request{
      source, folder_.path(), {{0, 6}}, CuttingMode::exact, {}, {.memory_mb = 350, .threads = 1}};
  EXPECT_EQ(refuse(request, probe_media(source), ErrorKind::too_large),
            "The video needs more memory than is allowed.");
  request.limits.threads = 16;
  EXPECT_EQ(refuse(request, probe_media(source), ErrorKind::too_large),
            "The video needs more memory than is allowed.");
  request.limits = {.seconds = 0};
  EXPECT_EQ(refuse(request, probe_media(source), ErrorKind::too_large).find("The video takes longer"), 0U);
}

// More processors than this machine may have: threads take addresses, which are what is limited.
struct Threads {
  const char* size;
  int threads;
};
void PrintTo(const Threads& threads, std::ostream* out) {
  *out << threads.size << " with " << threads.threads;
}

class ManyThreads : public CutTest, public testing::WithParamInterface<Threads> {};

TEST_P(ManyThreads, fit_the_usual_memory) {
  TestFolder sources;
  auto source = make_video(
      sources, "a.mp4",
      "-f lavfi -i testsrc=s=" + std::string(GetParam().size) + ":r=12:d=1 " SOUND H264 "-c:a aac -shortest");
  CutRequest request{source,
                     folder_.path(),
                     evenly(1, 0.25),
                     CuttingMode::exact,
                     {"", "words", "", "words"},
                     {.threads = GetParam().threads}};
  auto pieces = cut_media(request, probe_media(source), [](std::size_t, const Piece&) {}).pieces;
  ASSERT_EQ(pieces.size(), 4U);
  expect_whole(source, pieces, 0.1);
  ASSERT_TRUE(make_thumbnail(source, folder_.file("t.jpg"), 1, request.limits));
}
INSTANTIATE_TEST_SUITE_P(Sizes, ManyThreads,
                         testing::Values(Threads{"1280x720", 8}, Threads{"1280x720", 16},
                                         Threads{"1920x1080", 8}, Threads{"1920x1080", 16}));

TEST_F(CutTest, threads_that_do_not_fit_the_memory_are_given_up) {
  TestFolder sources;
  auto source = make_video(sources, "a.mp4", "-f lavfi -i testsrc=s=1920x1080:r=10:d=1 " H264);
  for (int memory_mb : {550, 600}) {  // four threads need more
    CutRequest request{source,
                       folder_.path(),
                       evenly(1, 0.5),
                       CuttingMode::exact,
                       {},
                       {.memory_mb = memory_mb, .threads = 8}};
    auto pieces = cut_media(request, probe_media(source), [](std::size_t, const Piece&) {}).pieces;
    EXPECT_EQ(pieces.size(), 2U);
  }
}

TEST_F(FailureTest, an_exception_of_the_caller_stops_the_work_and_removes_the_pieces) {
  TestFolder sources;
  auto source = make_video(sources, "a.mp4", PICTURE SOUND H264 "-c:a aac");
  for (auto mode : {CuttingMode::exact, CuttingMode::keyframe}) {
    CutRequest request{source, folder_.path(), evenly(4, 0.5), mode, {"", "", "", "words"}, {}};
    auto cancel = [](std::size_t i, const Piece&) {
      if (i == 1) throw std::runtime_error("cancelled");
    };
    EXPECT_THROW(cut_media(request, probe_media(source), cancel), std::runtime_error);
    EXPECT_TRUE(fs::is_empty(folder_.path()));
  }
}

TEST_F(CutTest, thumbnails_and_audio_are_made) {
  auto source = real_video("desk_motion.mov");
  ASSERT_TRUE(make_thumbnail(source, folder_.file("t.jpg"), 3, {}));
  EXPECT_EQ(stream_codecs(folder_.file("t.jpg")), "mjpeg ");
  auto large = real_video("dog_phone_1080p.mp4");
  ASSERT_TRUE(make_thumbnail(large, folder_.file("l.jpg"), 1e9, {}));
  EXPECT_EQ(std::max(ask_number(folder_.file("l.jpg"), "-show_entries stream=width"),
                     ask_number(folder_.file("l.jpg"), "-show_entries stream=height")),
            640);
  ASSERT_TRUE(extract_audio(source, folder_.file("a.m4a"), {}));
  EXPECT_EQ(stream_codecs(folder_.file("a.m4a")), "aac ");
  EXPECT_NEAR(container_duration(folder_.file("a.m4a")), 8.03, 0.05);
  ASSERT_TRUE(extract_audio(real_video("rocket_vp8_vorbis.webm"), folder_.file("b.m4a"), {}));
  EXPECT_EQ(stream_codecs(folder_.file("b.m4a")), "aac ");

  TestFolder sources;
  auto silent = make_video(sources, "silent.mp4", PICTURE H264);
  EXPECT_FALSE(extract_audio(silent, folder_.file("c.m4a"), {}));
  auto audio = make_video(sources, "only.m4a", SOUND "-c:a aac");
  EXPECT_FALSE(make_thumbnail(audio, folder_.file("c.jpg"), 0, {}));
  EXPECT_FALSE(fs::exists(folder_.file("c.jpg")));
}

TEST_F(CutTest, tiny_and_short_videos_are_cut) {
  TestFolder sources;
  auto tiny = make_video(sources, "tiny.mkv", "-f lavfi -i testsrc=s=3x1:r=5:d=1 -c:v ffv1");
  EXPECT_EQ(cut(tiny, {{0, 0.5}, {0.5, 1}}, CuttingMode::exact).size(), 2U);
  auto single = make_video(sources, "single.mp4", "-f lavfi -i testsrc=s=64x64:r=25:d=0.04 -c:v libx264");
  for (auto mode : {CuttingMode::exact, CuttingMode::keyframe}) {
    auto pieces = cut(single, {{0, probe_media(single).duration}}, mode);
    ASSERT_EQ(pieces.size(), 1U);
    EXPECT_EQ(decoded_frames(pieces[0].path), 1);
  }
  ASSERT_TRUE(make_thumbnail(single, folder_.file("s.jpg"), 1, {}));
}

}  // namespace
}  // namespace segments
