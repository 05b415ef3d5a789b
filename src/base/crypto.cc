#include "base/crypto.h"

#include <fcntl.h>
#include <openssl/evp.h>
#include <sys/random.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cerrno>
#include <cstring>

#include "base/error.h"
#include "base/ids.h"
#include "base/text.h"

namespace segments {

namespace {

// Fetching an algorithm by name takes locks and a search: done once.
const EVP_MD* algorithm(Digest::Kind kind) {
  static const EVP_MD* const sha256 = EVP_MD_fetch(nullptr, "SHA256", nullptr);
  static const EVP_MD* const md5 = EVP_MD_fetch(nullptr, "MD5", nullptr);
  const EVP_MD* found = kind == Digest::Kind::md5 ? md5 : sha256;
  if (!found) throw Error(ErrorKind::internal, "OpenSSL has no such digest.");
  return found;
}

void require(bool done) {
  if (!done) throw Error(ErrorKind::internal, "OpenSSL failed to make a digest.");
}

void start(EVP_MD_CTX* context, Digest::Kind kind) {
  require(context && EVP_DigestInit_ex2(context, algorithm(kind), nullptr) == 1);
}

void feed(EVP_MD_CTX* context, std::string_view data) {
  require(EVP_DigestUpdate(context, data.data(), data.size()) == 1);
}

std::string finish(EVP_MD_CTX* context) {
  unsigned char bytes[EVP_MAX_MD_SIZE];
  unsigned size = 0;
  require(EVP_DigestFinal_ex(context, bytes, &size) == 1);
  return std::string(reinterpret_cast<char*>(bytes), size);
}

// Of the two, one after the other.
std::string sha256_of(std::string_view data, std::string_view more = {}) {
  struct Context {
    EVP_MD_CTX* of_openssl = EVP_MD_CTX_new();
    ~Context() { EVP_MD_CTX_free(of_openssl); }
  };
  thread_local Context context;
  start(context.of_openssl, Digest::Kind::sha256);
  feed(context.of_openssl, data);
  if (!more.empty()) feed(context.of_openssl, more);
  return finish(context.of_openssl);
}

struct File {
  explicit File(int fd) : fd(fd) {}
  ~File() {
    if (fd >= 0) close(fd);
  }
  File(const File&) = delete;
  File& operator=(const File&) = delete;
  int fd;
};

Error secret_error(const std::filesystem::path& file, const char* what) {
  std::string reason = std::strerror(errno);
  return Error(ErrorKind::internal,
               "The secret file " + file.string() + " cannot be " + what + ": " + reason + ".");
}

std::optional<std::string> read_secret(const std::filesystem::path& file) {
  File open_file(open(file.c_str(), O_RDONLY | O_CLOEXEC));
  if (open_file.fd < 0) {
    if (errno == ENOENT) return std::nullopt;
    throw secret_error(file, "read");
  }
  // A file put there by hand may be open to others; where it is not ours to change, reading it still works.
  if (struct stat about{}; fstat(open_file.fd, &about) == 0 && (about.st_mode & 077) != 0) [[maybe_unused]]
    int ignored = fchmod(open_file.fd, 0600);
  char bytes[4096];
  auto size = read(open_file.fd, bytes, sizeof bytes);
  if (size < 0) throw secret_error(file, "read");
  std::string secret(trim(std::string_view(bytes, static_cast<std::size_t>(size))));
  if (secret.empty()) throw Error(ErrorKind::internal, "The secret file " + file.string() + " is empty.");
  return secret;
}

void write_durably(const std::filesystem::path& file, const std::string& text) {
  File made(open(file.c_str(), O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC, 0600));
  if (made.fd < 0) throw secret_error(file, "made");
  if (write(made.fd, text.data(), text.size()) != static_cast<ssize_t>(text.size()) || fsync(made.fd) != 0)
    throw secret_error(file, "written");
}

void sync_folder(const std::filesystem::path& folder) {
  File open_folder(open(folder.c_str(), O_RDONLY | O_DIRECTORY | O_CLOEXEC));
  if (open_folder.fd < 0 || fsync(open_folder.fd) != 0) throw secret_error(folder, "synced");
}

}  // namespace

std::string sha256(std::string_view data) {
  return sha256_of(data);
}

// RFC 2104 on our own sha256(): every request's token is checked with it, and OpenSSL's one-shot call spends
// several times the hashing on looking up its algorithm.
std::string hmac_sha256(std::string_view key, std::string_view data) {
  char inner[64], outer[64];
  const std::string hashed = key.size() > sizeof inner ? sha256(key) : std::string();
  if (!hashed.empty()) key = hashed;
  for (std::size_t i = 0; i < sizeof inner; ++i) {
    const char c = i < key.size() ? key[i] : '\0';
    inner[i] = static_cast<char>(c ^ 0x36);
    outer[i] = static_cast<char>(c ^ 0x5c);
  }
  return sha256_of({outer, sizeof outer}, sha256_of({inner, sizeof inner}, data));
}

std::string random_bytes(int count) {
  std::string bytes(static_cast<std::size_t>(count), '\0');
  for (std::size_t have = 0; have < bytes.size();) {
    auto got = getrandom(bytes.data() + have, bytes.size() - have, 0);
    if (got > 0)
      have += static_cast<std::size_t>(got);
    else if (errno != EINTR)
      throw Error(ErrorKind::internal, "The system gives no random bytes.");
  }
  return bytes;
}

bool equal_in_constant_time(std::string_view a, std::string_view b) {
  if (a.size() != b.size()) return false;
  // By words, where OpenSSL's goes byte by byte: every request compares its token with a remembered one.
  std::uint64_t difference = 0, x = 0, y = 0;
  std::size_t i = 0;
  for (; i + sizeof x <= a.size(); i += sizeof x) {
    std::memcpy(&x, a.data() + i, sizeof x);
    std::memcpy(&y, b.data() + i, sizeof y);
    difference |= x ^ y;
  }
  for (; i < a.size(); ++i) difference |= static_cast<unsigned char>(a[i] ^ b[i]);
  return difference == 0;
}

std::string load_or_make_secret(const std::filesystem::path& file) {
  if (auto secret = read_secret(file)) return *secret;
  auto folder = file.has_parent_path() ? file.parent_path() : std::filesystem::path(".");
  std::error_code error;
  std::filesystem::create_directories(folder, error);
  auto temporary = file;
  temporary += "." + make_secret(8) + ".new";
  write_durably(temporary, make_secret(32) + "\n");
  // link() never replaces: of several processes the first one's secret stands, whole, and all read that one.
  bool linked = link(temporary.c_str(), file.c_str()) == 0 || errno == EEXIST;
  int reason = errno;
  unlink(temporary.c_str());
  errno = reason;
  if (!linked) throw secret_error(file, "made");
  sync_folder(folder);
  auto secret = read_secret(file);
  if (!secret) throw secret_error(file, "read");
  return *secret;
}

Digest::Digest(Kind kind) : context_(EVP_MD_CTX_new()) {
  start(static_cast<EVP_MD_CTX*>(context_), kind);
}

Digest::~Digest() {
  EVP_MD_CTX_free(static_cast<EVP_MD_CTX*>(context_));
}

void Digest::add(std::string_view data) {
  feed(static_cast<EVP_MD_CTX*>(context_), data);
}

std::string Digest::finish() {
  return segments::finish(static_cast<EVP_MD_CTX*>(context_));
}

}  // namespace segments
