#include "app/token_secret.h"

#include <fcntl.h>
#include <unistd.h>

#include <cerrno>
#include <cstring>
#include <filesystem>
#include <fstream>
#include <iterator>

#include "base/crypto.h"
#include "base/descriptor.h"
#include "base/error.h"
#include "base/text.h"

namespace segments {
namespace {

std::filesystem::path secret_file(const Config& config) {
  return std::filesystem::path(config.data_dir) / "auth.secret";
}

std::string read_secret_file(const Config& config) {
  std::ifstream file(secret_file(config));
  const std::string text{std::istreambuf_iterator<char>(file), {}};
  return std::string(trim(text));
}

void write_secret_file(const Config& config) {
  const auto file = secret_file(config);
  auto temporary = file;
  temporary += ".new";
  const std::string text = config.auth_secret + "\n";
  Descriptor made(open(temporary.c_str(), O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0600));
  const bool is_written =
      made && write(made.number(), text.data(), text.size()) == static_cast<ssize_t>(text.size()) &&
      fsync(made.number()) == 0 && rename(temporary.c_str(), file.c_str()) == 0;
  if (!is_written)
    throw Error(ErrorKind::unavailable, "The secret file " + file.string() +
                                            " cannot be written: " + std::string(std::strerror(errno)) + ".");
}

}  // namespace

std::string find_auth_secret(const Config& config) {
  return config.auth_secret.empty() ? read_secret_file(config) : config.auth_secret;
}

void keep_auth_secret(const Config& config) {
  const auto kept = read_secret_file(config);
  if (config.auth_secret.empty()) {
    if (config.auth == AuthMode::none) return;
    throw Error(ErrorKind::invalid,
                "Set SEGMENTS_AUTH_SECRET to what the cloud's processes have, so that tokens stay good (or "
                "SEGMENTS_AUTH=none where there are none).");
  }
  if (kept.empty()) return write_secret_file(config);
  if (!equal_in_constant_time(kept, config.auth_secret))
    throw Error(ErrorKind::conflict, "The secret file " + secret_file(config).string() +
                                         " holds another secret than SEGMENTS_AUTH_SECRET: tokens would not "
                                         "stay good. Remove the file if nothing needs it.");
}

void tell_auth_secret(const Config& config, bool shows_it, std::ostream& out) {
  const auto secret = find_auth_secret(config);
  if (secret.empty()) {
    out << "Tokens: the folder has no auth.secret, so none was given out.\n";
    return;
  }
  if (shows_it) {
    out << "Tokens: set SEGMENTS_AUTH_SECRET=" << secret << " in every process of the cloud.\n";
    return;
  }
  out << "Tokens stay good where every process of the cloud has the same secret: ";
  if (config.auth_secret.empty())
    out << "set SEGMENTS_AUTH_SECRET there to what stands in " << secret_file(config).string()
        << " (--show-secret prints it).\n";
  else
    out << "set SEGMENTS_AUTH_SECRET there to what it is here (--show-secret prints it).\n";
}

}  // namespace segments
