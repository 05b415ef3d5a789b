#include <gtest/gtest.h>

#include <set>

#include "base/text.h"
#include "model/cutting.h"

namespace segments {
namespace {

using Texts = std::vector<std::string>;

TextInput based_on(std::string text, std::optional<Texts> unique_texts = {}) {
  TextInput input;
  input.base_text = std::move(text);
  input.unique_texts = std::move(unique_texts);
  return input;
}

Texts vary(const std::string& text, std::size_t count) {
  return plan_texts(TextStrategy::base_vary, based_on(text), count);
}

TEST(PlanTexts, OneForAll) {
  EXPECT_EQ(plan_texts(TextStrategy::one_for_all, based_on(" Hi "), 3), (Texts{"Hi", "Hi", "Hi"}));
  EXPECT_EQ(plan_texts(TextStrategy::one_for_all, {}, 2), (Texts{"", ""}));
  EXPECT_EQ(plan_texts(TextStrategy::one_for_all, based_on("Hi"), 0), Texts{});
}

TEST(PlanTexts, UniqueForAll) {
  auto input = based_on("unused", Texts{"a", "", "c"});
  EXPECT_EQ(plan_texts(TextStrategy::unique_for_all, input, 5), (Texts{"a", "", "c", "", ""}));
  EXPECT_EQ(plan_texts(TextStrategy::unique_for_all, input, 1), Texts{"a"});
  EXPECT_EQ(plan_texts(TextStrategy::unique_for_all, {}, 2), (Texts{"", ""}));
}

TEST(PlanTexts, TakesTheStrategyOfTheArgumentFirst) {
  auto input = based_on("base", Texts{"u"});
  input.strategy = TextStrategy::unique_for_all;
  EXPECT_EQ(plan_texts(TextStrategy::one_for_all, input, 1), Texts{"base"});
  EXPECT_EQ(plan_texts({}, input, 1), Texts{"u"});
  input.strategy = {};
  EXPECT_EQ(plan_texts({}, input, 1), Texts{"base"});
  input.base_text = {};
  EXPECT_EQ(plan_texts({}, input, 1), Texts{"u"});
  EXPECT_EQ(plan_texts({}, {}, 2), (Texts{"", ""}));
}

TEST(BaseVary, BeginsWithTheBaseText) {
  for (const char* text : {"Hello", "Watch this. It is great!", "What is new?", "漢字", "50% off"}) {
    EXPECT_EQ(vary(text, 1), Texts{text});
    EXPECT_EQ(vary(text, 6)[0], text);
  }
  EXPECT_EQ(vary("", 2), (Texts{"", ""}));
  EXPECT_EQ(vary("  ", 2), (Texts{"", ""}));
}

TEST(BaseVary, IsDeterministicAndDifferent) {
  for (const char* text : {"Hello", "Watch this. It is great! Do not miss it.", "What is new?",
                           "Salt and pepper", "漢字", "7"}) {
    auto texts = vary(text, 8);
    EXPECT_EQ(texts, vary(text, 8));
    EXPECT_EQ(std::set<std::string>(texts.begin(), texts.end()).size(), 8u) << text;
    // A longer plan begins as a shorter one does.
    auto longer = vary(text, 20);
    EXPECT_TRUE(std::equal(texts.begin(), texts.end(), longer.begin())) << text;
  }
}

// Taken apart into letters and digits, a variation has nothing that the base text has not, but for the fixed
// wordings.
TEST(BaseVary, AddsNoFacts) {
  auto letters = [](std::string text) {
    std::multiset<char> all;
    for (char c : lower_ascii(text))
      if ((c >= 'a' && c <= 'z') || (c >= '0' && c <= '9')) all.insert(c);
    return all;
  };
  const std::string base = "Big sale: 50 percent off. Only 3 days left! Come by.";
  for (const auto& text : vary(base, 100)) EXPECT_EQ(letters(text), letters(base)) << text;
}

TEST(BaseVary, ChangesWordingOrderAndPunctuation) {
  auto contains = [](const Texts& texts, const std::string& wanted) {
    return std::find(texts.begin(), texts.end(), wanted) != texts.end();
  };
  EXPECT_TRUE(contains(vary("Do not stop", 50), "Don't stop"));
  EXPECT_TRUE(contains(vary("It's new", 50), "It is new"));
  EXPECT_TRUE(contains(vary("One. Two!", 50), "Two! One."));
  EXPECT_TRUE(contains(vary("Hello", 50), "Hello!"));
  // A word inside another word is left alone, a question stays a question.
  for (const auto& text : vary("Sandy brand", 50)) EXPECT_EQ(text.find('&'), text.npos) << text;
  for (const auto& text : vary("Ready?", 8)) EXPECT_NE(text.find("Ready?"), text.npos) << text;
}

TEST(BaseVary, RepeatsWhenItHasNoMore) {
  auto texts = vary("7", 10'000);
  EXPECT_EQ(texts.size(), 10'000u);
  for (const auto& text : texts) EXPECT_NE(text.find('7'), text.npos);
}

TEST(BaseVary, StaysValidUtf8AndQuickOnLongTexts) {
  std::string text;
  for (int i = 0; i < 250; ++i) text += "é" + std::to_string(i % 10) + ". ";
  for (const auto& variation : vary(text, 10'000)) {
    ASSERT_TRUE(is_utf8(variation));
    ASSERT_LE(variation.size(), text.size() + 10);
  }
}

}  // namespace
}  // namespace segments
