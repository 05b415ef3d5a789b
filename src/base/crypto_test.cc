#include "base/crypto.h"

#include <gtest/gtest.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include <fstream>
#include <set>
#include <thread>

#include "base/error.h"
#include "base/ids.h"
#include "base/text.h"

namespace segments {
namespace {

namespace fs = std::filesystem;

TEST(Sha256, FollowsFips180) {
  EXPECT_EQ(encode_hex(sha256("")), "e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855");
  EXPECT_EQ(encode_hex(sha256("abc")), "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad");
  EXPECT_EQ(encode_hex(sha256(std::string(1'000'000, 'a'))),
            "cdc76e5c9914fb9281a1c7e284d73e67f1809a48a497200e046d39ccc7112cd0");
}

// Cases of RFC 4231.
TEST(HmacSha256, FollowsRfc4231) {
  auto hmac = [](std::string key, std::string data) { return encode_hex(hmac_sha256(key, data)); };
  EXPECT_EQ(hmac(std::string(20, '\x0b'), "Hi There"),
            "b0344c61d8db38535ca8afceaf0bf12b881dc200c9833da726e9376c2e32cff7");
  EXPECT_EQ(hmac("Jefe", "what do ya want for nothing?"),
            "5bdcc146bf60754e6a042426089575c75a003f089d2739839dec58b964ec3843");
  EXPECT_EQ(hmac(std::string(20, '\xaa'), std::string(50, '\xdd')),
            "773ea91e36800e46854db8ebd09181a72959098b3ef8c122d9635514ced565fe");
  EXPECT_EQ(hmac(std::string(131, '\xaa'), "Test Using Larger Than Block-Size Key - Hash Key First"),
            "60e431591ee0b67f0d8a26aacbf5b77f8e0bc6213728c5140546040f0ee37f54");
  EXPECT_NE(hmac("k", "a"), hmac("k", "b"));
}

TEST(Digest, TakesAStreamOfPieces) {
  Digest md5(Digest::Kind::md5), sha(Digest::Kind::sha256);
  for (const char* piece : {"message", "", " ", "digest"}) {
    md5.add(piece);
    sha.add(piece);
  }
  Digest plain(Digest::Kind::md5);
  plain.add("message digest");
  EXPECT_EQ(md5.finish(), plain.finish());
  EXPECT_EQ(sha.finish(), sha256("message digest"));
  Digest known(Digest::Kind::md5);
  known.add("abc");
  EXPECT_EQ(encode_hex(known.finish()), "900150983cd24fb0d6963f7d28e17f72");
}

TEST(Sha256, MayBeCalledByManyThreads) {
  auto expected = sha256("abc");
  std::vector<std::thread> threads;
  std::atomic<int> wrong = 0;
  for (int t = 0; t < 4; ++t)
    threads.emplace_back([&] {
      for (int i = 0; i < 5'000; ++i) wrong += sha256("abc") != expected;
    });
  for (auto& thread : threads) thread.join();
  EXPECT_EQ(wrong, 0);
}

TEST(RandomBytes, GivesAsManyAsAsked) {
  EXPECT_EQ(random_bytes(0), "");
  EXPECT_EQ(random_bytes(1'000).size(), 1'000u);
  EXPECT_NE(random_bytes(16), random_bytes(16));
}

TEST(EqualInConstantTime, Compares) {
  EXPECT_TRUE(equal_in_constant_time("abc", "abc"));
  EXPECT_TRUE(equal_in_constant_time("", ""));
  EXPECT_FALSE(equal_in_constant_time("abc", "abd"));
  EXPECT_FALSE(equal_in_constant_time("abc", "ab"));
}

class Secret : public testing::Test {
 protected:
  Secret() { fs::create_directories(folder); }
  ~Secret() override { fs::remove_all(folder); }
  const fs::path folder = fs::temp_directory_path() / ("secret-" + make_id());
  const fs::path file = folder / "auth.secret";
};

TEST_F(Secret, IsMadeOnceAndKept) {
  auto secret = load_or_make_secret(file);
  EXPECT_EQ(secret.size(), 64u);
  EXPECT_EQ(load_or_make_secret(file), secret);
  struct stat about {};
  ASSERT_EQ(stat(file.c_str(), &about), 0);
  EXPECT_EQ(about.st_mode & 0777, 0600u);
  // Nothing else is left.
  EXPECT_EQ(std::distance(fs::directory_iterator(folder), fs::directory_iterator()), 1);
}

TEST_F(Secret, IsTakenFromAFilePutThereAndClosedToOthers) {
  std::ofstream(file) << "of my own\n";
  fs::permissions(file, fs::perms::all);
  EXPECT_EQ(load_or_make_secret(file), "of my own");
  EXPECT_EQ(fs::status(file).permissions(), fs::perms::owner_read | fs::perms::owner_write);
}

TEST_F(Secret, MakesItsFolder) {
  EXPECT_EQ(load_or_make_secret(folder / "a" / "b" / "s").size(), 64u);
}

TEST_F(Secret, RefusesAnEmptyFileAndAFolder) {
  std::ofstream{file};
  EXPECT_THROW(load_or_make_secret(file), Error);
  EXPECT_THROW(load_or_make_secret(folder), Error);
}

TEST_F(Secret, IsOneForProcessesThatStartAtOnce) {
  constexpr int count = 16;
  int go[2], answers[2];
  ASSERT_EQ(pipe(go), 0);
  ASSERT_EQ(pipe(answers), 0);
  std::vector<pid_t> children;
  for (int i = 0; i < count; ++i) {
    pid_t child = fork();
    if (child == 0) {
      close(go[1]);
      char wait;
      [[maybe_unused]] auto ended = read(go[0], &wait, 1);  // until the parent closes it
      std::string secret;
      try {
        secret = load_or_make_secret(file);
      } catch (...) {
        secret = std::string(64, '!');
      }
      _exit(write(answers[1], secret.data(), 64) == 64 ? 0 : 1);
    }
    children.push_back(child);
  }
  close(go[1]);
  std::set<std::string> secrets;
  for (int i = 0; i < count; ++i) {
    char secret[64];
    ASSERT_EQ(read(answers[0], secret, 64), 64);
    secrets.emplace(secret, 64);
  }
  for (pid_t child : children) waitpid(child, nullptr, 0);
  close(go[0]);
  close(answers[0]);
  close(answers[1]);
  EXPECT_EQ(secrets, std::set<std::string>{load_or_make_secret(file)});
}

}  // namespace
}  // namespace segments
