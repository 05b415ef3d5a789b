#include "http/route_table.h"

#include <algorithm>
#include <cassert>

#include "base/text.h"
#include "http/target.h"

namespace segments::http {

namespace {

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
  std::vector<std::string> parts;   // decoded
  std::vector<std::string> values;  // of the parameters on the way
  Found found;
};

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
  if (!methods) methods = &node->here;
  assert(std::none_of(methods->routes.begin(), methods->routes.end(),
                      [&](const auto& known) { return known.first == route.method; }));
  methods->routes.emplace_back(route.method, index);
  if (names.empty()) whole_[route.pattern].routes.emplace_back(route.method, index);
}

// True when the method has a route here; else its siblings are tried and the methods remembered for Allow.
bool RouteTable::settle(const Methods& methods, Search& search, std::string rest) {
  if (methods.routes.empty()) return false;
  search.found.route = methods.route_for(search.method);
  if (search.found.route < 0) {
    add_methods(search.found.methods, methods.routes);
    return false;
  }
  if (!rest.empty()) search.values.push_back(std::move(rest));
  return true;
}

bool RouteTable::walk(const Node& node, std::size_t depth, Search& search) {
  if (depth == search.parts.size()) return settle(node.here, search, {});
  const auto& part = search.parts[depth];
  if (auto literal = node.literals.find(part); literal != node.literals.end())
    if (walk(*literal->second, depth + 1, search)) return true;
  if (node.parameter && !part.empty()) {
    search.values.push_back(part);
    if (walk(*node.parameter, depth + 1, search)) return true;
    search.values.pop_back();
  }
  if (node.rest.routes.empty()) return false;
  std::string rest = part;
  for (auto i = depth + 1; i < search.parts.size(); ++i) rest += '/' + search.parts[i];
  return !rest.empty() && settle(node.rest, search, std::move(rest));
}

void RouteTable::name_parameters(int route, Search& search, Request& request) const {
  const auto& names = parameter_names_[static_cast<std::size_t>(route)];
  for (std::size_t i = 0; i < names.size(); ++i)
    request.path_parameters.emplace_back(names[i], std::move(search.values[i]));
}

RouteTable::Found RouteTable::find(Request& request) const {
  request.path_parameters.clear();
  std::string_view path = request.path;
  if (auto whole = whole_.find(path); whole != whole_.end())
    if (int route = whole->second.route_for(request.method); route >= 0) return {route, {}};
  if (!path.starts_with('/')) return {};
  Search search{request.method, segments_of(path), {}, {}};
  for (auto& part : search.parts) part = decode_component(part, false);
  if (walk(root_, 0, search)) {
    name_parameters(search.found.route, search, request);
    search.found.methods.clear();
  }
  return std::move(search.found);
}

}  // namespace segments::http
