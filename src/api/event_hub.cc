#include <algorithm>
#include <condition_variable>
#include <list>
#include <mutex>
#include <thread>
#include <unordered_map>
#include <vector>

#include "api/events.h"
#include "base/batch.h"
#include "base/log.h"
#include "describe/encode.h"
#include "model/video.h"

namespace segments {

namespace {

using Bytes = std::shared_ptr<const std::string>;

constexpr std::size_t page_size = 256;
// The first of many streams are not to wait until the last has its event queued.
constexpr std::size_t sent_together = 512;
// A reader that keeps up takes a page of a replay in far less; one that does not is cut off by its stream and
// resumes.
constexpr auto replay_pause = std::chrono::milliseconds(20);

bool is_final_event(const Event& event) {
  return event.type == "job.completed" || event.type == "job.failed" || event.type == "job.cancelled";
}

Bytes bytes_of(const Event& event, bool as_progress) {
  return std::make_shared<const std::string>(
      format_event(std::to_string(event.id), as_progress ? "progress" : event.type, event.data));
}

JobProgress progress_of(const Video& video) {
  JobProgress progress;
  progress.job_id = video.video_id;
  progress.stage = video.stage;
  if (video.status == VideoStatus::COMPLETED) progress.stage = "completed";
  if (video.status == VideoStatus::FAILED) progress.stage = "failed";
  if (video.status == VideoStatus::CANCELLED) progress.stage = "cancelled";
  progress.message = video.message.value_or("");
  progress.progress_percentage = video.progress;
  progress.timestamp = video.updated_at;
  if (video.status == VideoStatus::COMPLETED) progress.output_urls = video.output_s3_urls;
  progress.error_message = video.error_message;
  return progress;
}

}  // namespace

// One thread owns all subscribers, so that between the replay of one and what goes to all there is neither a
// gap nor a repeat: nothing else moves while it passes from the one to the other.
class EventHub::Core : public std::enable_shared_from_this<EventHub::Core> {
 public:
  Core(EventLog& log, VideoStore& videos, Metrics& metrics)
      : log_(log),
        videos_(videos),
        open_(metrics.gauge("segments_event_streams", "Event streams that are open")),
        sent_(metrics.counter("segments_events_sent_total", "Events sent to streams")) {}

  void start() {
    thread_ = std::thread([this] { run(); });
    log_.on_new_events([weak = weak_from_this()] {
      auto core = weak.lock();
      if (!core) return;
      std::lock_guard lock(core->mutex_);
      core->has_new_events_ = true;
      core->wake_.notify_one();
    });
  }

  void stop() {
    log_.on_new_events({});
    {
      std::lock_guard lock(mutex_);
      is_stopping_ = true;
      wake_.notify_one();
    }
    thread_.join();
  }

  void subscribe(std::shared_ptr<EventStream> stream, Subscription subscription) {
    std::lock_guard lock(mutex_);
    if (is_stopping_) return stream->close();
    arrivals_.push_back({next_number_++, std::move(stream), std::move(subscription)});
    wake_.notify_one();
  }

 private:
  struct Subscriber {
    std::int64_t number;
    std::shared_ptr<EventStream> stream;
    Subscription wants;
    std::int64_t seen = 0;  // id of the last event that was sent or passed over
    bool is_replaying = false;
  };
  using Place = std::list<Subscriber>::iterator;

  void run() {
    Batch sent([] {});  // ends with hand_over()
    std::unique_lock lock(mutex_);
    while (!is_stopping_) {
      auto is_wanted = [&] {
        return is_stopping_ || has_new_events_ || !arrivals_.empty() || !departures_.empty();
      };
      if (replaying_.empty())
        wake_.wait(lock, is_wanted);
      else
        wake_.wait_for(lock, replay_pause, is_wanted);
      auto arrivals = std::exchange(arrivals_, {});
      auto departures = std::exchange(departures_, {});
      bool has_new_events = std::exchange(has_new_events_, false);
      lock.unlock();
      work(arrivals, departures, has_new_events);
      hand_over();  // and let go of what it read
      lock.lock();
    }
    lock.unlock();
    for (auto& subscriber : subscribers_) subscriber.stream->close();
    for (auto& arrival : arrivals_) arrival.stream->close();
  }

