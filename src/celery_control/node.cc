#include "celery_control/node.h"

#include <unistd.h>

#include <algorithm>

#include "base/error.h"
#include "base/log.h"
#include "celery_control/commands.h"

namespace segments::celery {

namespace {

// Clients wait for a second: what takes longer is of no use to them.
constexpr redis::Timeouts short_timeouts{.connect_ms = 1'000, .answer_ms = 1'000};
constexpr std::size_t most_incoming = 10'000;
constexpr std::size_t most_incoming_bytes = std::size_t{64} << 20;
constexpr Millis retry_ms = 200;

// A client that has gone has no binding: what is pushed for it would stay for ever. One that was killed left
// its binding behind.
const redis::Script& reply_script() {
  static const redis::Script script(R"lua(
local pushed = 0
for _, member in ipairs(redis.call('SMEMBERS', KEYS[1])) do
  local routing_key, queue = member:match('^(.-)\6\22.-\6\22(.*)$')
  if routing_key == ARGV[1] and queue ~= '' then
    local reply = redis.pcall('LPUSH', queue, ARGV[2])
    if type(reply) == 'number' then
      redis.call('EXPIRE', queue, 300)
      pushed = pushed + 1
    end
  end
end
return pushed
)lua");
  return script;
}

}  // namespace

Node::Node(redis::Url url, CeleryQueue& queue, WorkerControls& controls, NodeHooks& hooks,
           NodeOptions options)
    : options_(std::move(options)),
      redis_(url, short_timeouts, 2),
      hooks_(hooks),
      desk_{.options = options_, .redis = redis_, .queue = queue, .controls = controls, .hooks = hooks} {
  hooks_.buffer.want(options_.task_events);
  if (auto* metrics = options_.metrics) {
    undecodable_ = &metrics->counter("segments_celery_control_undecodable_total",
                                     "Remote control messages that could not be read.");
    overrun_ = &metrics->counter("segments_celery_control_overrun_total",
                                 "Remote control messages and events that came faster than they were read.");
  }
  redis::Subscriber::Listener listener{
      .on_message =
          [this, control = keys::control_channel(url.db)](std::string_view channel, std::string_view raw) {
            auto kind = channel == control ? Incoming::Kind::control : Incoming::Kind::event;
            put_incoming({kind, std::string(raw)});
          },
      .on_subscribed =
          [this] {
            put_incoming({Incoming::Kind::subscribed, {}});
          }};
  subscriber_ = std::make_unique<redis::Subscriber>(url, std::vector{keys::control_channel(url.db)},
                                                    std::vector{keys::worker_event_pattern(url.db)},
                                                    std::move(listener));
  thread_ = std::thread([this] { run(); });
}

Node::~Node() {
  subscriber_.reset();
  is_stopping_ = true;
  hooks_.bell.ring();
  thread_.join();
}

void Node::wait_for_peers() {
  auto until = steady_ms() + Mingle::patience_ms;
  for (Millis left; !has_mingled_ && (left = until - steady_ms()) > 0;) mingled_.wait(left);
}

void Node::put_incoming(Incoming message) {
  {
    std::lock_guard lock(mutex_);
    bool is_full =
        incoming_.size() >= most_incoming || incoming_bytes_ + message.raw.size() > most_incoming_bytes;
    if (is_full && message.kind != Incoming::Kind::subscribed) {
      if (overrun_) overrun_->add();
      return;
    }
    incoming_bytes_ += message.raw.size();
    incoming_.push_back(std::move(message));
  }
  hooks_.bell.ring();
}

std::deque<Node::Incoming> Node::take_incoming() {
  std::lock_guard lock(mutex_);
  incoming_bytes_ = 0;
  return std::exchange(incoming_, {});
}

// What Redis cannot do now is tried again later; nothing ends this thread.
template <class Step>
bool Node::attempt(const char* what, Step step) {
  try {
    step();
    if (std::exchange(is_away_, false)) log_info("celery.control_back");
    return true;
  } catch (const Error& error) {
    if (error.kind() == ErrorKind::unavailable) {
      retry_at_ = steady_ms() + retry_ms;
      if (!std::exchange(is_away_, true)) log_warning("celery.control_away", {{"step", what}});
      return false;
    }
    log_error("celery.control_step_failed", {{"step", what}, {"detail", std::string_view(error.what())}});
  } catch (const std::exception& error) {
    log_error("celery.control_step_failed", {{"step", what}, {"detail", std::string_view(error.what())}});
  }
  retry_at_ = steady_ms() + retry_ms;
  return false;
}

Millis Node::pause() const {
  auto now = steady_ms();
  auto due = beat_at_;
  if (mingle_.is_open()) due = std::min(due, now + Mingle::poll_ms);
  bool is_owing = join_is_due_ || desk_.has_revoked();
  if (is_owing) due = std::min(due, retry_at_);
  if (auto events = hooks_.buffer.due()) due = std::min(due, std::max(*events, retry_at_));
  return std::max<Millis>(0, due - now);
}

void Node::run() {
  beat_at_ = steady_ms() + options_.heartbeat_ms;
  while (!is_stopping_) {
    hooks_.bell.wait(pause());
    for (const auto& message : take_incoming()) {
      attempt("message", [&] { take(message); });
      // Where Redis is away each may take a second.
      if (is_stopping_ && is_away_) break;
    }
    if (is_stopping_ && is_away_) break;
    if (join_is_due_ && steady_ms() >= retry_at_) attempt("join", [this] { join_cluster(); });
    if (desk_.has_revoked() && steady_ms() >= retry_at_) attempt("revoke", [this] { drop_revoked(); });
    if (mingle_.is_open()) attempt("mingle", [this] { mingle(); });
    if (steady_ms() >= beat_at_ || std::exchange(desk_.heartbeat_is_wanted, false)) {
      beat_at_ = steady_ms() + options_.heartbeat_ms;
      hooks_.events.set_utc_offset(utc_offset_hours());
      attempt("heartbeat", [this] { redis_.ask(print_worker(WorkerEvent::heartbeat)); });
    }
    if (auto due = hooks_.buffer.due(); due && steady_ms() >= std::max(*due, retry_at_))
      attempt("events", [this] { publish_tasks(); });
  }
  attempt("leave", [this] { leave_cluster(); });
}

void Node::take(const Incoming& message) {
  if (message.kind == Incoming::Kind::control) {
    take_control(message.raw);
  } else if (message.kind == Incoming::Kind::event) {
    take_event(message.raw);
  } else {
    join_is_due_ = true;
    retry_at_ = 0;
  }
}

void Node::take_control(std::string_view raw) {
  auto decoded = decode_control_request(raw);
  if (auto* why = std::get_if<std::string>(&decoded)) {
    if (undecodable_) undecodable_->add();
    log_warning("celery.control_undecodable", {{"why", *why}});
    return;
  }
  const auto& request = std::get<ControlRequest>(decoded);
  desk_.clock.adjust(request.clock);
  if (!is_for(request, hooks_.node)) return;
  desk_.is_silent = false;
  auto payload = run_command(desk_, request);
  // Whoever is told that a task is revoked may rely on it.
  if (desk_.has_revoked()) attempt("revoke", [this] { drop_revoked(); });
  if (request.wants_reply() && !desk_.is_silent) reply(request, payload);
}

void Node::reply(const ControlRequest& request, const Json& payload) {
  std::string key = keys::binding(request.reply_exchange);
  std::string text = encode_control_reply(request, hooks_.node, payload, desk_.clock.forward());
  redis_.run(reply_script(), {&key, 1}, std::vector{request.reply_routing_key, text});
}

void Node::drop_revoked() {
  constexpr std::size_t together = 1'000;
  auto work_off = [together](std::vector<std::string>& ids, auto drop) {
    while (!ids.empty()) {
      auto count = std::min(together, ids.size());
      drop(std::span(ids).last(count));
      ids.resize(ids.size() - count);
    }
  };
  work_off(desk_.to_drop, [this](auto ids) { desk_.queue.drop_later(ids); });
  work_off(desk_.heard, [this](auto ids) { desk_.queue.drop_unknown_later(ids); });
}

EventSource Node::source() {
  return {.node = hooks_.node,
          .pid = getpid(),
          .clock = desk_.clock.forward(),
          .at = now_ms(),
          .utc_offset_h = utc_offset_hours()};
}

redis::Command Node::print_worker(WorkerEvent kind) {
  WorkerFigures figures;
  figures.heartbeat_s = static_cast<double>(options_.heartbeat_ms) / 1000;
  figures.version = options_.version;
  auto snapshot = desk_.controls.snapshot();
  figures.active = std::count_if(snapshot.tasks.begin(), snapshot.tasks.end(),
                                 [](const auto& held) { return held.begun_at > 0; });
  for (const auto& [name, count] : snapshot.started) figures.processed += static_cast<std::int64_t>(count);
  getloadavg(figures.load.data(), 3);
  auto event = worker_event(kind, source(), figures);
  return {"PUBLISH", keys::event_channel(redis_.url().db, event.type), encode_event(event)};
}

redis::Command Node::print_tasks(std::vector<Event> events) {
  for (auto& event : events) event.fields.put("clock", desk_.clock.forward());
  return {"PUBLISH", keys::event_channel(redis_.url().db, "task-multi"), encode_task_multi(events)};
}

// Some batches in one round trip; then remote control has its turn.
void Node::publish_tasks() {
  constexpr std::size_t batches = 10;
  auto events = hooks_.buffer.take(EventBuffer::batch * batches);
  std::vector<redis::Command> commands;
  for (std::size_t at = 0; at < events.size(); at += EventBuffer::batch) {
    auto end = std::min(at + EventBuffer::batch, events.size());
    commands.push_back(print_tasks({events.begin() + static_cast<std::ptrdiff_t>(at),
                                    events.begin() + static_cast<std::ptrdiff_t>(end)}));
  }
  try {
    redis_.ask_all(commands);
  } catch (const Error& error) {
    if (error.kind() == ErrorKind::unavailable) hooks_.buffer.put_back(std::move(events));
    throw;
  }
}

}  // namespace segments::celery
