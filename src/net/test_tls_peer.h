// A TLS server with a certificate authority of its own: answers every request with the same bytes, or with
// what a script says. One connection at a time.
#pragma once

#include <arpa/inet.h>
#include <openssl/evp.h>
#include <openssl/pem.h>
#include <openssl/ssl.h>
#include <openssl/x509v3.h>
#include <poll.h>
#include <signal.h>
#include <sys/socket.h>
#include <unistd.h>

#include <filesystem>
#include <functional>
#include <memory>
#include <mutex>
#include <stdexcept>
#include <string>
#include <string_view>
#include <thread>
#include <vector>

#include "base/ids.h"

namespace segments::net {

class TestTlsPeer {
 public:
  struct Options {
    std::string names = "DNS:localhost,IP:127.0.0.1";  // in the certificate
    std::string answer = {};
    std::function<std::string(const std::string& request)> script = {};  // instead of `answer`
    bool cuts = false;  // closes after the answer, without TLS's goodbye
  };

  explicit TestTlsPeer(Options options) : options_(std::move(options)) {
    make_certificates();
    listener_ = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
    sockaddr_in address{};
    address.sin_family = AF_INET;
    address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
    socklen_t size = sizeof address;
    if (bind(listener_, reinterpret_cast<sockaddr*>(&address), size) != 0 || listen(listener_, 16) != 0 ||
        getsockname(listener_, reinterpret_cast<sockaddr*>(&address), &size) != 0 || pipe(stop_) != 0)
      throw std::runtime_error("no port is free");
    port_ = ntohs(address.sin_port);
    thread_ = std::thread([this] { run(); });
  }
  ~TestTlsPeer() {
    (void)!write(stop_[1], "x", 1);
    thread_.join();
    for (int descriptor : {listener_, stop_[0], stop_[1]}) close(descriptor);
    std::filesystem::remove(ca_file_);
  }
  int port() const { return port_; }
  const std::string& ca_file() const { return ca_file_; }
  // The name that each client asked for ("" for none), and the requests that came, with their bodies.
  std::vector<std::string> asked_names() { return locked(asked_names_); }
  std::vector<std::string> requests() { return locked(requests_); }

 private:
  template <class T>
  using Owned = std::unique_ptr<T, void (*)(T*)>;

  std::vector<std::string> locked(const std::vector<std::string>& list) {
    std::lock_guard lock(mutex_);
    return list;
  }

  static Owned<X509> certificate(EVP_PKEY* key, const char* name, X509* issuer, EVP_PKEY* issuer_key,
                                 const std::string& names) {
    Owned<X509> made(X509_new(), X509_free);
    X509_set_version(made.get(), 2);
    ASN1_INTEGER_set(X509_get_serialNumber(made.get()), issuer ? 2 : 1);
    X509_gmtime_adj(X509_getm_notBefore(made.get()), -60);
    X509_gmtime_adj(X509_getm_notAfter(made.get()), 3'600);
    X509_set_pubkey(made.get(), key);
    X509_NAME_add_entry_by_txt(X509_get_subject_name(made.get()), "CN", MBSTRING_ASC,
                               reinterpret_cast<const unsigned char*>(name), -1, -1, 0);
    X509_set_issuer_name(made.get(), X509_get_subject_name(issuer ? issuer : made.get()));
    auto extend = [&](int kind, const std::string& value) {
      X509_EXTENSION* extension = X509V3_EXT_conf_nid(nullptr, nullptr, kind, value.c_str());
      X509_add_ext(made.get(), extension, -1);
      X509_EXTENSION_free(extension);
    };
    extend(NID_basic_constraints, issuer ? "critical,CA:FALSE" : "critical,CA:TRUE");
    if (issuer) extend(NID_subject_alt_name, names);
    X509_sign(made.get(), issuer_key, EVP_sha256());
    return made;
  }

  void make_certificates() {
    Owned<EVP_PKEY> ca_key(EVP_EC_gen("P-256"), EVP_PKEY_free), key(EVP_EC_gen("P-256"), EVP_PKEY_free);
    auto ca = certificate(ca_key.get(), "Test authority", nullptr, ca_key.get(), "");
    auto own = certificate(key.get(), "Test peer", ca.get(), ca_key.get(), options_.names);
    ca_file_ = (std::filesystem::temp_directory_path() / ("tls-peer-" + make_id() + ".pem")).string();
    FILE* file = fopen(ca_file_.c_str(), "w");
    PEM_write_X509(file, ca.get());
    fclose(file);
    SSL_CTX_use_certificate(context_.get(), own.get());
    SSL_CTX_use_PrivateKey(context_.get(), key.get());
  }

  bool wait_readable(int descriptor) const {
    pollfd waited[] = {{descriptor, POLLIN, 0}, {stop_[0], POLLIN, 0}};
    while (poll(waited, 2, -1) < 0) {
    }
    return waited[1].revents == 0;
  }

  void run() {
    // OpenSSL writes to clients that have gone. Of this thread alone: ours must raise no such signal.
    sigset_t broken_pipe;
    sigemptyset(&broken_pipe);
    sigaddset(&broken_pipe, SIGPIPE);
    pthread_sigmask(SIG_BLOCK, &broken_pipe, nullptr);
    while (wait_readable(listener_)) {
      int descriptor = accept4(listener_, nullptr, nullptr, SOCK_CLOEXEC);
      Owned<SSL> session(SSL_new(context_.get()), SSL_free);
      SSL_set_fd(session.get(), descriptor);
      if (wait_readable(descriptor) && SSL_accept(session.get()) == 1) serve(session.get(), descriptor);
      close(descriptor);
    }
  }

  static bool is_whole(const std::string& request) {
    auto end = request.find("\r\n\r\n");
    if (end == request.npos) return false;
    const std::string_view name = "\r\ncontent-length: ";
    auto length = request.find(name);
    auto body = length < end ? std::stoul(request.substr(length + name.size(), 20)) : 0;
    return request.size() >= end + 4 + body;
  }

  void serve(SSL* session, int descriptor) {
    const char* name = SSL_get_servername(session, TLSEXT_NAMETYPE_host_name);
    {
      std::lock_guard lock(mutex_);
      asked_names_.emplace_back(name ? name : "");
    }
    std::string request;
    char bytes[4096];
    while (SSL_pending(session) > 0 || wait_readable(descriptor)) {
      int count = SSL_read(session, bytes, sizeof bytes);
      if (count <= 0) return;
      request.append(bytes, static_cast<std::size_t>(count));
      if (!is_whole(request)) continue;
      {
        std::lock_guard lock(mutex_);
        requests_.push_back(request);
      }
      auto answer = options_.script ? options_.script(request) : options_.answer;
      request.clear();
      SSL_write(session, answer.data(), static_cast<int>(answer.size()));
      if (options_.cuts) return;
    }
  }

  const Options options_;
  Owned<SSL_CTX> context_{SSL_CTX_new(TLS_server_method()), SSL_CTX_free};
  std::string ca_file_;
  int listener_ = -1, port_ = 0;
  int stop_[2] = {-1, -1};
  std::mutex mutex_;
  std::vector<std::string> asked_names_, requests_;
  std::thread thread_;
};

}  // namespace segments::net