  void work(std::vector<Subscriber>& arrivals, const std::vector<std::int64_t>& departures,
            bool has_new_events) {
    for (auto number : departures)
      if (auto found = by_number_.find(number); found != by_number_.end()) drop(found->second);
    try {
      if (subscribers_.empty())
        position_ = log_.newest_event_id();
      else if (has_new_events)
        dispatch();
    } catch (const std::exception& error) {
      // Nothing is lost: the position has not moved, and the next round reads again.
      log_error("events.read_failed", {{"detail", error.what()}});
      read_again();
      // Without a position a newcomer could get all that ever happened.
      if (subscribers_.empty())
        for (auto& arrival : std::exchange(arrivals, {})) arrival.stream->close();
    }
    for (auto& arrival : arrivals) guard(arrival.stream, [&] { take(std::move(arrival)); });
    for (auto place : std::vector<Place>(replaying_)) guard(place->stream, [&] { replay(place); });
    open_.set(static_cast<double>(subscribers_.size()));
  }

  // One subscriber's trouble ends its stream (it comes back with Last-Event-ID), not the hub.
  // The stream is copied: f may end its last other owner.
  template <class F>
  void guard(std::shared_ptr<EventStream> stream, F&& f) {  // NOLINT(performance-unnecessary-value-param)
    try {
      f();
    } catch (const std::exception& error) {
      log_error("events.stream_failed", {{"detail", error.what()}});
      stream->close();
    }
    hand_over();
  }

  // What was sent up to here goes out.
  void hand_over() {
    sent_since_ = 0;
    Batch::of_this_thread()->end();
  }

  void read_again() {
    std::this_thread::sleep_for(std::chrono::milliseconds(100));  // the store is in trouble: not a busy loop
    std::lock_guard lock(mutex_);
    has_new_events_ = true;
  }

  void dispatch() {
    while (true) {
      auto events = log_.list_events({}, position_, page_size);
      for (const auto& event : events) {
        dispatch(event);
        position_ = event.id;
      }
      hand_over();  // the next read may take its time
      if (events.size() < page_size) return;
    }
  }

  void dispatch(const Event& event) {
    Bytes own_name, as_progress;
    auto send_all = [&](const std::unordered_multimap<std::string, Place>& index, const std::string& key,
                        bool is_job) {
      auto [from, to] = index.equal_range(key);
      while (from != to) {
        auto place = (from++)->second;  // sending may end a subscription, and that entry with it
        if (place->is_replaying || place->seen >= event.id) continue;
        Bytes& bytes = is_job ? as_progress : own_name;
        if (!bytes) bytes = bytes_of(event, is_job);
        send(place, event, bytes);
      }
    };
    send_all(by_user_, event.user_id, false);
    send_all(by_user_, "", false);
    if (event.job_id) send_all(by_job_, *event.job_id, true);
  }

  void send(Place place, const Event& event, Bytes bytes) {
    place->seen = event.id;
    sent_.add();
    if (++sent_since_ >= sent_together) hand_over();
    bool is_open = place->stream->send(std::move(bytes));
    bool is_over = place->wants.job_id && is_final_event(event);
    if (is_over) place->stream->close();
    if (is_over || !is_open) drop(place);
  }

  void drop(Place place) {
    auto forget = [&](std::unordered_multimap<std::string, Place>& index, const std::string& key) {
      auto [from, to] = index.equal_range(key);
      auto found = std::find_if(from, to, [&](const auto& entry) { return entry.second == place; });
      if (found != to) index.erase(found);
    };
    if (place->wants.job_id)
      forget(by_job_, *place->wants.job_id);
    else
      forget(by_user_, place->wants.user_id.value_or(""));
    std::erase(replaying_, place);
    by_number_.erase(place->number);
    subscribers_.erase(place);
  }

  void take(Subscriber&& arrival) {
    auto stream = arrival.stream;
    auto number = arrival.number;
    auto place = subscribers_.insert(subscribers_.end(), std::move(arrival));
    by_number_.emplace(number, place);
    if (place->wants.job_id)
      by_job_.emplace(*place->wants.job_id, place);
    else
      by_user_.emplace(place->wants.user_id.value_or(""), place);
    stream->on_closed([weak = weak_from_this(), number] {
      if (auto core = weak.lock()) core->leave(number);
    });
    begin(place);
  }

