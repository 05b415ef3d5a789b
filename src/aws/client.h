// One AWS service, as dynamodb/ and s3/ use it: signed calls, tried again where that is safe. Any thread may
// call it; calls block. Not to be used in a forked child.
#pragma once

#include <atomic>
#include <functional>
#include <optional>
#include <string>

#include "aws/credentials.h"
#include "aws/http_client.h"
#include "aws/retry.h"
#include "aws/sigv4.h"
#include "base/later.h"

namespace segments::aws {

struct Call {
  std::string operation;  // for errors and the log: "PutItem"
  std::string method = "POST";
  std::string path = "/";  // decoded
  Query query = {};        // decoded
  Headers headers =
      {};  // signed; without those made here (host, content-length, x-amz-date, …-sha256, …-token)
  Body body = {};
  std::string payload_hash =
      {};  // SHA-256 of the body in hex, or unsigned_payload; empty: the body is read for it
  // Carried out twice it does what it does once. Only then is it sent again after it may have arrived.
  bool is_idempotent = false;
  bool may_fail_in_success =
      false;                  // a 2xx answer may hold an <Error> (S3: CompleteMultipartUpload, CopyObject)
  Sink sink = {};             // takes the body of a 2xx answer; once it got a byte, nothing is tried again
  HeadSink head_sink = {};    // is told of a 2xx answer before its body comes; anew with each attempt
  Millis most_ms = 10'000;    // for all attempts together; not counted: fetching keys
  Millis attempt_ms = 5'000;  // for one, from connecting to the answer's last byte
};

// AWS's answer, whatever it says.
struct Reply {
  int status = 0;
  Headers headers = {};
  std::string body = {};
  std::string error_code = {}, error_message = {};  // "" where it was carried out
  std::string request_id = {};
  int attempts = 1;
  // An attempt before the one that was answered may have been carried out: "it is there already" may be our
  // own doing.
  bool may_have_run_before = false;

  bool is_done() const { return error_code.empty(); }
};

struct PresignedUrl {
  std::string url;
  Millis expires_at;  // since 1970; sooner than was asked for where the keys themselves expire sooner
};

class Client {
 public:
  struct Options {
    std::string service;  // in signatures: "dynamodb", "s3"
    std::string region;
    Origin origin;
    RetryPolicy retry = {};
    HttpClient::Options http = {};
    // For tests; by default the system's.
    std::function<Millis()> clock = now_ms;      // since 1970
    std::function<Millis()> steady = steady_ms;  // for most_ms
    std::function<void(Millis)> sleep = {};      // empty: sleeps
    std::function<double()> random = {};         // in [0, 1); empty: a generator per thread
  };
  // The provider must outlive it.
  Client(Options, CredentialProvider&);

  // AWS's answer, also where that is a refusal for good: its code is for the caller to read. Throws
  // Error{unavailable} where there was none in time, or AWS went on being throttled or failing until
  // attempts, budget or time were used up; where the call may nonetheless have been carried out, the sentence
  // says so. What the provider, body and sink throw passes through.
  Reply call(const Call&);
  // The same for whoever does not wait. Without waiting goes what usually is enough: one attempt, on a
  // connection and with keys that are at hand. All else (connecting, fetching keys, trying again) is what
  // take() then waits for. The client must outlive it; the call has neither sink nor a body in a file.
  std::shared_ptr<LaterSource<Reply>> call_later(Call);

  // Only method, path, query and headers of the call are used. `expires_s` from 1; more than a week is a
  // week. The URL's user must send the headers as they are here. It counts from `signed_at`, or from now: a
  // moment that stays the same makes a URL that does.
  PresignedUrl presign(const Call&, Millis expires_s, std::optional<Millis> signed_at = {});
  bool has_keys_at_hand() { return credentials_.at_hand().has_value(); }  // presign() does not wait

  // Error{internal} for an answer that nobody expected; in the log with AWS's message and request id.
  Error unexpected(const Call&, const Reply&) const;

  RetryBudget& budget() { return budget_; }

 private:
  struct Attempt;
  class Tries;
  class LaterCall;
  Attempt attempt(const Tries&, const Credentials&);
  Attempt judge(const Call&, HttpOutcome&&);
  // The answer, if the attempt has given it and none is to follow.
  std::optional<Reply> conclude(Tries&, Attempt&&, const Credentials& used);
  Reply go_on(Tries&);
  HttpRequest sign(const Call&, const Keys&, const std::string& payload_hash);
  bool adopt_clock(const HttpResponse&);
  Millis now() const { return options_.clock() + clock_offset_.load(); }

  const Options options_;
  const std::string authority_;  // of the origin
  CredentialProvider& credentials_;
  HttpClient http_;
  SigningKeys signing_keys_;
  RetryBudget budget_;
  std::atomic<Millis> clock_offset_ = 0;  // AWS's clock less ours, once it mattered
};

}  // namespace segments::aws
