#include "base/ids.h"

#include <gtest/gtest.h>
#include <sys/wait.h>
#include <unistd.h>

#include <set>
#include <thread>

namespace segments {
namespace {

TEST(MakeId, SortsByTimeAndHasItsAlphabet) {
  EXPECT_EQ(make_id(0).substr(0, 10), "0000000000");
  EXPECT_EQ(make_id(1'469'918'176'385).substr(0, 10), "01aryz6s41");
  EXPECT_EQ(make_id((Millis{1} << 48) - 1).substr(0, 10), "7zzzzzzzzz");
  for (Millis at : {Millis{0}, Millis{1}, Millis{31}, Millis{32}, Millis{1'795'366'800'123}}) {
    auto id = make_id(at);
    EXPECT_EQ(id.size(), 26u);
    EXPECT_EQ(id.find_first_not_of("0123456789abcdefghjkmnpqrstvwxyz"), id.npos) << id;
    EXPECT_LT(id, make_id(at + 1));
  }
}

TEST(MakeId, IsUniqueWithinAMillisecondAndAmongThreads) {
  std::vector<std::vector<std::string>> made(4);
  std::vector<std::thread> threads;
  for (auto& ids : made)
    threads.emplace_back([&ids] {
      for (int i = 0; i < 20'000; ++i) ids.push_back(make_id(1'000));
    });
  for (auto& thread : threads) thread.join();
  std::set<std::string> all;
  for (const auto& ids : made) all.insert(ids.begin(), ids.end());
  EXPECT_EQ(all.size(), 80'000u);
}

// Every one of the random characters takes every value.
TEST(MakeId, UsesAllItsRandomBits) {
  std::vector<std::set<char>> seen(26);
  for (int i = 0; i < 2'000; ++i) {
    auto id = make_id(0);
    for (int k = 10; k < 26; ++k) seen[k].insert(id[k]);
  }
  for (int k = 10; k < 26; ++k) EXPECT_EQ(seen[k].size(), 32u) << k;
}

TEST(MakeId, DiffersAfterAFork) {
  make_id();
  int ends[2];
  ASSERT_EQ(pipe(ends), 0);
  pid_t child = fork();
  if (child == 0) {
    auto id = make_id(7);
    _exit(write(ends[1], id.data(), 26) == 26 ? 0 : 1);
  }
  auto own = make_id(7);
  char of_child[26];
  ASSERT_EQ(read(ends[0], of_child, 26), 26);
  waitpid(child, nullptr, 0);
  close(ends[0]);
  close(ends[1]);
  EXPECT_NE(own, std::string(of_child, 26));
}

TEST(MakeSecret, IsHexOfItsLength) {
  auto secret = make_secret(32);
  EXPECT_EQ(secret.size(), 64u);
  EXPECT_EQ(secret.find_first_not_of("0123456789abcdef"), secret.npos);
  EXPECT_NE(secret, make_secret(32));
  EXPECT_EQ(make_secret(0), "");
}

}  // namespace
}  // namespace segments
