#include "aws/client.h"

#include <zlib.h>

#include <algorithm>
#include <chrono>
#include <cstdlib>
#include <random>
#include <thread>

#include "aws/error_answer.h"
#include "base/log.h"
#include "base/text.h"
#include "base/watcher.h"

namespace segments::aws {

namespace {

constexpr Millis tolerated_skew_ms = 4 * 60'000;  // AWS tolerates 15 minutes
constexpr Millis a_week_s = 604'800;

double usual_random() {
  thread_local std::minstd_rand engine(std::random_device{}());
  return std::uniform_real_distribution<double>(0, 1)(engine);
}

void usual_sleep(Millis ms) {
  std::this_thread::sleep_for(std::chrono::milliseconds(ms));
}

// DynamoDB says the CRC-32 of its answers, in decimal.
bool is_damaged(const HttpResponse& response) {
  auto told = find_header(response.headers, "x-amz-crc32");
  if (!told) return false;
  auto expected = parse_integer(*told);
  auto found = crc32_z(0, reinterpret_cast<const Bytef*>(response.body.data()), response.body.size());
  return !expected || *expected != static_cast<std::int64_t>(found);
}

Millis asked_delay(const HttpResponse& response) {
  auto told = find_header(response.headers, "x-amz-retry-after");
  auto ms = told ? parse_integer(*told) : std::nullopt;
  return ms ? std::clamp<Millis>(*ms, 0, 60'000) : 0;
}

}  // namespace

// One attempt, and what it means.
struct Client::Attempt {
  Reply reply;
  Verdict verdict = Verdict::none;
  bool is_answered = false;
  bool may_have_run = false;
  bool is_timeout = false;
  bool is_repeatable = true;    // the sink has got nothing yet
  bool has_wrong_time = false;  // and the clock has been set by it
  Millis asked_ms = 0;          // to wait
  std::string failure;          // one sentence, where it is to be tried again

  bool is_over() const { return verdict == Verdict::none || verdict == Verdict::final; }
};

// The attempts of one call: whether there may be another.
class Client::Tries {
 public:
  Tries(Client& client, const Call& call)
      : call(call),
        payload_hash(call.payload_hash.empty() ? hex_sha256(call.body) : call.payload_hash),
        client_(client),
        deadline_(client.options_.steady() + call.most_ms) {}

  const Call& call;
  const std::string payload_hash;

  Millis left_ms() const { return deadline_ - client_.options_.steady(); }
  // Of the next attempt, by steady_ms().
  Millis attempt_deadline() const {
    return steady_ms() + std::min(call.attempt_ms, std::max<Millis>(left_ms(), 0));
  }
  void note(const Attempt& attempt) {
    ++count_;
    may_have_run_ = may_have_run_ || attempt.may_have_run;
  }
  int count() const { return count_; }
  bool may_have_run() const { return may_have_run_; }

  // Waits before the next one. False where there is none.
  bool again(const Attempt& failed, const Credentials& used) {
    if (!failed.is_repeatable || (failed.may_have_run && !call.is_idempotent)) return false;
    if (failed.verdict == Verdict::stale_keys) {
      client_.credentials_.refuse(used);
      return !std::exchange(has_renewed_keys_, true);
    }
    if (failed.verdict == Verdict::signature)
      return failed.has_wrong_time && !std::exchange(has_set_clock_, true);
    if (failed.verdict == Verdict::final || ++retries_ >= client_.options_.retry.most_attempts) return false;
    auto delay = delay_before(client_.options_.retry, failed.verdict, retries_, client_.options_.random(),
                              failed.asked_ms);
    if (delay >= left_ms()) return false;
    int cost = failed.is_timeout ? RetryBudget::timeout_cost : RetryBudget::retry_cost;
    if (!client_.budget_.take(cost)) return false;
    paid_ = cost;
    client_.options_.sleep(delay);
    return left_ms() > 0;
  }

  void succeed() { client_.budget_.give_back(paid_ ? paid_ : RetryBudget::plain_gain); }

