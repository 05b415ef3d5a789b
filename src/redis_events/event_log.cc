#include "redis_events/event_log.h"

#include "base/error.h"
#include "base/text.h"
#include "redis_events/scripts.h"

namespace segments {

namespace {

using redis::Reply;

const std::string events_key = "segments:events";  // also the channel on which new ids are published

void add_words(std::vector<std::string>& words, const Event& event) {
  words.push_back(event.type);
  words.push_back(event.user_id);
  words.push_back(event.job_id.value_or(""));
  words.push_back(std::to_string(event.at));
  words.push_back(event.data);
}

std::int64_t number_of(std::string_view text) {
  auto number = parse_integer(text);
  if (!number) throw Error(ErrorKind::internal, "An event in Redis is not as this program writes it.");
  return *number;
}

// [id, [name, value, …]]
Event event_of(const Reply& entry) {
  if (entry.items.size() != 2)
    throw Error(ErrorKind::internal, "Redis answered with something that is no event.");
  Event event;
  const auto& id = entry.items[0].text;
  event.id = number_of(std::string_view(id).substr(0, id.find('-')));
  const auto& fields = entry.items[1].items;
  for (std::size_t i = 0; i + 1 < fields.size(); i += 2) {
    const auto& name = fields[i].text;
    const auto& value = fields[i + 1].text;
    if (name == "type") event.type = value;
    if (name == "user") event.user_id = value;
    if (name == "job") event.job_id = value;
    if (name == "data") event.data = value;
    if (name == "at") event.at = number_of(value);
  }
  return event;
}

EventView view_of(const Reply& reply) {
  if (reply.items.size() != 3)
    throw Error(ErrorKind::internal, "Redis answered with something that are no events.");
  EventView view{reply.items[0].integer, reply.items[1].integer, {}};
  for (const auto& entry : reply.items[2].items) view.events.push_back(event_of(entry));
  return view;
}

}  // namespace

RedisEventLog::RedisEventLog(redis::Client& client) : client_(client) {}

std::int64_t RedisEventLog::append_event(const Event& event) {
  std::vector<std::string> words;
  add_words(words, event);
  return client_.run(redis_events::append_script(), {&events_key, 1}, words).integer;
}

std::int64_t RedisEventLog::append_event_once(const Event& event, const Attempt& attempt) {
  std::vector<std::string> words;
  add_words(words, event);
  words.push_back(std::to_string(attempt.lane));
  words.push_back(std::to_string(attempt.number));
  const std::string keys[] = {events_key, events_key + ":from:" + attempt.writer};
  return client_.run(redis_events::append_script(), keys, words).integer;
}

EventView RedisEventLog::read(const EventFilter& filter, std::int64_t after, std::size_t limit,
                              bool is_last) {
  std::vector<std::string> keys = {events_key};
  std::vector<std::string> words = {std::to_string(after), std::to_string(limit), is_last ? "last" : "next"};
  if (filter.job_id) {
    // A job's events are few: its index is the one to walk when both are given.
    keys.push_back(events_key + ":job:" + *filter.job_id);
    if (filter.user_id) words.push_back(*filter.user_id);
  } else if (filter.user_id) {
    keys.push_back(events_key + ":user:" + *filter.user_id);
  }
  return view_of(client_.run(redis_events::read_script(), keys, words));
}

EventView RedisEventLog::view_events(const EventFilter& filter, std::int64_t after, std::size_t limit) {
  return read(filter, after, limit, false);
}

EventView RedisEventLog::view_last_event(std::string_view job_id) {
  return read({.user_id = {}, .job_id = std::string(job_id)}, 0, 1, true);
}

std::vector<Event> RedisEventLog::list_events(const EventFilter& filter, std::int64_t after,
                                              std::size_t limit) {
  return view_events(filter, after, limit).events;
}

std::optional<Event> RedisEventLog::find_last_event(std::string_view job_id) {
  auto view = view_last_event(job_id);
  if (view.events.empty()) return std::nullopt;
  return std::move(view.events.front());
}

std::int64_t RedisEventLog::newest_event_id() {
  return view_events({}, 0, 0).newest;
}

std::int64_t RedisEventLog::oldest_event_id() {
  return view_events({}, 0, 0).oldest;
}

void RedisEventLog::trim(std::string_view by, std::int64_t bound) {
  // In parts: nobody else is served while a script runs.
  const std::string words[] = {std::string(by), std::to_string(bound),
                               std::to_string(redis_events::trimmed_at_once)};
  while (client_.run(redis_events::trim_script(), {&events_key, 1}, words).integer ==
         redis_events::trimmed_at_once) {
  }
}

void RedisEventLog::remove_events_before(Millis before) {
  trim("at", before);
}

void RedisEventLog::remove_events_below(std::int64_t id) {
  trim("id", id);
}

void RedisEventLog::on_new_events(std::function<void()> notify) {
  std::lock_guard lock(listener_mutex_);
  subscriber_.reset();
  if (!notify) return;
  redis::Subscriber::Listener listener{[notify](std::string_view, std::string_view) { notify(); }, notify};
  subscriber_ = std::make_unique<redis::Subscriber>(client_.url(), std::vector{events_key},
                                                    std::vector<std::string>{}, std::move(listener));
}

void RedisEventLog::check_writable() {
  client_.ask({"SET", events_key + ":check", "1", "PX", "1000"});
}

std::int64_t RedisEventLog::copy_events(const Copy& copy) {
  std::vector<std::string> words = {std::to_string(copy.after), std::to_string(copy.announce_above),
                                    std::to_string(copy.newest)};
  for (const auto& event : copy.events) {
    words.push_back(std::to_string(event.id));
    add_words(words, event);
  }
  return client_.run(redis_events::copy_script(), {&events_key, 1}, words).integer;
}

void RedisEventLog::clear(std::int64_t newest) {
  const std::string word = std::to_string(newest);
  client_.run(redis_events::clear_script(), {&events_key, 1}, {&word, 1});
}

}  // namespace segments
