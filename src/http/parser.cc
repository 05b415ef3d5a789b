#include "http/parser.h"

#include <algorithm>

#include "base/text.h"

namespace segments::http {

RequestParser::RequestParser(Request& request, std::size_t max_head_bytes) : request_(request) {
  header_limit(static_cast<std::uint32_t>(max_head_bytes));
  body_limit(boost::none);  // counted here, once the route is known
}

int RequestParser::refused_status() const {
  if (lengths_ > 1 || listed_length_) return 400;  // which of them counts is what smuggling is made of
  if (transfer_encoded_ && (lengths_ > 0 || version_ < 11)) return 400;
  if (transfer_encoded_ && !chunked()) return 501;
  if (hosts_ > 1 || (hosts_ == 0 && version_ >= 11)) return 400;
  return expects_other_ ? 417 : 0;
}

void RequestParser::collect(std::string& body, std::uint64_t limit) {
  body_ = &body;
  body_left_ = limit;
  eager(true);
}

void RequestParser::on_request_impl(verb, view method, view target, int version, error_code&) {
  has_request_line_ = true;
  version_ = version;
  request_.method.assign(method.data(), method.size());
  request_.target.assign(target.data(), target.size());
}

void RequestParser::on_field_impl(field name, view text, view value, error_code&) {
  if (has_header_) return;  // trailers say nothing that anybody here reads
  std::string_view content(value.data(), value.size());
  if (name == field::host) ++hosts_;
  if (name == field::content_length) {
    ++lengths_;
    listed_length_ = listed_length_ || content.find(',') != std::string_view::npos;
  }
  if (name == field::transfer_encoding) transfer_encoded_ = true;
  if (name == field::expect && version_ >= 11) {
    bool known = lower_ascii(content) == "100-continue";
    (known ? expects_continue_ : expects_other_) = true;
  }
  auto& entry = request_.headers.emplace_back(std::string(text.data(), text.size()), content);
  for (char& c : entry.first)
    if (c >= 'A' && c <= 'Z') c = static_cast<char>(c - 'A' + 'a');
}

void RequestParser::on_header_impl(error_code&) {
  has_header_ = true;
}

std::size_t RequestParser::on_body_impl(view bytes, error_code& error) {
  if (!body_) return 0;
  if (bytes.size() > body_left_) {
    error = boost::beast::http::error::body_limit;
    return 0;
  }
  body_left_ -= bytes.size();
  body_->append(bytes.data(), bytes.size());
  return bytes.size();
}

std::size_t RequestParser::on_chunk_body_impl(std::uint64_t, view bytes, error_code& error) {
  return on_body_impl(bytes, error);
}

}  // namespace segments::http
