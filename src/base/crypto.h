// The few primitives of OpenSSL that the program uses. Digests are returned as raw bytes.
#pragma once

#include <filesystem>
#include <string>
#include <string_view>

namespace segments {

std::string sha256(std::string_view);
std::string hmac_sha256(std::string_view key, std::string_view data);
std::string random_bytes(int count);
// Takes the same time wherever the first difference stands.
bool equal_in_constant_time(std::string_view, std::string_view);
// The secret kept in `file`; made (32 random bytes as hex), durably and with mode 0600, when there is none.
// Safe when several processes start at once: all get the same one. Throws Error{internal} where it cannot.
std::string load_or_make_secret(const std::filesystem::path& file);

// MD5 or SHA-256 of a stream of pieces.
class Digest {
 public:
  enum class Kind { md5, sha256 };
  explicit Digest(Kind);
  ~Digest();
  Digest(const Digest&) = delete;
  Digest& operator=(const Digest&) = delete;
  void add(std::string_view);
  std::string finish();  // once

 private:
  void* context_;
};

}  // namespace segments
