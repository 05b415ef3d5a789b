#include "api/list_cache.h"

#include <gtest/gtest.h>

namespace segments {
namespace {

std::shared_ptr<const ListAnswer> answer_of(std::string body) {
  return std::make_shared<const ListAnswer>(ListAnswer{std::move(body), "ETag: \"1\"\r\n", "\"1\""});
}

TEST(ListCache, FindsByKeyAndRevisionAlone) {
  Metrics metrics;
  ListCache cache(1 << 20, metrics);
  cache.put_answer("a", 5, 1'000, answer_of("five"));
  ASSERT_TRUE(cache.find_answer("a", 5, 999));
  EXPECT_EQ(cache.find_answer("a", 5, 999)->body, "five");
  EXPECT_FALSE(cache.find_answer("a", 5, 1'000)) << "its time is over";
  EXPECT_FALSE(cache.find_answer("a", 4, 0));
  EXPECT_FALSE(cache.find_answer("a", 6, 0));
  EXPECT_FALSE(cache.find_answer("b", 5, 0));
  cache.put_answer("a", 6, 1'000, answer_of("six"));
  EXPECT_FALSE(cache.find_answer("a", 5, 0));
  EXPECT_EQ(cache.find_answer("a", 6, 0)->body, "six");
  const std::string printed = metrics.print();
  EXPECT_NE(printed.find("segments_list_answers_total{from=\"memory\"} 3"), printed.npos) << printed;
  EXPECT_NE(printed.find("segments_list_answers_total{from=\"store\"} 5"), printed.npos) << printed;
}

TEST(ListCache, StaysWithinItsBoundAndKeepsWhatIsUsed) {
  Metrics metrics;
  constexpr std::size_t most = 1 << 20, each = 40'000;
  ListCache cache(most, metrics);
  cache.put_answer("used", 1, 1, answer_of(std::string(each, 'u')));
  for (int i = 0; i < 200; ++i) {
    ASSERT_TRUE(cache.find_answer("used", 1, 0)) << i;
    cache.put_answer(std::to_string(i), 1, 1, answer_of(std::string(each, 'x')));
    ASSERT_LE(cache.bytes(), most);
  }
  EXPECT_GT(cache.bytes(), most - 2 * each);
  EXPECT_TRUE(cache.find_answer("199", 1, 0));
  EXPECT_FALSE(cache.find_answer("0", 1, 0));
  // One that would take the place of many is not kept.
  cache.put_answer("huge", 1, 1, answer_of(std::string(most / 4, 'x')));
  EXPECT_FALSE(cache.find_answer("huge", 1, 0));
  EXPECT_TRUE(cache.find_answer("199", 1, 0));
}

}  // namespace
}  // namespace segments
