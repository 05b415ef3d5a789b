// Moves one file to an object in S3, or back, by the store that workers and `segments admin move` use, and
// says what it took: seconds of CPU, and megabytes of memory at most.
//
// usage: s3_bench ENDPOINT REGION BUCKET (put|get) KEY FILE, with keys in the environment, and with
// SEGMENTS_S3_PAYLOAD_SIGNING_ENABLED=no where bodies go over TLS as they go to AWS
#include <sys/resource.h>

#include <cstdio>
#include <cstdlib>
#include <fstream>
#include <stdexcept>
#include <string>

#include "s3/s3_object_store.h"

namespace segments {
namespace {

constexpr std::int64_t piece_bytes = 8 << 20;  // as objects are moved

void get(s3::S3ObjectStore& store, const std::string& key, const std::string& file) {
  auto info = store.find_object(key);
  if (!info) throw std::runtime_error("there is no such object");
  std::ofstream out(file, std::ios::binary);
  for (std::int64_t at = 0; at < info->size; at += piece_bytes) {
    auto piece = store.read_object(key, at, piece_bytes);
    out.write(piece.data(), static_cast<std::streamsize>(piece.size()));
  }
  if (!out.flush()) throw std::runtime_error("the file cannot be written");
}

int run(char** words) {
  const auto environment = [](std::string_view name) -> std::optional<std::string> {
    const char* value = std::getenv(std::string(name).c_str());
    return value ? std::optional<std::string>(value) : std::nullopt;
  };
  aws::CredentialProvider keys({.environment = environment});
  s3::Options options;
  options.endpoint = {aws::parse_origin(words[1], "S3", "the endpoint"), true};
  options.region = words[2];
  options.bucket = words[3];
  if (environment("SEGMENTS_S3_PAYLOAD_SIGNING_ENABLED") == "no") options.payload_signing_enabled = false;
  s3::S3ObjectStore store(std::move(options), keys);
  if (std::string_view(words[4]) == "put")
    store.put_file(words[5], words[6], "video/mp4");
  else
    get(store, words[5], words[6]);
  rusage used{};
  getrusage(RUSAGE_SELF, &used);
  auto seconds = [](const timeval& time) {
    return static_cast<double>(time.tv_sec) + static_cast<double>(time.tv_usec) / 1e6;
  };
  std::printf("{\"cpu\": %.3f, \"memory\": %.1f}\n", seconds(used.ru_utime) + seconds(used.ru_stime),
              static_cast<double>(used.ru_maxrss) / 1024);
  return 0;
}

}  // namespace
}  // namespace segments

int main(int count, char** words) {
  if (count != 7) {
    std::fprintf(stderr, "usage: s3_bench ENDPOINT REGION BUCKET (put|get) KEY FILE\n");
    return 2;
  }
  try {
    return segments::run(words);
  } catch (const std::exception& error) {
    std::fprintf(stderr, "s3_bench: %s\n", error.what());
    return 1;
  }
}
