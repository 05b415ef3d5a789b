#include "net/tls.h"

#include <arpa/inet.h>
#include <openssl/err.h>
#include <openssl/ssl.h>
#include <openssl/x509v3.h>
#include <poll.h>
#include <sys/socket.h>

#include <cerrno>

namespace segments::net {

namespace {

using Context = std::unique_ptr<SSL_CTX, decltype(&SSL_CTX_free)>;
using Session = std::unique_ptr<SSL, decltype(&SSL_free)>;

int descriptor_of(BIO* bio) {
  return static_cast<int>(reinterpret_cast<std::intptr_t>(BIO_get_data(bio)));
}

bool is_retry(int error) {
  return error == EAGAIN || error == EWOULDBLOCK || error == EINTR;
}

int write_bio(BIO* bio, const char* bytes, int length) {
  BIO_clear_retry_flags(bio);
  auto count = ::send(descriptor_of(bio), bytes, static_cast<std::size_t>(length), MSG_NOSIGNAL);
  if (count < 0 && is_retry(errno)) BIO_set_retry_write(bio);
  return static_cast<int>(count);
}

int read_bio(BIO* bio, char* into, int length) {
  BIO_clear_retry_flags(bio);
  auto count = ::recv(descriptor_of(bio), into, static_cast<std::size_t>(length), 0);
  if (count < 0 && is_retry(errno)) BIO_set_retry_read(bio);
  return static_cast<int>(count);
}

long control_bio(BIO*, int command, long, void*) {
  return command == BIO_CTRL_FLUSH ? 1 : 0;
}

int create_bio(BIO* bio) {
  BIO_set_init(bio, 1);
  return 1;
}

// OpenSSL's own socket BIO writes without MSG_NOSIGNAL: a closed connection would kill the process by
// SIGPIPE.
const BIO_METHOD* socket_bio() {
  static const std::unique_ptr<BIO_METHOD, decltype(&BIO_meth_free)> method = [] {
    BIO_METHOD* made = BIO_meth_new(BIO_get_new_index() | BIO_TYPE_SOURCE_SINK, "socket without signals");
    if (!made) throw Error(ErrorKind::internal, "TLS cannot be spoken: no memory.");
    BIO_meth_set_write(made, write_bio);
    BIO_meth_set_read(made, read_bio);
    BIO_meth_set_ctrl(made, control_bio);
    BIO_meth_set_create(made, create_bio);
    return std::unique_ptr<BIO_METHOD, decltype(&BIO_meth_free)>(made, BIO_meth_free);
  }();
  return method.get();
}

Error tls_error(std::string_view who, const std::string& what) {
  auto code = ERR_get_error();
  ERR_clear_error();
  const char* why = code ? ERR_reason_error_string(code) : nullptr;
  return unavailable(who, what + (why ? std::string(": ") + why : std::string()));
}

bool is_address(const std::string& host) {
  unsigned char bytes[16];
  return inet_pton(AF_INET, host.c_str(), bytes) == 1 || inet_pton(AF_INET6, host.c_str(), bytes) == 1;
}

// Made for each connection, so that renewed certificate files are seen.
Context make_context(const Peer& peer) {
  Context context(SSL_CTX_new(TLS_client_method()), SSL_CTX_free);
  if (!context) throw tls_error(peer.name, "cannot be spoken to by TLS");
  SSL_CTX_set_min_proto_version(context.get(), TLS1_2_VERSION);
  SSL_CTX_set_options(context.get(), SSL_OP_NO_RENEGOTIATION);
  SSL_CTX_set_mode(context.get(), SSL_MODE_ENABLE_PARTIAL_WRITE | SSL_MODE_ACCEPT_MOVING_WRITE_BUFFER);
  SSL_CTX_set_verify(context.get(), peer.verify ? SSL_VERIFY_PEER : SSL_VERIFY_NONE, nullptr);
  bool trusts = !peer.verify ||
                (peer.ca_file.empty() ? SSL_CTX_set_default_verify_paths(context.get()) == 1
                                      : SSL_CTX_load_verify_file(context.get(), peer.ca_file.c_str()) == 1);
  if (!trusts)
    throw tls_error(peer.name, "cannot be verified, since the file of trusted certificates cannot be read");
  if (peer.cert_file.empty()) return context;
  const auto& key = peer.key_file.empty() ? peer.cert_file : peer.key_file;
  if (SSL_CTX_use_certificate_chain_file(context.get(), peer.cert_file.c_str()) != 1 ||
      SSL_CTX_use_PrivateKey_file(context.get(), key.c_str(), SSL_FILETYPE_PEM) != 1)
    throw tls_error(peer.name, "cannot be shown our certificate, since it or its key cannot be read");
  return context;
}

Session make_session(const Peer& peer, int socket) {
  auto context = make_context(peer);
  Session session(SSL_new(context.get()), SSL_free);
  BIO* bio = session ? BIO_new(socket_bio()) : nullptr;
  if (!bio) throw tls_error(peer.name, "cannot be spoken to by TLS");
  BIO_set_data(bio, reinterpret_cast<void*>(static_cast<std::intptr_t>(socket)));
  SSL_set_bio(session.get(), bio, bio);
  bool named;
  if (is_address(peer.host)) {
    named = X509_VERIFY_PARAM_set1_ip_asc(SSL_get0_param(session.get()), peer.host.c_str()) == 1;
  } else {
    named = SSL_set_tlsext_host_name(session.get(), peer.host.c_str()) == 1 &&
            SSL_set1_host(session.get(), peer.host.c_str()) == 1;
  }
  if (!named) throw tls_error(peer.name, "has a host name that TLS does not take");
  return session;
}

class TlsStream : public Stream {
 public:
  TlsStream(Descriptor socket, const Peer& peer)
      : name_(peer.name), socket_(std::move(socket)), session_(make_session(peer, socket_.number())) {}
  ~TlsStream() override {
    // One attempt to say goodbye, so that the server sees no cut connection.
    if (!broken_) SSL_shutdown(session_.get());
    ERR_clear_error();
  }

