#include "http/router.h"

#include <charconv>
#include <chrono>

#include "base/ids.h"
#include "base/log.h"
#include "http/problem.h"
#include "http/route_metrics.h"
#include "http/route_table.h"
#include "http/target.h"

namespace segments {

namespace {

constexpr std::string_view common_methods[] = {"GET", "HEAD", "POST", "PUT", "PATCH", "DELETE", "OPTIONS"};

bool is_request_id(std::string_view text) {
  constexpr std::string_view letters = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789._-";
  return !text.empty() && text.size() <= 128 && text.find_first_not_of(letters) == std::string_view::npos;
}

// Runs what may throw; whatever it throws becomes the answer, and what is our own fault is logged, here and
// once. True when nothing was thrown.
template <class Work>
bool guard(const Request& request, Response& answer, Work work) {
  LogScope scope("request_id", request.request_id);
  try {
    work();
    return true;
  } catch (const Error& error) {
    if (error.kind() == ErrorKind::internal) log_error("http.failed", {{"detail", error.what()}});
    if (error.kind() == ErrorKind::unavailable) log_warning("http.unavailable", {{"detail", error.what()}});
    answer = problem_response(error, request);
    return false;
  } catch (const std::exception& error) {
    log_error("http.failed", {{"detail", error.what()}});
  } catch (...) {
    log_error("http.failed", {{"detail", "an exception of an unknown type"}});
  }
  answer = problem_response(Error(ErrorKind::internal, ""), request);
  return false;
}

std::string join(const std::vector<std::string>& parts) {
  std::string out;
  for (const auto& part : parts) out += (out.empty() ? "" : ", ") + part;
  return out;
}

Response answer_without_route(const Request& request, std::vector<std::string> methods) {
  if (request.path == "*") methods = {common_methods, common_methods + std::size(common_methods)};
  if (methods.empty())
    return problem_response(Error(ErrorKind::not_found, "There is nothing at this path."), request);
  if (request.path != "*") methods.push_back("OPTIONS");
  Response answer;
  answer.status = 204;
  if (request.method != "OPTIONS")
    answer = http::problem(405, "This path does not take " + request.method + ".", request);
  answer.set("Allow", join(methods));
  return answer;
}

}  // namespace

struct Router::Table {
  // A route's own method, and HEAD, which GET's routes answer too.
  struct OfRoute {
    OfRoute(Metrics* store, const RouteHandler& route)
        : own(store, route.pattern, route.method), head(store, route.pattern, "HEAD") {}
    http::RouteMetrics own;
    http::RouteMetrics head;
  };
  http::RouteTable patterns;
  std::deque<OfRoute> metrics;
  std::deque<http::RouteMetrics> unmatched;  // by method, in the order of common_methods, then all others
  std::string id_prefix = make_secret(8);
  mutable std::atomic<std::uint64_t> next_id{1};

  Table(const std::vector<RouteHandler>& routes, Metrics* store) : patterns(routes) {
    for (const auto& route : routes) metrics.emplace_back(store, route);
    for (auto method : common_methods) unmatched.emplace_back(store, "", std::string(method));
    unmatched.emplace_back(store, "", "other");
  }

