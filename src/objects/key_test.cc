#include "objects/key.h"

#include <gtest/gtest.h>

#include <random>
#include <set>

#include "base/error.h"

namespace segments {
namespace {

TEST(Key, StaysReadable) {
  EXPECT_EQ(path_of_key("uploads/v1/my clip.mp4"), "uploads+/v1+/my clip.mp4");
  EXPECT_EQ(path_of_key("a"), "a");
  EXPECT_EQ(path_of_key("a/b"), "a+/b");
  EXPECT_EQ(path_of_key("a+/b+"), "a++/b%2B");
  EXPECT_EQ(path_of_key("100%"), "100%25");
  EXPECT_EQ(path_of_folder(""), "");
  EXPECT_EQ(path_of_folder("a/b/"), "a+/b+/");
}

// Keys of the few characters that mean something in paths: no two share a path, and no path leaves the
// folder.
TEST(Key, EveryKeyHasAPathOfItsOwn) {
  std::mt19937 random(7);
  const std::string alphabet = "+%~./2B5a";
  std::set<std::string> keys, paths;
  for (int i = 0; i < 200'000; ++i) {
    std::string key;
    std::size_t length = i % 20 == 0 ? 235 + random() % 30 : 1 + random() % 7;
    std::size_t letters = i % 20 == 0 ? 4 : alphabet.size();
    for (std::size_t j = 0; j < length; ++j)
      key += i % 20 == 0 && j < 230 ? '.' : alphabet[random() % letters];
    try {
      check_object_key(key);
    } catch (const Error&) {
      continue;
    }
    if (!keys.insert(key).second) continue;
    std::string path = path_of_key(key);
    ASSERT_TRUE(paths.insert(path).second) << key << " " << path;
    for (std::size_t start = 0; start <= path.size();) {
      std::size_t end = std::min(path.find('/', start), path.size());
      std::string name = path.substr(start, end - start);
      ASSERT_LE(name.size(), 255u);
      ASSERT_TRUE(!name.empty() && name != "." && name != "..") << key << " " << path;
      ASSERT_TRUE(parse_key_name(name)) << name;
      start = end + 1;
    }
  }
  EXPECT_GT(keys.size(), 50'000u);
}

TEST(Key, NamesThatItDoesNotMakeAreNotRead) {
  for (const char* name : {"", "+", "%~", "a%", "a%2", "a%2b", "a%2Bc", "a%41", "a%2B+", "%25%", "a%00"})
    EXPECT_FALSE(parse_key_name(name)) << name;
  EXPECT_EQ(parse_key_name("a%25%2B")->text, "a%+");
  EXPECT_EQ(parse_key_name("a++")->text, "a+");
}

}  // namespace
}  // namespace segments
