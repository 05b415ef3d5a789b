// A redis-server of a test's own: started in a temporary folder on a free port and a socket file, and gone
// with it. Where there is no redis-server on the machine, its tests fail.
#pragma once

#include <arpa/inet.h>
#include <fcntl.h>
#include <sys/prctl.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <unistd.h>

#include <chrono>
#include <csignal>
#include <cstdlib>
#include <filesystem>
#include <fstream>
#include <stdexcept>
#include <string>
#include <thread>
#include <vector>

#include "base/ids.h"

namespace segments::redis {

struct RedisServerOptions {
  std::vector<std::string> arguments = {};  // for redis-server, besides ours
  bool append_only = false;                 // keeps what it acknowledged over kill()
  bool tls = false;  // on a port of its own; certificates are made by the openssl program
};

class RedisServer {
 public:
  explicit RedisServer(RedisServerOptions options = {}) : options_(std::move(options)) {
    std::filesystem::create_directories(folder_);
    if (options_.tls) make_certificates();
    for (int attempt = 0;; ++attempt) {
      port_ = free_port();
      if (options_.tls) tls_port_ = free_port();
      try {
        start();
        return;
      } catch (const std::runtime_error&) {
        if (attempt < 4) continue;  // somebody else may have taken the port in between
        std::filesystem::remove_all(folder_);
        throw;
      }
    }
  }
  ~RedisServer() {
    kill();
    std::error_code ignored;
    std::filesystem::remove_all(folder_, ignored);
  }
  RedisServer(const RedisServer&) = delete;
  RedisServer& operator=(const RedisServer&) = delete;

  // On the same ports. Returns when it serves; with `loading` already when it listens.
  void start(bool loading = false) {
    auto arguments = all_arguments();
    pid_ = fork();
    if (pid_ < 0) throw std::runtime_error("fork failed");
    if (pid_ == 0) run_server(arguments);
    while (!answers(loading)) {
      int status = 0;
      if (waitpid(pid_, &status, WNOHANG) == pid_) {
        pid_ = 0;
        throw std::runtime_error("redis-server is missing or ended at once:\n" + log());
      }
      std::this_thread::sleep_for(std::chrono::milliseconds(5));
    }
  }
  void stop() { end(SIGTERM); }
  void kill() { end(SIGKILL); }
  void restart() {
    kill();
    start();
  }
  // Keeps its connections and answers nothing.
  void pause() {
    ::kill(pid_, SIGSTOP);
    int status = 0;
    waitpid(pid_, &status, WUNTRACED);
  }
  void resume() { ::kill(pid_, SIGCONT); }

  int port() const { return port_; }
  int tls_port() const { return tls_port_; }
  pid_t pid() const { return pid_; }
  std::string url(int db = 0) const {
    return "redis://127.0.0.1:" + std::to_string(port_) + "/" + std::to_string(db);
  }
  std::string socket_url() const { return "redis+socket://" + (folder_ / "s").string(); }
  std::string tls_url(const std::string& host = "localhost") const {
    return "rediss://" + host + ":" + std::to_string(tls_port_) + "/0?ssl_ca_certs=" + file("ca.crt");
  }
  // Of the certificates: ca.crt, server.crt, server.key, and other-ca.crt, which signed nothing here.
  std::string file(const std::string& name) const { return (folder_ / name).string(); }
  std::string log() const {
    std::ifstream in(folder_ / "log");
    return {std::istreambuf_iterator<char>(in), {}};
  }

 private:
  static int free_port() {
    int descriptor = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
    sockaddr_in address{};
    address.sin_family = AF_INET;
    address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
    socklen_t size = sizeof address;
    bool bound = bind(descriptor, reinterpret_cast<sockaddr*>(&address), size) == 0 &&
                 getsockname(descriptor, reinterpret_cast<sockaddr*>(&address), &size) == 0;
    close(descriptor);
    if (!bound) throw std::runtime_error("no port is free");
    return ntohs(address.sin_port);
  }

  std::vector<std::string> all_arguments() const {
    std::vector<std::string> all = {"redis-server", "--port", std::to_string(port_), "--bind", "127.0.0.1"};
    auto add = [&](std::initializer_list<std::string> words) { all.insert(all.end(), words); };
    add({"--unixsocket", file("s"), "--dir", folder_.string(), "--logfile", file("log"), "--save", ""});
    add({"--daemonize", "no", "--enable-debug-command", "yes", "--databases", "16"});
    if (options_.append_only) add({"--appendonly", "yes", "--appendfsync", "always"});
    if (options_.tls) {
      add({"--tls-port", std::to_string(tls_port_), "--tls-ca-cert-file", file("ca.crt")});
      add({"--tls-cert-file", file("server.crt"), "--tls-key-file", file("server.key")});
      add({"--tls-auth-clients", "no"});
    }
    all.insert(all.end(), options_.arguments.begin(), options_.arguments.end());
    return all;
  }

  [[noreturn]] static void run_server(const std::vector<std::string>& arguments) {
    // A test that crashes leaves no server behind.
    prctl(PR_SET_PDEATHSIG, SIGKILL);
    int null = open("/dev/null", O_RDWR);
    dup2(null, 0);
    dup2(null, 1);
    dup2(null, 2);
    std::vector<char*> words;
    for (const auto& argument : arguments) words.push_back(const_cast<char*>(argument.c_str()));
    words.push_back(nullptr);
    execvp(words[0], words.data());
    _exit(127);
  }

  bool answers(bool loading) const {
    int descriptor = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
    sockaddr_in address{};
    address.sin_family = AF_INET;
    address.sin_port = htons(static_cast<std::uint16_t>(port_));
    address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
    char answer[64] = {};
    bool answered = connect(descriptor, reinterpret_cast<sockaddr*>(&address), sizeof address) == 0 &&
                    send(descriptor, "PING\r\n", 6, MSG_NOSIGNAL) == 6 &&
                    recv(descriptor, answer, sizeof answer - 1, 0) > 0;
    close(descriptor);
    // Refused for want of a password is an answer, too.
    return answered && (loading || !std::string_view(answer).starts_with("-LOADING"));
  }

  void end(int signal) {
    if (pid_ <= 0) return;
    ::kill(pid_, signal);
    int status = 0;
    waitpid(pid_, &status, 0);
    pid_ = 0;
  }

  void make_certificates() const {
    std::ofstream(file("names")) << "subjectAltName=DNS:localhost,IP:127.0.0.1\n";
    auto key = [](const std::string& name) {
      return " -newkey ec -pkeyopt ec_paramgen_curve:prime256v1 -nodes -subj /CN=" + name + " -keyout " +
             name + ".key ";
    };
    std::string script = "cd " + folder_.string() + " && exec 2>/dev/null >&2 </dev/null && set -e\n";
    for (std::string ca : {"ca", "other-ca"})
      script += "openssl req -x509 -days 2" + key(ca) + "-out " + ca + ".crt\n";
    script += "openssl req" + key("server") + "-out server.csr\n";
    script +=
        "openssl x509 -req -days 2 -in server.csr -CA ca.crt -CAkey ca.key -CAcreateserial -extfile names "
        "-out server.crt\n";
    if (std::system(script.c_str()) != 0)
      throw std::runtime_error("the openssl program made no certificates");
  }

  RedisServerOptions options_;
  std::filesystem::path folder_ = std::filesystem::temp_directory_path() / ("redis-" + make_id());
  int port_ = 0, tls_port_ = 0;
  pid_t pid_ = 0;
};

}  // namespace segments::redis