  const http::RouteMetrics& of(const Request& request, std::size_t route) const {
    if (route < metrics.size()) return request.method == "HEAD" ? metrics[route].head : metrics[route].own;
    std::size_t i = 0;
    while (i < std::size(common_methods) && common_methods[i] != request.method) ++i;
    return unmatched[i];
  }
};

Router::Router(std::vector<RouteHandler> routes, RouterOptions options)
    : routes_(std::move(routes)),
      options_(std::move(options)),
      table_(std::make_shared<Table>(routes_, options_.metrics)) {}

void Router::identify(Request& request) const {
  auto given = request.header("x-request-id");
  if (is_request_id(given)) {
    request.request_id = given;
    return;
  }
  // Random per process and counted within: unique, and cheaper than fresh random bytes for every request.
  char number[24];
  auto* end =
      std::to_chars(number, number + sizeof number, table_->next_id.fetch_add(1, std::memory_order_relaxed))
          .ptr;
  request.request_id = table_->id_prefix;
  request.request_id += '-';
  request.request_id.append(number, end);
}

Router::Match Router::prepare(Request& request) const {
  identify(request);
  Match match;
  http::RouteTable::Found found;
  bool is_read = guard(request, match.answer, [&] {
    http::parse_target(request);
    found = table_->patterns.find(request);
  });
  if (!is_read) return match;
  if (found.route < 0) {
    match.answer = answer_without_route(request, std::move(found.methods));
    return match;
  }
  match.found = &routes_[static_cast<std::size_t>(found.route)];
  bool is_admitted = guard(request, match.answer, [&] {
    if (options_.admit) options_.admit(request, match.found->is_public);
  });
  if (is_admitted) match.route = match.found;
  return match;
}

Response Router::begin(const RouteHandler& route, const Request& request) const {
  Response answer;
  guard(request, answer, [&] { answer = route.handle(request); });
  return answer;
}

Response Router::go_on(LaterResponse& later, const Request& request) const {
  Response answer;
  guard(request, answer, [&] { answer = later.take(); });
  return answer;
}

Response Router::respond(const RouteHandler& route, const Request& request) const {
  auto answer = begin(route, request);
  while (auto later = std::move(answer.later)) {
    wait_for(*later);
    answer = go_on(*later, request);
  }
  return answer;
}

Router::Upload Router::begin_upload(const RouteHandler& route, const Request& request) const {
  Upload upload;
  guard(request, upload.refusal, [&] { upload.sink = route.receive(request); });
  return upload;
}

std::optional<Response> Router::write_upload(BodySink& sink, const Request& request,
                                             std::string_view piece) const {
  Response answer;
  if (guard(request, answer, [&] { sink.write(piece); })) return std::nullopt;
  return answer;
}

Response Router::finish_upload(BodySink& sink, const Request& request) const {
  Response answer;
  guard(request, answer, [&] { answer = sink.finish(); });
  return answer;
}

Response Router::call(Request request) const {
  auto started = std::chrono::steady_clock::now();
  auto match = prepare(request);
  Response answer;
  if (!match.route) {
    answer = std::move(match.answer);
  } else if (match.route->receive) {
    if (!request.content_length) request.content_length = static_cast<std::int64_t>(request.body.size());
    auto upload = begin_upload(*match.route, request);
    answer = std::move(upload.refusal);
    if (upload.sink) {
      auto ended = request.body.empty() ? std::nullopt : write_upload(*upload.sink, request, request.body);
      answer = ended ? *std::move(ended) : finish_upload(*upload.sink, request);
    }
  } else {
    answer = respond(*match.route, request);
  }
  std::chrono::duration<double> taken = std::chrono::steady_clock::now() - started;
  conclude(request, match.found, answer, taken.count());
  return answer;
}

void Router::conclude(const Request& request, const RouteHandler* route, Response& response,
                      double seconds) const {
  if (options_.decorate) {
    try {
      options_.decorate(request, response);
    } catch (const std::exception& error) {
      log_error("http.failed", {{"request_id", request.request_id}, {"detail", error.what()}});
    }
  }
  response.set("X-Request-Id", request.request_id);
  auto index = route ? static_cast<std::size_t>(route - routes_.data()) : routes_.size();
  table_->of(request, index).record(response.status, seconds);
  if (!is_logged(LogLevel::info)) return;
  LogScope scope("request_id", request.request_id);
  auto bytes = response.file ? response.file->length : static_cast<std::int64_t>(response.body.size());
  // Never the query: tickets, tokens and signatures stand there.
  log_info("http.request", {{"method", request.method},
                            {"path", request.path},
                            {"route", route ? std::string_view(route->pattern) : std::string_view()},
                            {"status", response.status},
                            {"duration_ms", seconds * 1000},
                            {"user", request.user},
                            {"bytes", bytes},
                            {"remote", request.remote_address}});
}

}  // namespace segments
