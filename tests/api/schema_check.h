// What an answer breaks of the JSON Schema that the OpenAPI document gives for it: the subset that the
// program emits.
#pragma once

#include <boost/json.hpp>
#include <string>
#include <string_view>
#include <vector>

namespace segments::testing {

class OpenApi {
 public:
  explicit OpenApi(std::string_view document);
  const boost::json::object& document() const { return document_; }

  // Every way in which the answer differs from what is documented: an unknown path or status, a wrong media
  // type, a body that breaks its schema or has members of which the schema says nothing.
  std::vector<std::string> faults_of(std::string_view method, std::string_view path, int status,
                                     std::string_view content_type, std::string_view body) const;
  // Of any value against a schema of the document.
  std::vector<std::string> faults_of(const boost::json::value&, const boost::json::object& schema) const;
  // "/api/segments/{segment_id}" for "/api/segments/x"; "" when no path fits.
  std::string template_of(std::string_view path) const;

 private:
  const boost::json::object& resolve(const boost::json::object&) const;
  void check(const boost::json::value&, const boost::json::object& schema, const std::string& at,
             std::vector<std::string>& faults) const;
  void check_object(const boost::json::object&, const boost::json::object& schema, const std::string& at,
                    std::vector<std::string>& faults) const;

  boost::json::object document_;
};

}  // namespace segments::testing
