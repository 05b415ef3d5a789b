#include "api/events.h"

#include "api/api.h"
#include "api/handlers.h"
#include "base/text.h"

namespace segments {

namespace {

// What is not an id of ours says nothing: the stream begins as for a new client.
std::optional<std::int64_t> last_event_id_of(const Request& request, const StreamQuery& query) {
  std::string_view text = request.header("last-event-id");
  if (text.empty()) text = query.last_event_id ? std::string_view(*query.last_event_id) : "";
  auto id = parse_integer(text);
  return id && *id >= 0 ? id : std::nullopt;
}

Response stream_response(const Request& request, Api& api, const Subscription& subscription) {
  Response response;
  response.set("Content-Type", "text/event-stream; charset=utf-8");
  response.set("Cache-Control", "no-store");
  response.set("X-Accel-Buffering", "no");  // nginx would hold events back
  if (request.method == "HEAD") return response;
  response.stream = [&api, subscription](std::shared_ptr<EventStream> stream) {
    api.events.subscribe(std::move(stream), subscription);
  };
  return response;
}

}  // namespace

Response stream_job_progress(const Request& request, Api& api) {
  auto query = read_query<StreamQuery>(request);
  std::string job_id(path_id(request, "job_id", "job"));
  auto video = api.services.videos.find_video(job_id);
  if (!video || !may_see(request, video->user_id)) throw not_found("job", job_id);
  return stream_response(request, api, {std::nullopt, job_id, last_event_id_of(request, query), 0});
}

Response stream_events(const Request& request, Api& api) {
  auto query = read_query<StreamQuery>(request);
  Subscription subscription{request.user, std::nullopt, last_event_id_of(request, query),
                            api.services.events.newest_event_id()};
  // In auth mode `none` who names no user is shown everybody's, as in the list of videos.
  if (request.trusted && !request.user_named) subscription.user_id.reset();
  return stream_response(request, api, subscription);
}

Response create_stream_ticket(const Request& request, Api& api) {
  Millis now = now_ms();
  Response response = answer(StreamTicket{make_ticket(api.services.settings.auth_secret, request.user, now),
                                          format_time(now + ticket_lifetime)},
                             201);
  response.set("Cache-Control", "no-store");
  return response;
}

}  // namespace segments
