#include "api/present.h"

#include <gtest/gtest.h>

#include "base/text.h"

namespace segments {
namespace {

TEST(Disposition, PlainNamesStayPlain) {
  EXPECT_EQ(attachment("clip 1.mp4"), "attachment; filename=\"clip 1.mp4\"");
  EXPECT_EQ(inline_disposition("a.mp4"), "inline; filename=\"a.mp4\"");
}

TEST(Disposition, OtherNamesComeInBothForms) {
  EXPECT_EQ(attachment("Größe 😀.mp4"),
            "attachment; filename=\"Gr__e _.mp4\"; filename*=UTF-8''Gr%C3%B6%C3%9Fe%20%F0%9F%98%80.mp4");
  EXPECT_EQ(attachment("100%.mp4"), "attachment; filename=\"100%.mp4\"; filename*=UTF-8''100%25.mp4");
}

TEST(Disposition, NothingBreaksOutOfTheHeader) {
  for (std::string name : {std::string("a\"; x=\"b"), std::string("a\r\nSet-Cookie: x"),
                           std::string("../../etc/passwd"), std::string("\xff\xfe"), std::string(),
                           std::string("..."), std::string("C:\\x"), std::string("a\0b", 3)}) {
    std::string header = attachment(name);
    EXPECT_FALSE(has_control(header)) << header;
    EXPECT_EQ(std::count(header.begin(), header.end(), '"'), 2) << header;
    EXPECT_EQ(header.find('/'), header.npos) << header;
    EXPECT_EQ(header.find('\\'), header.npos) << header;
    EXPECT_TRUE(is_utf8(header)) << header;
  }
  EXPECT_EQ(attachment(""), "attachment; filename=\"segment\"");
}

TEST(Disposition, LongNamesKeepTheirExtensionAndWholeCharacters) {
  std::string name;
  for (int i = 0; i < 300; ++i) name += "é";
  std::string header = attachment(name + ".mp4");
  EXPECT_TRUE(header.ends_with(".mp4"));
  auto encoded = header.substr(header.find("''") + 2);
  auto decoded = percent_decode(encoded);
  ASSERT_TRUE(decoded);
  EXPECT_TRUE(is_utf8(*decoded));
  EXPECT_LE(decoded->size(), 200u);
}

TEST(ETag, TellsVersionsAndBytesApart) {
  EXPECT_EQ(etag_of(1, "a"), etag_of(1, "a"));
  EXPECT_NE(etag_of(1, "a"), etag_of(2, "a"));
  EXPECT_NE(etag_of(1, "a"), etag_of(1, "b"));
  EXPECT_TRUE(etag_of(7, "x").starts_with("\"7-"));
}

TEST(ETag, IfNoneMatchTakesListsWeakTagsAndTheStar) {
  std::string etag = etag_of(3, "x");
  EXPECT_TRUE(none_match_hits(etag, etag));
  EXPECT_TRUE(none_match_hits("\"a\", W/" + etag, etag));
  EXPECT_TRUE(none_match_hits("*", etag));
  EXPECT_FALSE(none_match_hits("", etag));
  EXPECT_FALSE(none_match_hits("\"3-0\"", etag));
}

TEST(ETag, IfMatchNamesVersions) {
  using Versions = std::vector<std::int64_t>;
  EXPECT_EQ(versions_in_if_match("\"3-abc\""), Versions{3});
  EXPECT_EQ(versions_in_if_match("\"3-abc\",\"4-d\""), (Versions{3, 4}));
  EXPECT_EQ(versions_in_if_match("*"), std::nullopt);
  EXPECT_EQ(versions_in_if_match("W/\"3-abc\""), Versions{});
  EXPECT_EQ(versions_in_if_match("3-abc"), Versions{});
  EXPECT_EQ(versions_in_if_match("\"x\""), Versions{});
  EXPECT_EQ(versions_in_if_match("\""), Versions{});
}

TEST(Origin, IsTheHostUnlessOneIsSet) {
  ServiceSettings settings;
  Request request;
  EXPECT_EQ(origin_of(request, settings), "http://localhost");
  request.headers = {{"host", "clips.example:8443"}, {"x-forwarded-proto", "https"}};
  EXPECT_EQ(origin_of(request, settings), "https://clips.example:8443");
  request.headers = {{"host", "evil/\"><script>"}};
  EXPECT_EQ(origin_of(request, settings), "http://localhost");
  settings.public_url = "https://segments.example/";
  EXPECT_EQ(origin_of(request, settings), "https://segments.example");
}

}  // namespace
}  // namespace segments
