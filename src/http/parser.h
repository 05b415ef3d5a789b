// Beast's parser, writing straight into a Request and a body of our own.
#pragma once

// clang-format off
#include "http/asio.h"  // first: Beast includes Asio, and this sets it up
// clang-format on

#include <boost/beast/http/basic_parser.hpp>
#include <boost/beast/http/error.hpp>
#include <cstdint>
#include <string>
#include <string_view>

#include "http/request.h"

namespace segments::http {

class RequestParser final : public boost::beast::http::basic_parser<true> {
 public:
  RequestParser(Request& request, std::size_t max_head_bytes);

  // The outcome of the head beyond what the parser itself refuses: 0, or the status of a refusal.
  int refused_status() const;
  bool has_request_line() const { return has_request_line_; }
  bool is_http_10() const { return version_ < 11; }
  bool expects_continue() const { return expects_continue_; }
  // Where the body's bytes go from now on, and how many may come.
  void collect(std::string& body, std::uint64_t limit);
  // Of a body whose length is known: how much is still to come, and that so much of it was read past the
  // parser.
  std::uint64_t bytes_left() const { return content_length().value_or(0) - passed_by_; }
  void pass_by(std::uint64_t count) { passed_by_ += count; }
  bool is_done() const { return basic_parser::is_done() || (passed_by_ > 0 && bytes_left() == 0); }

 private:
  using field = boost::beast::http::field;
  using verb = boost::beast::http::verb;
  using view = boost::beast::string_view;

  void on_request_impl(verb, view method, view target, int version, error_code&) override;
  void on_response_impl(int, view, int, error_code&) override {}
  void on_field_impl(field, view name, view value, error_code&) override;
  void on_header_impl(error_code&) override;
  void on_body_init_impl(boost::optional<std::uint64_t> const&, error_code&) override {}
  std::size_t on_body_impl(view, error_code&) override;
  void on_chunk_header_impl(std::uint64_t, view, error_code&) override {}
  std::size_t on_chunk_body_impl(std::uint64_t, view, error_code&) override;
  void on_finish_impl(error_code&) override {}

  Request& request_;
  std::string* body_ = nullptr;
  std::uint64_t body_left_ = 0;
  std::uint64_t passed_by_ = 0;
  int version_ = 11;
  int hosts_ = 0;
  int lengths_ = 0;
  bool has_request_line_ = false;
  bool has_header_ = false;
  bool listed_length_ = false;
  bool transfer_encoded_ = false;
  bool expects_continue_ = false;
  bool expects_other_ = false;
};

}  // namespace segments::http
