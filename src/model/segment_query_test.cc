#include "model/segment_query.h"

#include <gtest/gtest.h>

#include "base/error.h"

namespace segments {
namespace {

std::vector<std::string> faults_of(const SegmentFilters& filters) {
  try {
    make_segment_query(filters);
  } catch (const Error& error) {
    std::vector<std::string> faults;
    for (const auto& fault : error.faults()) faults.push_back(fault.pointer + " " + fault.code);
    return faults;
  }
  return {};
}

SegmentFilters ordered(std::optional<std::string> sort_by, std::optional<std::string> sort_order = {},
                       std::optional<std::string> order = {}) {
  SegmentFilters filters;
  filters.sort_by = sort_by;
  filters.sort_order = sort_order;
  filters.order = order;
  return filters;
}

TEST(MakeSegmentQuery, HasDefaults) {
  auto query = make_segment_query({});
  EXPECT_EQ(query.sort_by, SegmentOrder::created_at);
  EXPECT_TRUE(query.descending);
  EXPECT_EQ(query.limit, 50);
  EXPECT_EQ(query.offset, 0);
  EXPECT_FALSE(query.has_filter());
}

TEST(MakeSegmentQuery, KnowsBothVocabularies) {
  const std::pair<const char*, SegmentOrder> names[] = {{"date", SegmentOrder::created_at},
                                                        {"created_at", SegmentOrder::created_at},
                                                        {"size", SegmentOrder::file_size},
                                                        {"file_size", SegmentOrder::file_size},
                                                        {"downloads", SegmentOrder::download_count},
                                                        {"download_count", SegmentOrder::download_count},
                                                        {"duration", SegmentOrder::duration},
                                                        {"name", SegmentOrder::name},
                                                        {"title", SegmentOrder::title},
                                                        {"filename", SegmentOrder::filename},
                                                        {"segment_number", SegmentOrder::segment_number},
                                                        {"Name", SegmentOrder::name}};
  for (auto [name, order] : names) EXPECT_EQ(make_segment_query(ordered(name)).sort_by, order) << name;
}

TEST(MakeSegmentQuery, TakesOrderBeforeSortOrder) {
  EXPECT_FALSE(make_segment_query(ordered({}, "asc")).descending);
  EXPECT_FALSE(make_segment_query(ordered({}, {}, "asc")).descending);
  EXPECT_FALSE(make_segment_query(ordered({}, "desc", "asc")).descending);
  EXPECT_TRUE(make_segment_query(ordered({}, "asc", "DESC")).descending);
}

TEST(MakeSegmentQuery, RefusesUnknownOrders) {
  EXPECT_EQ(faults_of(ordered("colour", "up", "down")),
            (std::vector<std::string>{"sort_by enum", "sort_order enum", "order enum"}));
  try {
    make_segment_query(ordered("colour"));
    FAIL();
  } catch (const Error& error) {
    for (const char* name : {"created_at", "date", "file_size", "download_count", "segment_number"})
      EXPECT_NE(std::string(error.what()).find(name), std::string::npos) << name;
  }
}

TEST(MakeSegmentQuery, Pages) {
  auto paged = [](auto limit, auto page_size, auto offset, auto page) {
    SegmentFilters filters;
    filters.limit = limit;
    filters.page_size = page_size;
    filters.offset = offset;
    filters.page = page;
    auto query = make_segment_query(filters);
    return std::pair(query.limit, query.offset);
  };
  using Page = std::pair<std::int64_t, std::int64_t>;
  constexpr std::optional<std::int64_t> none;
  EXPECT_EQ(paged(20, none, 40, none), Page(20, 40));
  EXPECT_EQ(paged(none, 20, none, 3), Page(20, 40));
  EXPECT_EQ(paged(10, 20, none, 2), Page(10, 10));
  EXPECT_EQ(paged(none, none, none, 2), Page(50, 50));
  EXPECT_EQ(paged(1'000'000'000'000, none, none, 2), Page(200, 200));
  EXPECT_EQ(paged(1, none, none, 1'000'000'000), Page(1, 999'999'999));
}

TEST(MakeSegmentQuery, FindsAllFaultsAtOnce) {
  SegmentFilters filters;
  filters.min_duration = 2;
  filters.max_duration = 1;
  filters.created_after = "2026-02-01";
  filters.created_before = "2026-01-01";
  filters.sort_by = "?";
  filters.limit = 0;
  filters.offset = 1;
  filters.page = 1;
  EXPECT_EQ(faults_of(filters), (std::vector<std::string>{"max_duration range", "created_before range",
                                                          "sort_by enum", "limit range", "page duplicate"}));
}

TEST(MakeSegmentQuery, RefusesACursorWithAnOffset) {
  SegmentFilters filters;
  filters.cursor = "c";
  filters.offset = 0;
  EXPECT_TRUE(faults_of(filters).empty());
  filters.offset = 20;
  EXPECT_EQ(faults_of(filters), std::vector<std::string>{"cursor duplicate"});
  filters.offset = {};
  filters.page = 2;
  EXPECT_EQ(faults_of(filters), std::vector<std::string>{"cursor duplicate"});
}

TEST(MakeSegmentQuery, MakesFiltersCanonical) {
  SegmentFilters filters;
  filters.created_after = "2026-01-01";
  filters.created_before = "2026-01-02T01:00:00+01:00";
  filters.search = "  ÉTÉ Clip ";
  filters.tags = {"b", "a", "b"};
  auto query = make_segment_query(filters);
  EXPECT_EQ(query.created_after, "2026-01-01T00:00:00.000Z");
  EXPECT_EQ(query.created_before, "2026-01-02T00:00:00.000Z");
  EXPECT_EQ(query.search, "été clip");
  EXPECT_EQ(query.tags, (std::vector<std::string>{"b", "a"}));
  EXPECT_TRUE(query.has_filter());
  filters = {};
  filters.search = "   ";
  filters.tags = std::vector<std::string>{};
  EXPECT_FALSE(make_segment_query(filters).has_filter());
}

TEST(MakeSegmentQuery, KeepsZeroFilters) {
  SegmentFilters filters;
  filters.min_duration = 0;
  filters.min_downloads = 0;
  auto query = make_segment_query(filters);
  EXPECT_EQ(query.min_duration, 0);
  EXPECT_EQ(query.min_downloads, 0);
}

TEST(SortKeyOf, IsWhatTheClientSortsBy) {
  Segment segment;
  segment.segment_number = 7;
  segment.duration = 12.5;
  segment.file_size = 1'000'000'000'000;
  segment.download_count = 3;
  segment.created_at = "2026-01-01T00:00:00.000Z";
  auto key = [&](SegmentOrder order) { return sort_key_of(segment, order); };
  EXPECT_EQ(key(SegmentOrder::created_at), "2026-01-01T00:00:00.000Z");
  EXPECT_EQ(key(SegmentOrder::duration), "12.5");
  EXPECT_EQ(key(SegmentOrder::file_size), "1000000000000");
  EXPECT_EQ(key(SegmentOrder::download_count), "3");
  EXPECT_EQ(key(SegmentOrder::segment_number), "7");
  EXPECT_EQ(key(SegmentOrder::name), "segment 7");
  EXPECT_EQ(key(SegmentOrder::title), "");
  EXPECT_EQ(key(SegmentOrder::filename), "");
  segment.title = "Été";
  segment.filename = "";
  EXPECT_EQ(key(SegmentOrder::name), "été");
  EXPECT_EQ(key(SegmentOrder::title), "été");
  segment.filename = "A.MP4";
  EXPECT_EQ(key(SegmentOrder::name), "a.mp4");
  EXPECT_EQ(key(SegmentOrder::title), "été");
  EXPECT_EQ(key(SegmentOrder::filename), "a.mp4");
  segment.title = "";
  EXPECT_EQ(key(SegmentOrder::title), "a.mp4");
}

}  // namespace
}  // namespace segments
