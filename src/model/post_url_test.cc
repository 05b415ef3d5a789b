#include <gtest/gtest.h>

#include "base/text.h"
#include "model/social_media.h"

namespace segments {
namespace {

using Platform = SocialMediaPlatform;

struct Case {
  const char* url;
  const char* post_id;
};

void expect_posts(Platform platform, std::initializer_list<Case> cases) {
  for (auto [url, post_id] : cases) {
    auto parsed = parse_post_url(url);
    ASSERT_TRUE(parsed.address) << url << " fault " << static_cast<int>(parsed.fault);
    EXPECT_EQ(parsed.address->platform, platform) << url;
    EXPECT_EQ(parsed.address->post_id, post_id) << url;
  }
}

void expect_fault(PostUrlFault fault, std::initializer_list<const char*> urls) {
  for (const char* url : urls) {
    auto parsed = parse_post_url(url);
    EXPECT_FALSE(parsed.address) << url;
    EXPECT_EQ(parsed.fault, fault) << url;
  }
}

TEST(PostUrl, OfInstagram) {
  expect_posts(Platform::instagram,
               {{"https://www.instagram.com/p/Cabc-_12345/", "Cabc-_12345"},
                {"https://www.instagram.com/reel/Cabc-_12345/?igsh=xyz", "Cabc-_12345"},
                {"https://instagram.com/reels/Cabc-_12345", "Cabc-_12345"},
                {"https://www.instagram.com/tv/Cabc-_12345/", "Cabc-_12345"},
                {"https://www.instagram.com/some.user/p/Cabc-_12345/", "Cabc-_12345"},
                {"https://www.instagram.com/some.user/reel/Cabc-_12345/", "Cabc-_12345"},
                {"https://www.instagram.com/some.user/tv/Cabc-_12345/", "Cabc-_12345"},
                {"https://www.instagram.com/p/Cabc-_12345/embed/", "Cabc-_12345"},
                {"https://www.instagram.com/reel/Cabc-_12345/embed/captioned/", "Cabc-_12345"},
                {"instagr.am/p/Cabc1", "Cabc1"},
                {"m.instagram.com/p/Cabc-_12345/", "Cabc-_12345"},
                {"https://www.instagram.com/p/Cabc-_12345abcdefghijABCDEFGHIJ01234567/",
                 "Cabc-_12345abcdefghijABCDEFGHIJ01234567"}});
  expect_fault(PostUrlFault::no_post,
               {"https://www.instagram.com/", "https://www.instagram.com/user/",
                "https://www.instagram.com/reels/audio/123456789/",
                "https://www.instagram.com/stories/some.user/3141592653589793/",
                "https://www.instagram.com/stories/reel/31415926535/", "https://www.instagram.com/p/",
                "https://www.instagram.com/p/abc/", "https://www.instagram.com/p/a%20b%20c%20d/",
                "https://www.instagram.com/p/Cabc%2F12345/", "https://www.instagram.com/user/reels/",
                "https://www.instagram.com/share/reel/"});
  expect_fault(PostUrlFault::short_link, {"https://www.instagram.com/share/reel/BAabc123",
                                          "https://www.instagram.com/share/p/_abc-123/"});
}

TEST(PostUrl, OfTikTok) {
  expect_posts(Platform::tiktok,
               {{"https://www.tiktok.com/@some.user/video/7234567890123456789", "7234567890123456789"},
                {"https://www.tiktok.com/@some.user/video/7234567890123456789?is_copy_url=1&lang=en#c",
                 "7234567890123456789"},
                {"https://www.tiktok.com/@/video/7234567890123456789", "7234567890123456789"},
                {"https://www.tiktok.com/%40user/video/7234567890123456789", "7234567890123456789"},
                {"https://www.tiktok.com/@user/photo/7234567890123456789", "7234567890123456789"},
                {"https://www.tiktok.com/share/video/7234567890123456789", "7234567890123456789"},
                {"https://www.tiktokv.com/share/video/7234567890123456789/", "7234567890123456789"},
                {"https://www.tiktok.com/embed/7234567890123456789", "7234567890123456789"},
                {"https://www.tiktok.com/embed/v2/7234567890123456789?lang=de", "7234567890123456789"},
                {"https://www.tiktok.com/player/v1/7234567890123456789", "7234567890123456789"},
                {"https://m.tiktok.com/v/7234567890123456789.html?u_code=1", "7234567890123456789"}});
  expect_fault(PostUrlFault::short_link, {"https://vm.tiktok.com/ZMabc123/", "vt.tiktok.com/ZSabc",
                                          "https://www.tiktok.com/t/ZTabc123/"});
  expect_fault(PostUrlFault::no_post, {"https://www.tiktok.com/", "https://www.tiktok.com/@user",
                                       "https://www.tiktok.com/@user/video/", "https://vm.tiktok.com/",
                                       "https://www.tiktok.com/@user/video/12345678901234",
                                       "https://www.tiktok.com/@user/video/123456789012345678901",
                                       "https://www.tiktok.com/@user/video/7234567890123456789x",
                                       "https://www.tiktok.com/@user/video/0234567890123456789",
                                       "https://www.tiktok.com/user/video/7234567890123456789",
                                       "https://www.tiktok.com/t/", "https://www.tiktok.com/embed/v2/",
                                       "https://www.tiktok.com/@user/live", "https://vm.tiktok.com/a%2Fb"});
}

TEST(PostUrl, OfYouTube) {
  expect_posts(Platform::youtube,
               {{"https://www.youtube.com/watch?v=dQw4w9WgXcQ", "dQw4w9WgXcQ"},
                {"https://m.youtube.com/watch?list=PL1&t=5s&v=dQw4w9WgXcQ&x=y", "dQw4w9WgXcQ"},
                {"https://music.youtube.com/watch?v=dQw4w9WgXcQ", "dQw4w9WgXcQ"},
                {"https://de.youtube.com/watch?v=dQw4w9WgXcQ", "dQw4w9WgXcQ"},
                {"youtube.com/watch/?v=dQw4w9WgXcQ#t=3", "dQw4w9WgXcQ"},
                {"https://www.youtube.com/shorts/dQw4w9WgXcQ?feature=share", "dQw4w9WgXcQ"},
                {"https://www.youtube.com/live/dQw4w9WgXcQ", "dQw4w9WgXcQ"},
                {"https://www.youtube.com/embed/dQw4w9WgXcQ?start=1", "dQw4w9WgXcQ"},
                {"https://www.youtube-nocookie.com/embed/dQw4w9WgXcQ", "dQw4w9WgXcQ"},
                {"https://www.youtube.com/v/dQw4w9WgXcQ", "dQw4w9WgXcQ"},
                {"https://www.youtube.com/e/dQw4w9WgXcQ", "dQw4w9WgXcQ"},
                {"https://youtu.be/dQw4w9WgXcQ?si=abc", "dQw4w9WgXcQ"},
                {"https://youtu.be/-_4w9WgXcQa", "-_4w9WgXcQa"},
                {"https://www.youtube.com/watch?v=dQw4w9WgXc%51", "dQw4w9WgXcQ"},
                {"https://www.youtube.com/attribution_link?a=1&u=/watch?v=dQw4w9WgXcQ", "dQw4w9WgXcQ"},
                {"https://www.youtube.com/attribution_link?u=%2Fwatch%3Fv%3DdQw4w9WgXcQ%26feature%3Dshare",
                 "dQw4w9WgXcQ"}});
  expect_fault(
      PostUrlFault::no_post,
      {"https://www.youtube.com/", "https://www.youtube.com/watch",
       "https://www.youtube.com/watch?v=", "https://youtu.be/", "https://www.youtube.com/watch?V=dQw4w9WgXcQ",
       "https://www.youtube.com/watch?v=short", "https://youtu.be/dQw4w9WgXcQQ",
       "https://www.youtube.com/embed/videoseries?list=PL1",
       "https://www.youtube.com/embed/live_stream?channel=UC1",
       "https://www.youtube.com/clip/UgkxAbcdefghijk", "https://www.youtube.com/@channel",
       "https://www.youtube.com/playlist?list=PL1", "https://www.youtube.com/watch?v=dQw4w9WgXc%00",
       "https://www.youtube.com/watch?v=dQw4w9WgXc%2551", "https://www.youtube.com/watch#v=dQw4w9WgXcQ",
       "https://www.youtube.com/attribution_link?u=//evil.example/watch?v=dQw4w9WgXcQ",
       "https://www.youtube.com/attribution_link?u=https://x.com/i/status/20",
       "https://www.youtube.com/attribution_link"});
}

TEST(PostUrl, OfFacebook) {
  expect_posts(Platform::facebook,
               {{"https://www.facebook.com/watch/?v=1234567890", "1234567890"},
                {"https://www.facebook.com/watch?v=1234567890&ref=x", "1234567890"},
                {"https://www.facebook.com/watch/live/?v=1234567890", "1234567890"},
                {"https://www.facebook.com/reel/1234567890", "1234567890"},
                {"https://www.facebook.com/page.name/videos/1234567890/", "1234567890"},
                {"https://www.facebook.com/page/videos/vb.100/1234567890/?type=3", "1234567890"},
                {"https://www.facebook.com/page/videos/some-title/1234567890/", "1234567890"},
                {"https://www.facebook.com/video.php?v=1234567890", "1234567890"},
                {"https://www.facebook.com/video/embed?video_id=1234567890", "1234567890"},
                {"https://www.facebook.com/page/posts/1234567890", "1234567890"},
                {"https://www.facebook.com/page/posts/pfbid02AbcXYZ", "pfbid02AbcXYZ"},
                {"https://www.facebook.com/page/posts/a-slug/pfbid02AbcXYZ", "pfbid02AbcXYZ"},
                {"https://www.facebook.com/permalink.php?story_fbid=1234567890&id=100", "1234567890"},
                {"https://m.facebook.com/story.php?story_fbid=pfbid02AbcXYZ&id=100", "pfbid02AbcXYZ"},
                {"https://www.facebook.com/groups/some.group/posts/1234567890/", "1234567890"},
                {"https://www.facebook.com/groups/100/permalink/1234567890/", "1234567890"},
                {"https://web.facebook.com/reel/1234567890", "1234567890"},
                {"https://mbasic.facebook.com/reel/1234567890", "1234567890"},
                {"https://de-de.facebook.com/reel/1234567890", "1234567890"},
                {"https://fb.com/reel/1234567890", "1234567890"},
                {"https://www.facebook.com/plugins/"
                 "video.php?href=https%3A%2F%2Fwww.facebook.com%2Fpage%2Fvideos%2F1234567890%2F&width=500",
                 "1234567890"}});
  expect_fault(PostUrlFault::short_link,
               {"https://fb.watch/abc_123-/", "https://www.facebook.com/share/r/1Abc/",
                "https://www.facebook.com/share/v/1Abc/", "https://www.facebook.com/share/p/1Abc/",
                "https://www.facebook.com/plugins/video.php?href=https%3A%2F%2Ffb.watch%2Fabc"});
  expect_fault(
      PostUrlFault::no_post,
      {"https://www.facebook.com/", "https://www.facebook.com/page", "https://www.facebook.com/watch/",
       "https://www.facebook.com/reel/123", "https://www.facebook.com/reel/12345x",
       "https://www.facebook.com/page/posts/pfbid", "https://www.facebook.com/page/posts/pfbid-1",
       "https://www.facebook.com/groups/posts/1234567890",
       "https://www.facebook.com/groups/g/media/1234567890", "https://fb.watch/",
       "https://www.facebook.com/share/x/1Abc/", "https://www.facebook.com/plugins/video.php",
       "https://www.facebook.com/plugins/video.php?href=https%3A%2F%2Fevil.example%2Freel%2F1234567890",
       "https://www.facebook.com/plugins/video.php?href=https%3A%2F%2Fyoutu.be%2FdQw4w9WgXcQ"});
}

TEST(PostUrl, OfTwitter) {
  expect_posts(Platform::twitter,
               {{"https://twitter.com/user/status/1234567890123456789", "1234567890123456789"},
                {"https://x.com/user/status/20?s=20", "20"},
                {"https://x.com/user/status/1234567890123456789/video/1", "1234567890123456789"},
                {"https://x.com/user/status/1234567890123456789/photo/2", "1234567890123456789"},
                {"https://mobile.twitter.com/user/statuses/1234567890", "1234567890"},
                {"https://x.com/i/web/status/1234567890", "1234567890"},
                {"https://x.com/i/status/1234567890", "1234567890"},
                {"https://twitter.com/statuses/1234567890", "1234567890"},
                {"https://twitter.com/i/videos/tweet/1234567890", "1234567890"},
                {"HTTPS://WWW.X.COM/User/Status/1234567890", "1234567890"}});
  expect_fault(PostUrlFault::short_link, {"https://t.co/AbC123", "t.co/x"});
  expect_fault(
      PostUrlFault::no_post,
      {"https://x.com/", "https://x.com/user", "https://x.com/user/status/",
       "https://x.com/user/status/12345678901234567890", "https://x.com/user/status/12a",
       "https://x.com/user/status/-1", "https://x.com/user/status/007", "https://x.com/user/status/%D9%A1",
       "https://x.com/#!/user/status/1234567890", "https://t.co/", "https://x.com/i/spaces/1abc"});
}

TEST(PostUrl, IsReadAsBrowsersReadIt) {
  expect_posts(Platform::youtube, {{"  https://youtu.be/dQw4w9WgXcQ \n", "dQw4w9WgXcQ"},
                                   {"//youtu.be/dQw4w9WgXcQ", "dQw4w9WgXcQ"},
                                   {"http://youtu.be:80/dQw4w9WgXcQ", "dQw4w9WgXcQ"},
                                   {"https://youtu.be:443/dQw4w9WgXcQ", "dQw4w9WgXcQ"},
                                   {"https://youtu.be./dQw4w9WgXcQ", "dQw4w9WgXcQ"},
                                   {"https://www.m.youtube.com//watch?v=dQw4w9WgXcQ", "dQw4w9WgXcQ"},
                                   {"youtu.be/dQw4w9WgXcQ?next=https://evil.example/", "dQw4w9WgXcQ"}});
}

TEST(PostUrl, RefusesWhatIsNoAddress) {
  expect_fault(PostUrlFault::not_a_url, {"",
                                         "   ",
                                         "abc",
                                         "1234567890123456789",
                                         "/watch?v=dQw4w9WgXcQ",
                                         "?v=1",
                                         "#",
                                         "https://",
                                         "https:///watch?v=dQw4w9WgXcQ",
                                         "javascript:alert(1)",
                                         "javascript://youtu.be/dQw4w9WgXcQ",
                                         "ftp://youtu.be/dQw4w9WgXcQ",
                                         "file:///etc/passwd",
                                         "data:text/html,x",
                                         "mailto:a@youtube.com",
                                         "https://youtu.be@evil.example/dQw4w9WgXcQ",
                                         "https://evil.example@youtu.be/dQw4w9WgXcQ",
                                         "https://user:pass@youtu.be/dQw4w9WgXcQ",
                                         "https://youtu.be:8080/dQw4w9WgXcQ",
                                         "https://youtu.be:443x/dQw4w9WgXcQ",
                                         "https://youtu.be\\@evil.example/dQw4w9WgXcQ",
                                         "https://you tu.be/dQw4w9WgXcQ",
                                         "https://youtu.be/dQw4\nw9WgXcQ",
                                         "https://youtu.be/%zz",
                                         "https://youtu.be/dQw4w9WgXcQ?a=%",
                                         "https://youtu.be\xff/dQw4w9WgXcQ",
                                         "https://yоutu.be/dQw4w9WgXcQ",
                                         "https://[::1]/watch?v=dQw4w9WgXcQ",
                                         "https://%79outu.be/dQw4w9WgXcQ",
                                         "https://com/",
                                         "https://be/dQw4w9WgXcQ.x"});
  EXPECT_EQ(parse_post_url("https://youtu.be/dQw4w9WgXcQ?" + std::string(2'000, 'a')).fault,
            PostUrlFault::not_a_url);
  EXPECT_EQ(parse_post_url(std::string_view("https://youtu.be/dQw4w9WgXcQ\0", 29)).fault,
            PostUrlFault::not_a_url);
}

TEST(PostUrl, RefusesHostsThatOnlyLookAlike) {
  expect_fault(
      PostUrlFault::unknown_host,
      {"https://example.com/watch?v=dQw4w9WgXcQ", "https://youtube.com.evil.example/watch?v=dQw4w9WgXcQ",
       "https://notyoutube.com/watch?v=dQw4w9WgXcQ", "https://evil.youtube.com/watch?v=dQw4w9WgXcQ",
       "https://www.www.www.youtube.com/watch?v=dQw4w9WgXcQ", "https://youtube.co/watch?v=dQw4w9WgXcQ",
       "https://127.0.0.1/watch?v=dQw4w9WgXcQ", "https://vimeo.com/123456789", "https://x.co/u/status/1"});
}

TEST(PostUrl, NestsOnlySoDeep) {
  std::string url = "https://www.facebook.com/reel/1234567890";
  for (int depth = 0; depth < 2; ++depth)
    url = "https://www.facebook.com/plugins/video.php?href=" + percent_encode(url);
  EXPECT_TRUE(parse_post_url(url).address);
  url = "https://www.facebook.com/plugins/video.php?href=" + percent_encode(url);
  EXPECT_EQ(parse_post_url(url).fault, PostUrlFault::no_post);
}

TEST(MakePostUrl, LeadsBack) {
  const std::pair<Platform, const char*> posts[] = {
      {Platform::instagram, "Cabc-_12345"},  {Platform::tiktok, "7234567890123456789"},
      {Platform::youtube, "dQw4w9WgXcQ"},    {Platform::facebook, "1234567890"},
      {Platform::facebook, "pfbid02AbcXYZ"}, {Platform::twitter, "20"}};
  for (auto [platform, id] : posts) {
    EXPECT_TRUE(is_post_id(platform, id)) << id;
    EXPECT_EQ(parse_post_url(make_post_url(platform, id)).address, (PostAddress{platform, id})) << id;
  }
}

TEST(IsPostId, RefusesEverythingElse) {
  for (auto platform :
       {Platform::instagram, Platform::tiktok, Platform::youtube, Platform::facebook, Platform::twitter})
    for (std::string id :
         {"", " ", "a/b", "../../etc", "1 2345", "é", "v_pub_~123", "12345678901\n", "<script>aaa"})
      EXPECT_FALSE(is_post_id(platform, id)) << id;
  EXPECT_FALSE(is_post_id(Platform::tiktok, "v_pub_file~v2.723456789"));
  EXPECT_FALSE(is_post_id(Platform::instagram, std::string(65, 'a')));
  EXPECT_FALSE(is_post_id(Platform::facebook, "pfbid" + std::string(200, 'a')));
  EXPECT_FALSE(is_post_id(Platform::youtube, "dQw4w9WgXc"));
}

}  // namespace
}  // namespace segments
