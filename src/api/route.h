// One line of the route table: what a request is matched by, what answers it, and what the OpenAPI document
// says of it.
#pragma once

#include <boost/json/object.hpp>
#include <memory>
#include <variant>
#include <vector>

#include "api/api.h"
#include "describe/schema.h"
#include "http/router.h"

namespace segments {

using Handler = std::variant<Response (*)(const Request&, Services&), Response (*)(const Request&, Api&),
                             std::unique_ptr<BodySink> (*)(const Request&, Services&)>;

// The schema of a described struct under a name of its own.
struct Schema {
  const char* name = nullptr;
  boost::json::object (*make)() = nullptr;
  explicit operator bool() const { return make != nullptr; }
};
template <class T>
Schema answer_schema(const char* name) {
  return {name, [] { return schema_of<T>(); }};
}
// Of what is decoded: members that may miss are optional, further ones are refused but those that clients are
// known to send for nothing.
template <class T>
Schema body_schema(const char* name) {
  return {name, [] {
            auto schema = schema_of<T>({}, true);
            auto& properties = schema["properties"].as_object();
            for (std::string_view member : ignored_members(Describes<T>{}))
              if (!properties.contains(member)) properties[member] = {{"description", "Taken and not used"}};
            return schema;
          }};
}
template <class T>
Schema query_schema() {
  return body_schema<T>("");
}

enum class Access {
  of_user,
  open,
  with_ticket
};  // with_ticket: of a user, who may also be known by `?ticket=`

struct ApiRoute {
  const char* method;
  const char* pattern;
  Handler handler;
  Runs runs = Runs::inline_;
  bool (*waits)(const Request&) = nullptr;  // of an inline route: which requests are for the pool
  // Where records or objects lie behind a network, too, nothing but answers that are there later waits there.
  bool waits_later = false;
  Access access = Access::of_user;
  const char* id = "";  // the operation's
  const char* tag = "";
  const char* summary = "";
  Schema query = {};
  Schema body = {};
  bool body_may_miss = false;
  Schema answer = {};
  int status = 200;
  const char* content_type = "application/json";  // of the answer
  std::vector<int> faults = {};                   // statuses besides those that follow from the rest
  std::vector<const char*> headers = {};          // of the request
};

const std::vector<ApiRoute>& api_routes();

}  // namespace segments
