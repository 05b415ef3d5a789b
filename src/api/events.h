// Both event streams, fed from the one durable log. The hub is the log's only listener: it reads each new
// event once and hands it to whom it concerns. A subscriber costs its connection and an entry here, never a
// thread.
#pragma once

#include <cstdint>
#include <memory>
#include <optional>
#include <string>
#include <string_view>

#include "base/metrics.h"
#include "http/event_stream.h"
#include "http/request.h"
#include "http/response.h"
#include "store/event_log.h"
#include "store/video_store.h"

namespace segments {

struct Api;

Response stream_job_progress(const Request&, Api&);   // GET /api/job-progress/{job_id}/stream
Response stream_events(const Request&, Api&);         // GET /api/events
Response create_stream_ticket(const Request&, Api&);  // POST /api/stream-tickets

struct StreamQuery {
  std::optional<std::string> ticket;
  std::optional<std::string> last_event_id;
};
BOOST_DESCRIBE_STRUCT(StreamQuery, (), (ticket, last_event_id))
constexpr Rule rule_of(Describes<StreamQuery>, std::string_view member) {
  if (member == "ticket")
    return {.max_length = 1'024, .about = "From POST /api/stream-tickets, instead of the header"};
  return {.max_length = 1'024, .one_line = false, .about = "As the header Last-Event-ID, which comes first"};
}

struct StreamTicket {
  std::string ticket;
  std::string expires_at;
};
BOOST_DESCRIBE_STRUCT(StreamTicket, (), (ticket, expires_at))

// What one stream wants.
struct Subscription {
  std::optional<std::string> user_id;         // without it and without a job: everybody's events
  std::optional<std::string> job_id;          // then the stream ends with the job
  std::optional<std::int64_t> last_event_id;  // the last that the client has seen
  std::int64_t newest_event_id = 0;  // when it asked: without last_event_id it is sent what came after
};

class EventHub {
 public:
  EventHub(EventLog&, VideoStore&, Metrics&);
  ~EventHub();  // closes all streams
  // Takes the stream and returns at once. Any thread.
  void subscribe(std::shared_ptr<EventStream>, Subscription);

 private:
  class Core;
  std::shared_ptr<Core> core_;
};

}  // namespace segments
