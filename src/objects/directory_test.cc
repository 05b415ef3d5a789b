#include "objects/directory.h"

#include <fcntl.h>
#include <gtest/gtest.h>
#include <sys/mount.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include <csignal>
#include <fstream>
#include <random>
#include <set>

#include "base/crypto.h"
#include "base/error.h"
#include "base/ids.h"
#include "base/text.h"
#include "objects/object_store_contract.h"

namespace segments {
namespace {

namespace fs = std::filesystem;

class TemporaryFolder {
 public:
  TemporaryFolder() {
    std::string name = (fs::temp_directory_path() / "segments-objects-XXXXXX").string();
    if (!::mkdtemp(name.data())) throw std::runtime_error("mkdtemp");
    path_ = name;
  }
  ~TemporaryFolder() { fs::remove_all(path_); }
  TemporaryFolder(const TemporaryFolder&) = delete;
  TemporaryFolder& operator=(const TemporaryFolder&) = delete;
  const fs::path& path() const { return path_; }

 private:
  fs::path path_;
};

std::string put_part(DirectoryObjectStore& store, const std::string& key, const std::string& id, int number,
                     std::string_view bytes) {
  auto writer = store.write_part(key, id, number);
  writer->write(bytes);
  return writer->commit().etag;
}

OpenedObjectStore open_directory() {
  struct Kept {
    TemporaryFolder folder;
    DirectoryObjectStore store{folder.path(), "secret"};
  };
  auto kept = std::make_shared<Kept>();
  return {std::shared_ptr<ObjectStore>(kept, &kept->store),
          [kept](const std::string& key, const std::string& id, int number, std::string_view bytes) {
            return put_part(kept->store, key, id, number, bytes);
          }};
}

INSTANTIATE_TEST_SUITE_P(Directory, ObjectStoreContract,
                         ::testing::Values(ObjectStoreFactory{"directory", open_directory}));

class DirectoryTest : public ::testing::Test {
 protected:
  ObjectInfo put(const std::string& key, std::string_view bytes, const std::string& type = "video/mp4") {
    auto writer = store.write_object(key, type);
    writer->write(bytes);
    return writer->commit();
  }
  // Regular files below, that is everything but links and folders.
  std::size_t count_files(const char* below) {
    std::size_t count = 0;
    for (const auto& entry : fs::recursive_directory_iterator(folder.path() / below))
      count += !entry.is_symlink() && entry.is_regular_file();
    return count;
  }
  std::size_t count_entries(const char* below) {
    return static_cast<std::size_t>(
        std::distance(fs::directory_iterator(folder.path() / below), fs::directory_iterator()));
  }