  // Decides where the stream starts. Everything but a job's last state begins as a replay, if of nothing: so
  // what became visible between the request and now is not lost.
  void begin(Place place) {
    const auto& wants = place->wants;
    place->seen = wants.last_event_id.value_or(wants.newest_event_id);
    if (wants.last_event_id) {
      // Ids that are not in the log any more, or never were: what the client knows is of no use.
      auto oldest = log_.oldest_event_id();
      auto newest = log_.newest_event_id();
      if (*wants.last_event_id <= newest && *wants.last_event_id + 1 >= oldest) return start_replay(place);
      std::string id = std::to_string(newest);
      place->stream->send(
          std::make_shared<const std::string>(format_event(id, "reset", "{\"newest\":" + id + "}")));
      place->seen = newest;
    }
    if (wants.job_id)
      send_last_state(place);
    else
      start_replay(place);
  }

  void start_replay(Place place) {
    place->is_replaying = true;
    replaying_.push_back(place);
  }

  // A late subscriber gets the job's last state at once, from the record once its events are gone.
  void send_last_state(Place place) {
    auto newest = log_.newest_event_id();
    auto last = log_.find_last_event(*place->wants.job_id);
    if (!last) {
      auto video = videos_.find_video(*place->wants.job_id);
      if (!video) return place->stream->close();
      last = Event{newest,
                   is_final(video->status) ? "job.completed" : "job.progress",
                   video->user_id,
                   video->video_id,
                   encode(progress_of(*video)),
                   0};
    }
    auto bytes = bytes_of(*last, true);
    send(place, *last, std::move(bytes));
  }

  // One page of what the subscriber has missed. What became visible since is part of it, so that the stream
  // is live when a page is not full.
  void replay(Place place) {
    EventFilter filter{place->wants.user_id, place->wants.job_id};
    if (filter.job_id) filter.user_id.reset();
    auto number = place->number;
    // Asked before the events are read: the event that ends the job, if it is new, is then among them.
    bool is_over = filter.job_id && is_over_job(*filter.job_id);
    auto events = log_.list_events(filter, place->seen, page_size);
    for (const auto& event : events) {
      send(place, event, bytes_of(event, filter.job_id.has_value()));
      if (!by_number_.contains(number)) return;
    }
    if (events.size() == page_size) return;
    place->is_replaying = false;
    std::erase(replaying_, place);
    if (!is_over || !events.empty()) return;
    // A client that saw the job's end came back: there is nothing to wait for.
    place->stream->close();
    drop(place);
  }

  bool is_over_job(const std::string& job_id) {
    auto video = videos_.find_video(job_id);
    return !video || is_final(video->status);
  }

  void leave(std::int64_t number) {
    std::lock_guard lock(mutex_);
    departures_.push_back(number);
    wake_.notify_one();
  }

  EventLog& log_;
  VideoStore& videos_;
  Gauge& open_;
  Counter& sent_;

  std::mutex mutex_;
  std::condition_variable wake_;
  std::vector<Subscriber> arrivals_;
  std::vector<std::int64_t> departures_;
  std::int64_t next_number_ = 1;
  bool has_new_events_ = false;
  bool is_stopping_ = false;

  // The thread's own.
  std::list<Subscriber> subscribers_;
  std::unordered_map<std::int64_t, Place> by_number_;
  std::unordered_multimap<std::string, Place> by_user_, by_job_;
  std::vector<Place> replaying_;
  std::size_t sent_since_ = 0;
  std::int64_t position_ = 0;  // everything up to here went to those who are live
  std::thread thread_;
};

EventHub::EventHub(EventLog& log, VideoStore& videos, Metrics& metrics)
    : core_(std::make_shared<Core>(log, videos, metrics)) {
  core_->start();
}
EventHub::~EventHub() {
  core_->stop();
}
void EventHub::subscribe(std::shared_ptr<EventStream> stream, Subscription subscription) {
  core_->subscribe(std::move(stream), std::move(subscription));
}

}  // namespace segments
