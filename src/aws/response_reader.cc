#include "aws/response_reader.h"

#include <boost/beast/http/basic_parser.hpp>
#include <boost/beast/http/error.hpp>
#include <exception>

#include "base/text.h"
#include "net/patience.h"

namespace segments::aws {

namespace {

namespace beast_http = boost::beast::http;
using boost::system::error_code;
using beast_view = boost::beast::string_view;

constexpr int most_interim = 8;
// Beast asserts that it is never shown "0\r\n" and then less than this, which any server may send.
constexpr std::string_view last_chunk = "0\r\n\r\n";

}  // namespace

class ResponseReader::Parser final : public beast_http::basic_parser<false> {
 public:
  Parser(bool is_head, const Sink& sink, const HeadSink& head_sink, const Limits& limits)
      : sink_(sink), head_sink_(head_sink), left_(limits.body_bytes) {
    header_limit(static_cast<std::uint32_t>(limits.head_bytes));
    body_limit(boost::none);  // counted here
    skip(is_head);
    eager(true);
  }

  HttpResponse response;
  std::uint64_t delivered = 0;
  // Beast's callbacks report by codes: what they found stands here.
  const char* fault = nullptr;
  std::exception_ptr thrown;  // by a sink

 private:
  void on_request_impl(beast_http::verb, beast_view, beast_view, int, error_code&) override {}
  void on_response_impl(int status, beast_view, int number, error_code&) override {
    response.status = status;
    version_ = number;
  }
  void on_field_impl(beast_http::field field, beast_view name, beast_view value, error_code&) override {
    if (has_head_) return;  // trailers say nothing that anybody here reads
    if (field == beast_http::field::content_length) ++lengths_;
    if (field == beast_http::field::transfer_encoding) is_transfer_encoded_ = true;
    response.headers.emplace_back(lower_ascii({name.data(), name.size()}),
                                  std::string(value.data(), value.size()));
  }
  void on_header_impl(error_code& error) override {
    has_head_ = true;
    fault = fault_of_head();
    if (fault) error = beast_http::error::bad_value;
    if (!fault && head_sink_ && response.status / 100 == 2) tell_head(error);
  }
  void tell_head(error_code& error) {
    try {
      head_sink_(response);
    } catch (...) {
      thrown = std::current_exception();
      error = beast_http::error::bad_value;
    }
  }
  void on_body_init_impl(boost::optional<std::uint64_t> const&, error_code&) override {}
  std::size_t on_body_impl(beast_view bytes, error_code& error) override { return take_body(bytes, error); }
  void on_chunk_header_impl(std::uint64_t, beast_view, error_code&) override {}
  std::size_t on_chunk_body_impl(std::uint64_t, beast_view bytes, error_code& error) override {
    return take_body(bytes, error);
  }
  void on_finish_impl(error_code&) override {}

  const char* fault_of_head() const {
    if (response.status < 100 || response.status > 599) return "an answer with a status that is none";
    if (lengths_ > 1) return "an answer with two lengths";
    if (is_transfer_encoded_ && (lengths_ > 0 || !chunked() || version_ < 11))
      return "an answer whose length is told in two ways, or in one that is not known";
    if (response.status == 101) return "an answer in another protocol";
    // It ends with the connection: that it was cut could not be seen.
    if (!is_done() && need_eof()) return "an answer that does not tell its length";
    return nullptr;
  }

  std::size_t take_body(beast_view bytes, error_code& error) {
    if (sink_ && response.status / 100 == 2) {
      try {
        delivered += bytes.size();
        sink_({bytes.data(), bytes.size()});
      } catch (...) {
        thrown = std::current_exception();
        error = beast_http::error::body_limit;
      }
      return bytes.size();
    }
    if (bytes.size() > left_) {
      fault = "an answer that is too long";
      error = beast_http::error::body_limit;
      return 0;
    }
    left_ -= bytes.size();
    response.body.append(bytes.data(), bytes.size());
    return bytes.size();
  }

  const Sink& sink_;
  const HeadSink& head_sink_;
  std::uint64_t left_;
  int version_ = 0;
  int lengths_ = 0;
  bool is_transfer_encoded_ = false;
  bool has_head_ = false;
};

ResponseReader::ResponseReader(std::string name, bool is_head, Sink sink, Limits limits, HeadSink head_sink)
    : name_(std::move(name)),
      is_head_(is_head),
      sink_(std::move(sink)),
      head_sink_(std::move(head_sink)),
      limits_(limits) {
  begin();
}

ResponseReader::~ResponseReader() = default;

void ResponseReader::begin() {
  parser_ = std::make_unique<Parser>(is_head_, sink_, head_sink_, limits_);
}

Error ResponseReader::refusal(std::string_view what) const {
  return net::unavailable(name_, "sent " + std::string(what));
}

void ResponseReader::feed(std::string_view bytes) {
  // What came before and could not be parsed alone goes before it; usually there is nothing.
  const bool is_kept = !rest_.empty();
  if (is_kept) bytes = rest_ += bytes;
  parse(bytes);
  if (is_kept)
    rest_.erase(0, rest_.size() - bytes.size());
  else
    rest_ = bytes;
}

// Takes from the front of `bytes` what it can.
void ResponseReader::parse(std::string_view& bytes) {
  while (!bytes.empty() && !is_done()) {
    if (parser_->is_header_done() && parser_->chunked() && bytes[0] == '0' &&
        bytes.size() < last_chunk.size())
      return;
    error_code error;
    bytes.remove_prefix(parser_->put(boost::asio::const_buffer(bytes.data(), bytes.size()), error));
    if (parser_->thrown) std::rethrow_exception(parser_->thrown);
    if (parser_->fault) throw refusal(parser_->fault);
    if (error == beast_http::error::need_more) {
      if (bytes.size() > limits_.head_bytes) throw refusal("an answer with a head that is too long");
      return;
    }
    if (error) throw refusal("an answer that is no HTTP");
    if (is_done() && parser_->response.status / 100 == 1) {
      if (++interim_ > most_interim) throw refusal("too many interim answers");
      begin();
    }
  }
}

bool ResponseReader::is_done() const {
  return parser_->is_done();
}

bool ResponseReader::is_reusable() const {
  return is_done() && rest_.empty() && parser_->keep_alive();
}

std::uint64_t ResponseReader::delivered() const {
  return parser_->delivered;
}

HttpResponse ResponseReader::take() {
  return std::move(parser_->response);
}

}  // namespace segments::aws