  TemporaryFolder folder;
  DirectoryObjectStore store{folder.path(), "secret"};
};

TEST_F(DirectoryTest, PeopleFindTheirFilesUnderTheirNames) {
  put("uploads/v1/my clip.mp4", "bytes");
  fs::path link = folder.path() / "by-key/uploads+/v1+/my clip.mp4";
  ASSERT_TRUE(fs::is_symlink(link));
  std::string bytes;
  std::getline(std::ifstream(link), bytes);
  EXPECT_EQ(bytes, "bytes");
  // The folder may be moved as a whole: links are relative.
  fs::path moved = folder.path().string() + "-moved";
  fs::rename(folder.path(), moved);
  DirectoryObjectStore again(moved, "secret");
  EXPECT_EQ(again.read_object("uploads/v1/my clip.mp4", 0, 10), "bytes");
  fs::rename(moved, folder.path());
}

TEST_F(DirectoryTest, TheSameBytesAgainAreAnotherVersion) {
  // An If-Range of the first is never met by half of the second.
  auto first = put("a", "the same");
  EXPECT_NE(put("a", "the same").etag, first.etag);
}

TEST_F(DirectoryTest, LeavesNothingBehind) {
  for (int i = 0; i < 3; ++i) put("a/b/c", "version " + std::to_string(i));
  { store.write_object("a/b/d", "video/mp4")->write("never committed"); }
  store.check_writable();
  EXPECT_EQ(count_files("bytes"), 1u);
  EXPECT_EQ(count_entries("incoming"), 0u);
  EXPECT_TRUE(store.remove_object("a/b/c"));
  EXPECT_EQ(count_files("bytes"), 0u);
  EXPECT_EQ(count_entries("by-key"), 0u) << "empty folders go with their last object";
  std::string id = store.begin_upload("a/b/c", "video/mp4");
  put_part(store, "a/b/c", id, 1, "x");
  EXPECT_TRUE(store.abort_upload("a/b/c", id));
  EXPECT_EQ(count_entries("parts"), 0u);
  EXPECT_EQ(count_entries("incoming"), 0u);
}

TEST_F(DirectoryTest, ConcurrentReplacementsLeaveOneVersionsBytes) {
  {
    std::vector<std::jthread> threads;
    for (int t = 0; t < 8; ++t)
      threads.emplace_back([&, t] {
        for (int i = 0; i < 25; ++i) {
          put("one/key", std::to_string(t * 1000 + i));
          if (i % 7 == 3) store.remove_object("one/key");
        }
      });
  }
  put("one/key", "end");
  EXPECT_EQ(count_files("bytes"), 1u);
  EXPECT_EQ(count_entries("incoming"), 0u);
}

TEST_F(DirectoryTest, AnOpenObjectSurvivesItsReplacementAndRemoval) {
  put("a", "first");
  auto open = store.open_object("a");
  ASSERT_TRUE(open);
  put("a", "second");
  store.remove_object("a");
  char bytes[10];
  EXPECT_EQ(::pread(open->file.number(), bytes, sizeof bytes, 0), 5);
  EXPECT_EQ(std::string_view(bytes, 5), "first");
}

TEST_F(DirectoryTest, ForeignFilesAndLinksInTheFolderAreNotServed) {
  put("v/a", "x");
  std::ofstream(folder.path() / "by-key/v+/stray") << "stray";
  fs::create_symlink("/etc/passwd", folder.path() / "by-key/v+/passwd");
  fs::create_symlink("../../bytes/00/" + std::string(32, '0') + "~x", folder.path() / "by-key/v+/dangling");
  fs::create_directory_symlink("/etc", folder.path() / "by-key/etc");
  EXPECT_FALSE(store.find_object("v/stray"));
  EXPECT_FALSE(store.find_object("v/passwd"));
  EXPECT_FALSE(store.find_object("v/dangling"));
  EXPECT_FALSE(store.find_object("etc/passwd"));
  EXPECT_EQ(store.list_objects("", "", 10).size(), 1u);
}

TEST_F(DirectoryTest, PutFileMovesWithinTheFileSystem) {
  fs::path file = folder.path() / "made.mp4";
  std::ofstream(file) << "made";
  auto old = fs::last_write_time(file) - std::chrono::hours(1000);
  fs::last_write_time(file, old);
  auto info = store.put_file("processed/v/1.mp4", file, "video/mp4");
  EXPECT_FALSE(fs::exists(file));
  EXPECT_NEAR(static_cast<double>(info.modified), static_cast<double>(now_ms()), 60'000);
  EXPECT_EQ(count_entries("incoming"), 0u);
}

void make_old(const fs::path& path, int days) {
  timespec old[2] = {{::time(nullptr) - days * 86'400L, 0}, {::time(nullptr) - days * 86'400L, 0}};
  ASSERT_EQ(::utimensat(AT_FDCWD, path.c_str(), old, AT_SYMLINK_NOFOLLOW), 0);
}

TEST_F(DirectoryTest, SweepsWhatDeadProcessesLeft) {
  fs::path incoming = folder.path() / "incoming";
  auto kept = put("kept", "kept");
  std::ofstream(incoming / "0000.data") << "old";
  make_old(incoming / "0000.data", 2);
  std::ofstream(incoming / "0001.data") << "young";
  // Killed after the bytes were moved and before the link was: the link knows which bytes nobody refers to.
  std::string id(32, 'a');
  fs::create_directories(folder.path() / "bytes/aa");
  std::ofstream(folder.path() / "bytes/aa" / (id + "~x")) << "orphan";
  fs::create_symlink("../bytes/aa/" + id + "~x", incoming / (id + ".link"));
  make_old(incoming / (id + ".link"), 2);
  std::string old_upload = store.begin_upload("u/old", "video/mp4");
  put_part(store, "u/old", old_upload, 1, "part");
  make_old(folder.path() / "parts" / old_upload, 8);
  std::string young_upload = store.begin_upload("u/young", "video/mp4");
  make_old(folder.path() / "parts" / young_upload, 6);

  DirectoryObjectStore again(folder.path(), "secret");
  EXPECT_FALSE(fs::exists(incoming / "0000.data"));
  EXPECT_TRUE(fs::exists(incoming / "0001.data"));
  EXPECT_EQ(count_files("bytes"), 1u);
  EXPECT_EQ(again.find_object("kept")->etag, kept.etag);
  EXPECT_FALSE(again.abort_upload("u/old", old_upload));
  EXPECT_TRUE(again.abort_upload("u/young", young_upload));
}

TEST_F(DirectoryTest, ACompletionGoesOnAfterACrashAtAnyStep) {
  // `done` gone: as if killed right after the object became visible.
  std::string id = store.begin_upload("u/v", "video/mp4");
  std::string etag = put_part(store, "u/v", id, 1, "bytes");
  auto info = store.complete_upload("u/v", id, {{1, etag}});
  fs::path parts = folder.path() / "parts" / id;
  EXPECT_FALSE(fs::exists(parts / "00001"));
  fs::remove(parts / "done");
  EXPECT_EQ(store.complete_upload("u/v", id, {{1, etag}}).etag, info.etag);

  // Killed while the parts were joined, and between bytes and link.
  std::string other = store.begin_upload("u/w", "video/mp4");
  etag = put_part(store, "u/w", other, 1, "bytes");
  std::string object = encode_hex(sha256("upload " + other)).substr(0, 32);
  std::ofstream(folder.path() / "incoming" / (object + ".data")) << "by";
  std::string name = object + "~video%2Fmp4";
  fs::create_directories(folder.path() / "bytes" / name.substr(0, 2));
  std::ofstream(folder.path() / "bytes" / name.substr(0, 2) / name) << "bytes";
  fs::create_symlink("../bytes/" + name.substr(0, 2) + "/" + name,
                     folder.path() / "incoming" / (object + ".link"));
  store.complete_upload("u/w", other, {{1, etag}});
  EXPECT_EQ(store.read_object("u/w", 0, 100), "bytes");
  EXPECT_EQ(count_entries("incoming"), 0u);
  EXPECT_EQ(count_files("bytes"), 2u);
}

// A store whose disk is full: the real system call fails. RLIMIT_FSIZE does what a full disk does, for one
// process.
TEST_F(DirectoryTest, AFullDiskIsSaidPlainlyAndLeavesNothing) {
  pid_t child = ::fork();
  ASSERT_GE(child, 0);
  if (child == 0) {
    ::signal(SIGXFSZ, SIG_IGN);
    rlimit limit{100'000, 100'000};
    ::setrlimit(RLIMIT_FSIZE, &limit);
    int outcome = 1;
    try {
      auto writer = store.write_object("v/big", "video/mp4");
      for (int i = 0; i < 10; ++i) writer->write(std::string(50'000, 'x'));
    } catch (const Error& error) {
      bool is_plain = std::string_view(error.what()).find("no room left") != std::string_view::npos;
      outcome = error.kind() == ErrorKind::unavailable && is_plain ? 0 : 2;
    }
    ::_exit(outcome);
  }
  int status = 0;
  ASSERT_EQ(::waitpid(child, &status, 0), child);
  EXPECT_EQ(WEXITSTATUS(status), 0);
  EXPECT_EQ(count_entries("incoming"), 0u);
  EXPECT_FALSE(store.find_object("v/big"));
}

TEST_F(DirectoryTest, AFullFileSystemIsSaidPlainlyAndLeavesNothing) {
  fs::path small = folder.path() / "small";
  fs::create_directory(small);
  ASSERT_EQ(::mount("tmpfs", small.c_str(), "tmpfs", 0, "size=1m,nr_inodes=2k"), 0)
      << "needs the right to mount";
  {
    DirectoryObjectStore full(small, "secret");
    EXPECT_GT(full.check_writable(), 0);
    auto writer = full.write_object("v/big", "video/mp4");
    auto fill = [&] {
      for (int i = 0; i < 100; ++i) writer->write(std::string(50'000, 'x'));
    };
    try {
      fill();
      ADD_FAILURE() << "a megabyte took five";
    } catch (const Error& error) {
      EXPECT_EQ(error.kind(), ErrorKind::unavailable);
      EXPECT_GT(error.retry_after_s(), 0);
    }
    try {
      full.check_writable();
      ADD_FAILURE() << "a full disk is not writable";
    } catch (const Error& error) {
      EXPECT_EQ(error.kind(), ErrorKind::unavailable);
    }
    writer.reset();
    EXPECT_GT(full.check_writable(), 500'000);
    // From another file system: copied.
    fs::path file = folder.path() / "elsewhere";
    std::ofstream(file) << std::string(300'000, 'e');
    EXPECT_EQ(full.put_file("v/e", file, "video/mp4").size, 300'000);
    EXPECT_EQ(full.read_object("v/e", 0, 1'000'000), std::string(300'000, 'e'));
    std::string id = full.begin_upload("v/j", "video/mp4");
    std::vector<UploadPart> parts;
    for (int i = 1; i <= 2; ++i)
      parts.push_back({i, put_part(full, "v/j", id, i, std::string(250'000, 'p'))});
    EXPECT_THROW(full.complete_upload("v/j", id, parts), Error) << "no room for the parts and the whole";
    EXPECT_FALSE(full.find_object("v/j"));
    full.remove_object("v/e");
    EXPECT_EQ(full.complete_upload("v/j", id, parts).size, 500'000);
  }
  EXPECT_EQ(::umount2(small.c_str(), MNT_DETACH), 0);
}

// Writes objects whose bytes all tell their size, replaces and removes them, until it is killed. What was
// acknowledged goes to the pipe.
[[noreturn]] void write_until_killed(const fs::path& folder, int acknowledged, unsigned seed) {
  DirectoryObjectStore store(folder, "secret");
  std::mt19937 random(seed);
  for (int i = 0;; ++i) {
    char letter = static_cast<char>('a' + random() % 26);
    std::size_t size = 1 + random() % 200'000;
    std::string key = "crash/" + std::to_string(seed) + "/" + std::to_string(i % 5);
    ObjectInfo info;
    if (i % 4 == 3) {
      std::string id = store.begin_upload(key, "video/mp4");
      std::string etag = put_part(store, key, id, 1, std::string(size, letter));
      info = store.complete_upload(key, id, {{1, etag}});
    } else {
      auto writer = store.write_object(key, "video/mp4");
      for (std::size_t at = 0; at < size; at += 10'000)
        writer->write(std::string(std::min<std::size_t>(10'000, size - at), letter));
      info = writer->commit();
    }
    std::string line = key + " " + info.etag + "\n";
    if (::write(acknowledged, line.data(), line.size()) < 0) ::_exit(1);
    if (i % 6 == 5) store.remove_object(key);
  }
}

TEST_F(DirectoryTest, KilledAtAnyMomentItTearsNothingAndLosesNothingAcknowledged) {
  for (unsigned round = 0; round < 40; ++round) {
    int ends[2];
    ASSERT_EQ(::pipe(ends), 0);
    pid_t child = ::fork();
    ASSERT_GE(child, 0);
    if (child == 0) write_until_killed(folder.path(), ends[1], round);
    ::close(ends[1]);
    // Some acknowledgements first, then a moment that differs from round to round.
    char line[256];
    std::string acknowledged;
    for (unsigned reads = 0; reads < 1 + round % 7; ++reads)
      acknowledged.append(line, static_cast<std::size_t>(::read(ends[0], line, sizeof line)));
    ::usleep(round * 137 % 3000);
    ::kill(child, SIGKILL);
    ::waitpid(child, nullptr, 0);
    for (ssize_t count; (count = ::read(ends[0], line, sizeof line)) > 0;)
      acknowledged.append(line, static_cast<std::size_t>(count));
    ::close(ends[0]);

    ASSERT_NE(acknowledged, "");
    std::string prefix = "crash/" + std::to_string(round) + "/";
    std::set<std::string> etags;
    for (const auto& info : store.list_objects(prefix, "", 100)) {
      std::string bytes = store.read_object(info.key, 0, 1 << 20);
      ASSERT_EQ(static_cast<std::int64_t>(bytes.size()), info.size);
      ASSERT_FALSE(bytes.empty());
      EXPECT_EQ(bytes.find_first_not_of(bytes[0]), bytes.npos) << "two versions in one object";
      etags.insert(info.etag);
    }
    // The five keys are written in turn, and every sixth object is removed at once. So of the last
    // acknowledgements one at least is of an object that nothing has touched since, unless less than three
    // were written.
    auto lines = split(acknowledged, '\n');
    while (!lines.empty() && lines.back().empty()) lines.pop_back();
    if (lines.size() >= 3) {
      std::size_t there = 0;
      for (std::size_t i = lines.size() - 3; i < lines.size(); ++i)
        there += etags.count(lines[i].substr(lines[i].find('"')));
      EXPECT_GE(there, 2u) << acknowledged;
    }
    // Everything a killed process left is still writable, replaceable and removable.
    for (const auto& info : store.list_objects(prefix, "", 100)) EXPECT_TRUE(store.remove_object(info.key));
  }
  // As if a day had gone by: no bytes stay that no object refers to.
  store.sweep(now_ms() + 2 * 86'400'000);
  EXPECT_EQ(count_files("bytes"), 0u);
  EXPECT_EQ(count_entries("incoming"), 0u);
}

}  // namespace
}  // namespace segments
