#include "api/cursor.h"

#include <gtest/gtest.h>

namespace segments {
namespace {

const Cursor cursor{{std::string("key with \0 in it", 16), "seg_v_001"}, 3};

TEST(Cursor, ReadsBackWhatItWasMadeOf) {
  SegmentQuery query;
  auto text = encode_cursor("s", "alice", query, cursor);
  auto parsed = parse_cursor("s", "alice", query, text);
  ASSERT_TRUE(parsed);
  EXPECT_EQ(parsed->after, cursor.after);
  EXPECT_EQ(parsed->page, 3);
}

TEST(Cursor, IsBoundToUserFiltersOrderAndSecret) {
  SegmentQuery query;
  auto text = encode_cursor("s", "alice", query, cursor);
  EXPECT_FALSE(parse_cursor("other", "alice", query, text));
  EXPECT_FALSE(parse_cursor("s", "bob", query, text));
  using Change = void (*)(SegmentQuery&);
  for (Change change : std::initializer_list<Change>{
           [](SegmentQuery& q) { q.video_id = "v"; },
           [](SegmentQuery& q) { q.segment_type = SegmentType::audio; },
           [](SegmentQuery& q) { q.min_duration = 0; }, [](SegmentQuery& q) { q.max_duration = 0; },
           [](SegmentQuery& q) { q.min_downloads = 0; }, [](SegmentQuery& q) { q.tags = {"a"}; },
           [](SegmentQuery& q) { q.has_social_media = false; },
           [](SegmentQuery& q) { q.platform = SocialMediaPlatform::tiktok; },
           [](SegmentQuery& q) { q.search = ""; }, [](SegmentQuery& q) { q.created_after = "2026"; },
           [](SegmentQuery& q) { q.created_before = "2026"; },
           [](SegmentQuery& q) { q.sort_by = SegmentOrder::title; },
           [](SegmentQuery& q) { q.descending = false; }}) {
    SegmentQuery changed;
    change(changed);
    EXPECT_FALSE(parse_cursor("s", "alice", changed, text));
    EXPECT_TRUE(parse_cursor("s", "alice", changed, encode_cursor("s", "alice", changed, cursor)));
  }
  SegmentQuery larger_page;
  larger_page.limit = 7;
  EXPECT_TRUE(parse_cursor("s", "alice", larger_page, text));  // the page's size may change on the way
}

TEST(Cursor, FiltersWithTheSameTextsInOtherPlacesDiffer) {
  SegmentQuery one, other;
  one.tags = {"a", "b"};
  other.tags = {"a\",\"b"};
  EXPECT_FALSE(parse_cursor("s", "u", other, encode_cursor("s", "u", one, cursor)));
}

TEST(Cursor, AnyOneCharacterChangedIsRefused) {
  SegmentQuery query;
  auto text = encode_cursor("s", "alice", query, cursor);
  for (std::size_t i = 0; i < text.size(); ++i)
    for (char c : {'A', 'B', 'C', 'D', '-', '=', '\0'}) {
      if (text[i] == c) continue;
      auto changed = text;
      changed[i] = c;
      ASSERT_FALSE(parse_cursor("s", "alice", query, changed)) << i;
    }
  for (std::string broken : {std::string(), std::string("AAAA"), text.substr(1), text + "A", text + "="})
    EXPECT_FALSE(parse_cursor("s", "alice", query, broken)) << broken;
}

}  // namespace
}  // namespace segments
