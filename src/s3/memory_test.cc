// How much memory objects of hundreds of megabytes take, each way.
#include <gtest/gtest.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cstdio>
#include <filesystem>
#include <fstream>

#include "base/ids.h"
#include "s3/test_store.h"

namespace segments::s3 {
namespace {

constexpr std::int64_t piece_size = 4 << 20, pieces_of_file = 75, pieces_of_stream = 25;

// Each piece is another one.
std::string piece_at(std::int64_t number) {
  std::string bytes(piece_size, static_cast<char>(number));
  bytes.replace(0, 8, std::to_string(10'000'000 + number));
  return bytes;
}

long peak_kib() {
  std::ifstream status("/proc/self/status");
  for (std::string line; std::getline(status, line);)
    if (line.starts_with("VmHWM:")) return std::stol(line.substr(6));
  return -1;
}

bool is_there(ObjectStore& store, const std::string& key, std::int64_t pieces) {
  auto info = store.find_object(key);
  if (!info || info->size != pieces * piece_size) return false;
  for (std::int64_t number = 0; number < pieces; ++number)
    if (store.read_object(key, number * piece_size, piece_size) != piece_at(number)) return false;
  return true;
}

// 0, or which step went wrong.
int carry(TestBucket& bucket, const std::filesystem::path& file, std::ostream& told) {
  S3ObjectStore store(bucket.options(), bucket.credentials());
  std::ofstream("/proc/self/clear_refs") << "5";  // the peak counts from here
  auto before = peak_kib();
  store.put_file("v/file", file, "video/mp4");
  if (!is_there(store, "v/file", pieces_of_file)) return 1;
  store.remove_object("v/file");
  auto writer = store.write_object("v/streamed", "video/mp4");
  for (std::int64_t number = 0; number < pieces_of_stream; ++number) writer->write(piece_at(number));
  writer->commit();
  if (!is_there(store, "v/streamed", pieces_of_stream)) return 2;
  store.remove_object("v/streamed");
  told << peak_kib() - before << std::endl;
  return 0;
}

TEST(S3Memory, StaysTheSameForObjectsOfAnySize) {
  TestBucket bucket(engines::s3().direct);
  auto folder = std::filesystem::temp_directory_path() / ("segments-s3-" + make_id());
  std::filesystem::create_directories(folder);
  {
    std::ofstream file(folder / "file", std::ios::binary);
    for (std::int64_t number = 0; number < pieces_of_file; ++number) file << piece_at(number);
  }
  // A process of its own: this one's peak is that of all tests before.
  auto child = ::fork();
  ASSERT_GE(child, 0);
  if (child == 0) {
    int code = 3;
    try {
      std::ofstream told(folder / "peak");
      code = carry(bucket, folder / "file", told);
    } catch (const std::exception& error) {
      std::fprintf(stderr, "%s\n", error.what());
    }
    ::_exit(code);
  }
  int status = 0;
  ASSERT_EQ(::waitpid(child, &status, 0), child);
  long grown = -1;
  std::ifstream(folder / "peak") >> grown;
  std::filesystem::remove_all(folder);
  EXPECT_TRUE(WIFEXITED(status)) << status;
  EXPECT_EQ(WEXITSTATUS(status), 0) << "1: the file's bytes, 2: the stream's, 3: an exception";
  RecordProperty("grown_kib", static_cast<int>(grown));
#ifndef SEGMENTS_SANITIZED
  EXPECT_LT(grown, 48 << 10);
#endif
  EXPECT_GE(grown, 0);
  std::printf("the peak grew by %ld KiB\n", grown);
}

}  // namespace
}  // namespace segments::s3
