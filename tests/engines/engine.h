// A DynamoDB and an S3 for C++ tests: see engines.py. Each is started when it is first asked for, once in a
// process, and ends with that process, however that ends. Where it cannot be started the test that asked gets
// an exception saying why.
//
//   auto& dynamodb = engines::dynamodb();
//   dynamodb.fault(R"({"kind":"throttle","operation":"PutItem","times":2})");
//   client(dynamodb.endpoint, dynamodb.region, dynamodb.access_key, dynamodb.secret_key) ...
//
// A process's S3 is its own gate before a radosgw that may be everybody's: name buckets by unique_name().
// Where SEGMENTS_TEST_CLOUD names a folder, both are those that were started in its `dynamodb` and `s3`,
// gates and all: for many processes that inject no faults.
#pragma once

#include <arpa/inet.h>
#include <fcntl.h>
#include <netinet/in.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <unistd.h>

#include <boost/json.hpp>
#include <csignal>
#include <cstdlib>
#include <filesystem>
#include <fstream>
#include <random>
#include <stdexcept>
#include <string>
#include <string_view>

namespace segments::engines {

struct Credential {
  std::string access_key, secret_key, session_token;
};

// engines.py, in the source folder that this program's build folder was configured from.
inline std::filesystem::path program() {
  if (const char* named = std::getenv("SEGMENTS_TEST_ENGINES_PROGRAM")) return named;
  for (auto folder = std::filesystem::read_symlink("/proc/self/exe"); folder.has_relative_path();) {
    folder = folder.parent_path();
    std::ifstream cache(folder / "CMakeCache.txt");
    const std::string_view key = "CMAKE_HOME_DIRECTORY:INTERNAL=";
    for (std::string line; std::getline(cache, line);) {
      if (line.starts_with(key))
        return std::filesystem::path(line.substr(key.size())) / "tests/engines/engines.py";
    }
  }
  throw std::runtime_error("engines.py was not found: name it in SEGMENTS_TEST_ENGINES_PROGRAM");
}

class Engine {
 public:
  explicit Engine(const std::string& kind) : owner_(::getpid()) {
    const char* shared = std::getenv("SEGMENTS_TEST_CLOUD");
    const auto line = shared ? read_file(std::filesystem::path(shared) / kind / "engine.json") : start(kind);
    if (line.empty()) {
      end();
      throw std::runtime_error(shared ? "no " + kind + " is running in " + shared
                                      : kind + " did not start; standard error says why");
    }
    auto said = boost::json::parse(line).as_object();
    const auto text = [](boost::json::object& from, std::string_view name) {
      const auto* value = from.if_contains(name);
      return value ? std::string(value->as_string()) : std::string();
    };
    endpoint = text(said, "endpoint");
    direct = text(said, "direct");
    tls = text(said, "tls");
    ca_file = text(said, "ca_file");
    region = text(said, "region");
    access_key = text(said, "access_key");
    secret_key = text(said, "secret_key");
    auto& other = said["temporary"].as_object();
    temporary = {text(other, "access_key"), text(other, "secret_key"), text(other, "session_token")};
  }
  ~Engine() {
    // A forked child that ends in order has a copy of this object, but the engine is not its own.
    if (::getpid() == owner_) end();
  }
  Engine(const Engine&) = delete;
  Engine& operator=(const Engine&) = delete;

  std::string endpoint;  // http://127.0.0.1:PORT, which verifies and spoils
  std::string
      direct;  // S3 alone: radosgw itself, for what is too big to pass the gate, which holds every body whole
  std::string tls, ca_file;  // S3 alone: the same over TLS, and who vouches for it
  std::string region, access_key, secret_key;
  Credential temporary;  // with a session token

  // What the gate's control says (gate.py names every request); throws where it refuses.
  boost::json::value control(std::string_view verb, std::string_view name, std::string_view body = "") const {
    const int connection = ::socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
    sockaddr_in address{};
    address.sin_family = AF_INET;
    address.sin_port = htons(static_cast<uint16_t>(std::stoi(endpoint.substr(endpoint.rfind(':') + 1))));
    address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
    std::string request =
        std::string(verb) + " /__gate/" + std::string(name) +
        " HTTP/1.1\r\nHost: gate\r\nConnection: close\r\nContent-Length: " + std::to_string(body.size()) +
        "\r\n\r\n" + std::string(body);
    std::string answer;
    if (::connect(connection, reinterpret_cast<sockaddr*>(&address), sizeof address) == 0 &&
        ::send(connection, request.data(), request.size(), MSG_NOSIGNAL) ==
            static_cast<ssize_t>(request.size())) {
      char bytes[4096];
      for (ssize_t got; (got = ::recv(connection, bytes, sizeof bytes, 0)) > 0;)
        answer.append(bytes, static_cast<size_t>(got));
    }
    ::close(connection);
    const auto head = answer.find("\r\n\r\n");
    if (!answer.starts_with("HTTP/1.1 200") || head == answer.npos)
      throw std::runtime_error("the gate says: " + answer);
    return boost::json::parse(std::string_view(answer).substr(head + 4));
  }
  void fault(std::string_view json) const { control("POST", "faults", json); }
  boost::json::value stats() const { return control("GET", "stats"); }

  // As it was at the start: no faults, no limit, the right clock, counts of zero.
  void as_new() const {
    for (const auto* name : {"faults", "rate", "stats"}) control("DELETE", name);
    control("POST", "clock", R"({"offset":0})");
  }

 private:
  // What the keeper says of it, or nothing.
  std::string start(const std::string& kind) {
    const std::string script = program();
    int input[2], output[2];
    if (::pipe2(input, O_CLOEXEC) != 0 || ::pipe2(output, O_CLOEXEC) != 0)
      throw std::runtime_error("pipe failed");
    keeper_ = ::fork();
    if (keeper_ < 0) throw std::runtime_error("fork failed");
    if (keeper_ == 0) {
      ::dup2(input[0], 0);
      ::dup2(output[1], 1);
      ::execl("/usr/bin/python3", "python3", script.c_str(), "run", kind.c_str(), nullptr);
      ::_exit(127);
    }
    ::close(input[0]);
    ::close(output[1]);
    hold_ = input[1];  // the keeper ends when nobody holds this any more
    auto line = read_line(output[0]);
    ::close(output[0]);
    return line;
  }
  static std::string read_file(const std::filesystem::path& path) {
    std::ifstream in(path);
    return {std::istreambuf_iterator<char>(in), {}};
  }
  static std::string read_line(int from) {
    std::string line;
    char byte;
    while (::read(from, &byte, 1) == 1 && byte != '\n') line += byte;
    return line;
  }
  void end() {
    if (keeper_ < 0) return;   // it is somebody else's
    ::kill(keeper_, SIGTERM);  // closing does not do where a forked child of ours lives on
    ::close(hold_);
    ::waitpid(keeper_, nullptr, 0);
  }

  pid_t owner_, keeper_ = -1;
  int hold_ = -1;
};

inline Engine& dynamodb() {
  static Engine engine("dynamodb");
  return engine;
}

inline Engine& s3() {
  static Engine engine("s3");
  return engine;
}

// A name that nobody else has: of a table, or of a bucket (small letters, digits and hyphens).
inline std::string unique_name(std::string_view of) {
  std::random_device random;
  std::string name(of);
  name += '-';
  for (int i = 0; i < 16; ++i) name += "0123456789abcdef"[random() % 16];
  return name;
}

}  // namespace segments::engines
