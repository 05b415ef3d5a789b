// The one error class. A kind decides what a caller sees (http: a status, worker: retry or fail); the detail
// is one plain sentence for whoever asked. Absence is not an error: functions return std::optional or bool
// for it.
#pragma once

#include <stdexcept>
#include <string>
#include <string_view>
#include <vector>

namespace segments {

enum class ErrorKind {
  malformed,            // not the syntax that was expected (not JSON, a broken request)
  unauthorized,         // no valid credentials
  forbidden,            // valid credentials that do not allow this
  not_found,            // absent, or not the caller's
  conflict,             // already there, or in a state that does not allow this
  precondition_failed,  // somebody else changed it meanwhile
  too_large,            // beyond a stated bound
  unsupported_media,    // a content type that is not taken
  invalid,              // well-formed input that breaks a rule; carries every fault
  rate_limited,         // retry after retry_after_s
  unavailable,          // cannot be done now; retry after retry_after_s
  internal,             // our own fault; the detail stays in the log
};

// One fault of the caller's input. `pointer` is a JSON pointer ("/tags/3") or the name of a query parameter.
struct Fault {
  std::string pointer;
  std::string code;    // required | unknown | type | range | length | format | enum | duplicate | encoding
  std::string detail;  // one plain sentence
};

class Error : public std::runtime_error {
 public:
  Error(ErrorKind kind, const std::string& detail, std::vector<Fault> faults = {}, int retry_after_s = 0)
      : std::runtime_error(detail), kind_(kind), faults_(std::move(faults)), retry_after_s_(retry_after_s) {}

  ErrorKind kind() const { return kind_; }
  const std::vector<Fault>& faults() const { return faults_; }
  int retry_after_s() const { return retry_after_s_; }

 private:
  ErrorKind kind_;
  std::vector<Fault> faults_;
  int retry_after_s_;
};

// The same to be thrown on another thread: copies of an exception share their text, whose owners are counted.
inline Error apart(const Error& error) {
  return Error(error.kind(), std::string(error.what()), error.faults(), error.retry_after_s());
}

inline Error not_found(std::string_view what, std::string_view id) {
  return Error(ErrorKind::not_found, "There is no " + std::string(what) + " " + std::string(id) + ".");
}

// All faults at once; the detail of a single fault becomes the sentence.
inline Error invalid_input(std::vector<Fault> faults) {
  std::string detail = faults.size() == 1 ? faults.front().detail
                                          : "The input has " + std::to_string(faults.size()) + " faults.";
  return Error(ErrorKind::invalid, detail, std::move(faults));
}

}  // namespace segments