 private:
  Client& client_;
  const Millis deadline_;
  int count_ = 0, retries_ = 0, paid_ = 0;
  bool may_have_run_ = false, has_renewed_keys_ = false, has_set_clock_ = false;
};

Client::Client(Options options, CredentialProvider& credentials)
    : options_([&] {
        if (!options.random) options.random = usual_random;
        if (!options.sleep) options.sleep = usual_sleep;
        return std::move(options);
      }()),
      authority_(options_.origin.authority()),
      credentials_(credentials),
      http_(options_.http) {}

Reply Client::call(const Call& call) {
  Tries tries(*this, call);
  return go_on(tries);
}

Reply Client::go_on(Tries& tries) {
  while (true) {
    auto keys = credentials_.get();
    if (auto reply = conclude(tries, attempt(tries, keys), keys)) return std::move(*reply);
  }
}

std::optional<Reply> Client::conclude(Tries& tries, Attempt&& tried, const Credentials& keys) {
  const auto& call = tries.call;
  const bool ran_before = tries.may_have_run();
  tries.note(tried);
  log_debug("aws.call", {{"service", options_.service},
                         {"operation", call.operation},
                         {"status", tried.reply.status},
                         {"code", tried.reply.error_code},
                         {"aws_request_id", tried.reply.request_id},
                         {"attempt", tries.count()}});
  if (!tried.is_over() && tries.again(tried, keys)) return std::nullopt;
  bool is_for_good = tried.verdict == Verdict::stale_keys || tried.verdict == Verdict::signature;
  if (tried.is_answered && (tried.is_over() || is_for_good)) {
    if (tried.verdict == Verdict::none) tries.succeed();
    tried.reply.attempts = tries.count();
    tried.reply.may_have_run_before = ran_before;
    return std::move(tried.reply);
  }
  log_warning("aws.call_failed", {{"service", options_.service},
                                  {"operation", call.operation},
                                  {"attempts", tries.count()},
                                  {"detail", tried.failure},
                                  {"aws_request_id", tried.reply.request_id}});
  bool is_doubtful = tries.may_have_run() && !call.is_idempotent;
  throw Error(ErrorKind::unavailable,
              tried.failure + (is_doubtful ? " Whether it was carried out is not known." : ""), {}, 1);
}

// The first attempt goes without waiting, if it can; take() waits for those that follow.
class Client::LaterCall : public LaterSource<Reply> {
 public:
  LaterCall(Client& client, Call&& call) : client_(client), call_(std::move(call)) {}

  void begin(std::function<void()> ready) noexcept override {
    ready_ = std::move(ready);
    if (!begin_attempt()) ready_();
  }
  bool must_wait() const override { return !attempt_ || !attempt_->is_over(); }
  Reply take() override {
    if (!attempt_) return client_.call(call_);
    auto reply = client_.conclude(*tries_, std::move(*attempt_), *keys_);
    return reply ? std::move(*reply) : client_.go_on(*tries_);
  }

 private:
  bool begin_attempt() noexcept {
    try {
      keys_ = Watcher::of_this_thread() ? client_.credentials_.at_hand() : std::nullopt;
      if (!keys_) return false;
      tries_.emplace(client_, call_);
      return client_.http_.begin(client_.options_.origin,
                                 client_.sign(call_, keys_->keys, tries_->payload_hash),
                                 tries_->attempt_deadline(), [this](HttpOutcome&& outcome) {
                                   attempt_ = client_.judge(call_, std::move(outcome));
                                   ready_();
                                 });
    } catch (const std::exception&) {
      return false;  // take() meets it again, and throws it
    }
  }

