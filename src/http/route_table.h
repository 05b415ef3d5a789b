// The patterns of all routes, indexed: a path is looked up whole, then by its segments, literal ones first.
#pragma once

#include <map>
#include <memory>
#include <string>
#include <string_view>
#include <unordered_map>
#include <utility>
#include <vector>

#include "http/request.h"
#include "http/router.h"

namespace segments::http {

class RouteTable {
 public:
  explicit RouteTable(const std::vector<RouteHandler>&);

  struct Found {
    int route = -1;  // index of the route
    std::vector<std::string>
        methods;  // when there is none for the method: those of the path; empty: no such path
  };
  // Fills request.path_parameters. HEAD finds GET's route. Throws Error{malformed} for a path that cannot be
  // decoded.
  Found find(Request&) const;

 private:
  struct Methods {
    std::vector<std::pair<std::string, int>> routes;
    int route_for(std::string_view method) const;
  };
  struct Node {
    std::map<std::string, std::unique_ptr<Node>, std::less<>> literals;
    std::unique_ptr<Node> parameter;
    Methods here;
    Methods rest;
  };
  struct Hash {
    using is_transparent = void;
    std::size_t operator()(std::string_view text) const { return std::hash<std::string_view>()(text); }
  };
  struct Search;

  void insert(const RouteHandler&, int index);
  static bool walk(const Node&, std::size_t depth, Search&);
  static bool settle(const Methods&, Search&);
  void name_parameters(const Search&, Request&) const;

  std::unordered_map<std::string, Methods, Hash, std::equal_to<>> whole_;
  Node root_;
  std::vector<std::vector<std::string>> parameter_names_;  // of each route
};

}  // namespace segments::http
