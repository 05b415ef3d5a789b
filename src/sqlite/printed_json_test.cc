#include "sqlite/printed_json.h"

#include <gtest/gtest.h>

#include "model/segment.h"
#include "sqlite/stored_json.h"

namespace segments::sqlite {

namespace {

using Posts = std::vector<SocialMediaUsage>;

Posts some_posts() {
  SocialMediaUsage unread;
  unread.platform = SocialMediaPlatform::tiktok;
  unread.post_id = "7123";
  set_unread(unread, std::nullopt);
  SocialMediaUsage read;
  read.platform = SocialMediaPlatform::youtube;
  read.post_id = "dQw4w9WgXcQ";
  read.post_url = "https://www.youtube.com/watch?v=dQw4w9WgXcQ&t=1,2";
  read.posted_at = "2026-11-22T17:00:00.123Z";
  apply_reading(read, {.views = 9'000'000'000'000'000'000,
                       .likes = -1,
                       .shares = 7,
                       .comments = 0,
                       .source = MetricsSource::simulated,
                       .read_at = "2026-11-23T17:00:00.123Z"});
  SocialMediaUsage rated = read;
  rated.engagement_rate = 1.0 / 3;
  rated.post_id = "Größe 日本 , ] }";
  return {unread, read, rated, SocialMediaUsage{}};
}

}  // namespace

TEST(PrintedJson, ReadsPostsAsTheyWerePrinted) {
  const Posts all = some_posts();
  for (std::size_t count = 0; count <= all.size(); ++count) {
    const Posts posts(all.begin(), all.begin() + static_cast<std::ptrdiff_t>(count));
    Posts found;
    ASSERT_TRUE(PrintedJson::read_all(found, encode(posts))) << encode(posts);
    EXPECT_EQ(found, posts);
  }
}

// What it reads otherwise than the tree would be read wrongly for ever.
TEST(PrintedJson, TakesNothingThatTheTreeReadsOtherwise) {
  const auto all = some_posts();
  Posts posts{all[3], all[2]};
  posts[1].post_id = "a , ] }";  // a character cut in two is nothing that encode() leaves
  const std::string text = encode(posts);
  for (std::size_t at = 0; at <= text.size(); ++at)
    for (const char* put : {"", "x", "\"", "\\", " ", "1", "null", ",", "]", "}", "{", "-", ".", "e"})
      for (std::size_t removed : {0, 1}) {
        if (at + removed > text.size()) continue;
        std::string other = text;
        other.replace(at, removed, put);
        Posts found;
        if (!PrintedJson::read_all(found, other)) continue;
        Posts expected;
        ASSERT_NO_THROW(read_stored(expected, parse_json(other))) << other;
        EXPECT_EQ(found, expected) << other;
      }
}

TEST(PrintedJson, StoredPostsOfAnyFormAreRead) {
  Posts posts = some_posts();
  posts[1].post_id = "quoted \" and \\ and\nmore";
  Posts found{SocialMediaUsage{}};
  read_stored(found, encode(posts));
  EXPECT_EQ(found, posts);
  // As an older version printed it: fewer members, in another order, and one that is unknown here.
  constexpr std::string_view other = R"([ {"post_id":"1","platform":"tiktok","views":3,"mood":"good"} ])";
  read_stored(found, other);
  ASSERT_EQ(found.size(), 1u);
  EXPECT_EQ(found[0].platform, SocialMediaPlatform::tiktok);
  EXPECT_EQ(found[0].post_id, "1");
  EXPECT_EQ(found[0].views, 3);
  EXPECT_EQ(found[0].likes, 0);
}

}  // namespace segments::sqlite