  Client& client_;
  const Call call_;
  std::optional<Credentials> keys_;
  std::optional<Tries> tries_;
  std::optional<Attempt> attempt_;
  std::function<void()> ready_;
};

std::shared_ptr<LaterSource<Reply>> Client::call_later(Call call) {
  return std::make_shared<LaterCall>(*this, std::move(call));
}

Client::Attempt Client::attempt(const Tries& tries, const Credentials& keys) {
  return judge(tries.call, http_.send(options_.origin, sign(tries.call, keys.keys, tries.payload_hash),
                                      tries.attempt_deadline()));
}

Client::Attempt Client::judge(const Call& call, HttpOutcome&& outcome) {
  Attempt out;
  if (outcome.kind != HttpOutcome::Kind::answered) {
    out.verdict = Verdict::transient;
    out.may_have_run = outcome.kind == HttpOutcome::Kind::maybe_sent;
    out.is_timeout = outcome.is_timeout;
    out.is_repeatable = outcome.delivered == 0;
    out.failure = outcome.failure;
    return out;
  }
  auto& response = outcome.response;
  out.is_answered = true;
  out.asked_ms = asked_delay(response);
  out.reply.request_id = request_id_of(response);
  bool is_success = response.status / 100 == 2 && !(call.may_fail_in_success && is_error_document(response));
  if (!is_success) {
    auto error = error_of(response);
    out.reply.error_code = error.code;
    out.reply.error_message = error.message;
  }
  out.verdict = verdict_of(response.status, out.reply.error_code);
  out.failure = options_.origin.name + " could not do it now (" + out.reply.error_code + ").";
  if (is_damaged(response) && !call.sink) {
    // What a damaged answer says cannot be believed, whatever it is.
    out.verdict = Verdict::transient;
    out.failure = options_.origin.name + " sent an answer that arrived damaged.";
  }
  out.may_have_run = out.verdict == Verdict::transient;
  if (out.verdict == Verdict::signature) out.has_wrong_time = adopt_clock(response);
  out.reply.status = response.status;
  out.reply.headers = std::move(response.headers);
  out.reply.body = std::move(response.body);
  return out;
}

HttpRequest Client::sign(const Call& call, const Keys& keys, const std::string& payload_hash) {
  SigningRequest signing{.method = call.method, .path = call.path, .query = call.query};
  signing.headers.reserve(call.headers.size() + 5);
  signing.headers = call.headers;
  signing.payload_hash = payload_hash;
  if (options_.service == "s3") signing.headers.emplace_back("x-amz-content-sha256", payload_hash);
  signing.headers.emplace_back("host", authority_);
  auto signature = sign_headers(signing, keys, {options_.region, options_.service, now()}, &signing_keys_);
  HttpRequest out;
  out.method = call.method;
  out.target = std::move(signature.target);
  out.headers = std::move(signing.headers);
  out.headers.pop_back();  // the host, which is sent first
  std::ranges::move(signature.added, std::back_inserter(out.headers));
  out.body = call.body;
  out.is_repeatable = call.is_idempotent;
  out.sink = call.sink;
  out.head_sink = call.head_sink;
  return out;
}

// True where our clock was wrong enough to be the reason; it is right from now on.
bool Client::adopt_clock(const HttpResponse& response) {
  auto date = find_header(response.headers, "date");
  auto theirs = date ? parse_http_date(*date) : std::nullopt;
  if (!theirs || std::abs(*theirs - now()) < tolerated_skew_ms) return false;
  clock_offset_ = *theirs - options_.clock();
  log_warning("aws.clock_is_wrong", {{"service", options_.service}, {"by_ms", -clock_offset_.load()}});
  return true;
}

PresignedUrl Client::presign(const Call& call, Millis expires_s, std::optional<Millis> signed_at) {
  auto keys = credentials_.get();
  auto time = signed_at.value_or(now());
  auto life_s = std::min(expires_s, a_week_s);
  // The token is in the URL, which dies with it.
  if (keys.expires_at) life_s = std::min(life_s, (*keys.expires_at - time) / 1'000);
  life_s = std::max<Millis>(life_s, 1);
  SigningRequest signing{
      .method = call.method, .path = call.path, .query = call.query, .headers = call.headers};
  signing.payload_hash = unsigned_payload;
  signing.headers.emplace_back("host", authority_);
  auto signature = sign_query(signing, keys.keys, {options_.region, options_.service, time},
                              static_cast<int>(life_s), &signing_keys_);
  return {options_.origin.url() + signature.target, time + life_s * 1'000};
}

Error Client::unexpected(const Call& call, const Reply& reply) const {
  log_error("aws.unexpected_answer", {{"service", options_.service},
                                      {"operation", call.operation},
                                      {"status", reply.status},
                                      {"code", reply.error_code},
                                      {"message", reply.error_message},
                                      {"aws_request_id", reply.request_id}});
  return Error(ErrorKind::internal,
               options_.origin.name + " refused " + call.operation + " (" + reply.error_code + ").");
}

}  // namespace segments::aws