  void shake_hands(const Patience& patience) {
    while (true) {
      ERR_clear_error();
      int done = SSL_connect(session_.get());
      if (done == 1) return;
      if (short wants = wanted(done)) {
        await_events(number(), wants, patience, name_);
        continue;
      }
      broken_ = true;
      auto verified = SSL_get_verify_result(session_.get());
      if (verified != X509_V_OK)
        throw unavailable(name_, std::string("has a certificate that is not trusted: ") +
                                     X509_verify_cert_error_string(verified));
      throw tls_error(name_, "cannot be spoken to by TLS");
    }
  }

  Moved write_some(std::string_view bytes) override {
    ERR_clear_error();
    std::size_t count = 0;
    int done = SSL_write_ex(session_.get(), bytes.data(), bytes.size(), &count);
    return moved(done, count);
  }
  Moved read_some(std::span<char> into) override {
    ERR_clear_error();
    std::size_t count = 0;
    int done = SSL_read_ex(session_.get(), into.data(), into.size(), &count);
    return moved(done, count);
  }
  int number() const override { return socket_.number(); }

 private:
  short wanted(int done) const {
    int error = SSL_get_error(session_.get(), done);
    return error == SSL_ERROR_WANT_READ ? POLLIN : error == SSL_ERROR_WANT_WRITE ? POLLOUT : short{0};
  }
  Moved moved(int done, std::size_t count) {
    if (done == 1) return {count, 0};
    if (short wants = wanted(done)) return {0, wants};
    broken_ = SSL_get_error(session_.get(), done) != SSL_ERROR_ZERO_RETURN;
    throw tls_error(name_, broken_ ? "has broken the connection" : "has closed the connection");
  }

  std::string name_;
  Descriptor socket_;
  Session session_;
  bool broken_ = false;
};

}  // namespace

std::unique_ptr<Stream> connect_tls(Descriptor socket, const Peer& peer, const Patience& patience) {
  auto stream = std::make_unique<TlsStream>(std::move(socket), peer);
  stream->shake_hands(patience);
  return stream;
}

}  // namespace segments::net
