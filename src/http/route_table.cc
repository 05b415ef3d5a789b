#include "http/route_table.h"

#include <algorithm>
#include <array>
#include <cassert>

#include "base/text.h"
#include "http/target.h"

namespace segments::http {

namespace {

constexpr std::size_t most_parameters = 4;  // of a pattern

std::vector<std::string> segments_of(std::string_view path) {
  return split(path.substr(1), '/');
}

void add_methods(std::vector<std::string>& out, const std::vector<std::pair<std::string, int>>& routes) {
  for (const auto& [method, index] : routes) {
    if (std::find(out.begin(), out.end(), method) == out.end()) out.push_back(method);
    if (method == "GET" && std::find(out.begin(), out.end(), "HEAD") == out.end()) out.push_back("HEAD");
  }
}

}  // namespace

struct RouteTable::Search {
  std::string_view method;
  std::vector<std::string_view> parts;                // of the path, decoded
  std::vector<std::string> decoded;                   // where those lie that are not in the path as they are
  std::array<std::size_t, most_parameters> values{};  // which parts are parameters, of those on the way
  std::size_t value_count = 0;
  bool has_rest = false;  // the last parameter goes on to the path's end
  Found found;

  Search(std::string_view method, std::string_view path);
};

RouteTable::Search::Search(std::string_view method, std::string_view path) : method(method) {
  if (path == "/") return;
  parts.reserve(8);
  for (auto slash = path.find('/'); slash != path.npos; slash = path.find('/')) {
    path.remove_prefix(slash + 1);
    parts.push_back(path.substr(0, path.find('/')));
  }
  for (auto& part : parts) {
    if (is_plain_component(part)) continue;
    decoded.reserve(parts.size());  // views of them stay good
    part = decoded.emplace_back(decode_component(part, false));
  }
}

int RouteTable::Methods::route_for(std::string_view method) const {
  int get = -1;
  for (const auto& [name, index] : routes) {
    if (name == method) return index;
    if (name == "GET") get = index;
  }
  return method == "HEAD" ? get : -1;
}

RouteTable::RouteTable(const std::vector<RouteHandler>& routes) {
  for (std::size_t i = 0; i < routes.size(); ++i) insert(routes[i], static_cast<int>(i));
}

void RouteTable::insert(const RouteHandler& route, int index) {
  assert(route.pattern.starts_with('/'));
  auto& names = parameter_names_.emplace_back();
  Node* node = &root_;
  Methods* methods = nullptr;
  for (const auto& part : segments_of(route.pattern)) {
    assert(!methods && "{rest...} stands last");
    if (!part.starts_with('{')) {
      auto& next = node->literals[part];
      if (!next) next = std::make_unique<Node>();
      node = next.get();
      continue;
    }
    assert(part.ends_with('}'));
    auto name = part.substr(1, part.size() - 2);
    if (name.ends_with("...")) {
      names.push_back(name.substr(0, name.size() - 3));
      methods = &node->rest;
    } else {
      names.push_back(name);
      if (!node->parameter) node->parameter = std::make_unique<Node>();
      node = node->parameter.get();
    }
  }
  assert(names.size() <= most_parameters);
  if (!methods) methods = &node->here;
  assert(std::none_of(methods->routes.begin(), methods->routes.end(),
                      [&](const auto& known) { return known.first == route.method; }));
  methods->routes.emplace_back(route.method, index);
  if (names.empty()) whole_[route.pattern].routes.emplace_back(route.method, index);
}

// True when the method has a route here; else its siblings are tried and the methods remembered for Allow.
bool RouteTable::settle(const Methods& methods, Search& search) {
  if (methods.routes.empty()) return false;
  search.found.route = methods.route_for(search.method);
  if (search.found.route < 0) {
    add_methods(search.found.methods, methods.routes);
    return false;
  }
  return true;
}

bool RouteTable::walk(const Node& node, std::size_t depth, Search& search) {
  if (depth == search.parts.size()) return settle(node.here, search);
  const auto& part = search.parts[depth];
  if (auto literal = node.literals.find(part); literal != node.literals.end())
    if (walk(*literal->second, depth + 1, search)) return true;
  if (node.parameter && !part.empty()) {
    search.values[search.value_count++] = depth;
    if (walk(*node.parameter, depth + 1, search)) return true;
    --search.value_count;
  }
  bool is_rest_empty = part.empty() && depth + 1 == search.parts.size();
  if (is_rest_empty || !settle(node.rest, search)) return false;
  search.values[search.value_count++] = depth;
  search.has_rest = true;
  return true;
}

void RouteTable::name_parameters(const Search& search, Request& request) const {
  const auto& names = parameter_names_[static_cast<std::size_t>(search.found.route)];
  for (std::size_t i = 0; i < names.size(); ++i)
    request.path_parameters.emplace_back(names[i], search.parts[search.values[i]]);
  if (!search.has_rest) return;
  auto& rest = request.path_parameters.back().second;
  for (auto part = search.values[names.size() - 1] + 1; part < search.parts.size(); ++part)
    rest.append("/").append(search.parts[part]);
}

RouteTable::Found RouteTable::find(Request& request) const {
  request.path_parameters.clear();
  std::string_view path = request.path;
  if (auto whole = whole_.find(path); whole != whole_.end())
    if (int route = whole->second.route_for(request.method); route >= 0) return {route, {}};
  if (!path.starts_with('/')) return {};
  Search search(request.method, path);
  if (walk(root_, 0, search)) {
    name_parameters(search, request);
    search.found.methods.clear();
  }
  return std::move(search.found);
}

}  // namespace segments::http
