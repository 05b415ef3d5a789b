#include "api/social.h"

#include <algorithm>

#include "api/handlers.h"
#include "api/present.h"
#include "api/segments.h"
#include "base/later_step.h"
#include "base/log.h"
#include "base/text.h"
#include "http/router.h"
#include "queue/task_names.h"
#include "services/sync_post.h"

namespace segments {

namespace {

void take_sync(const std::string& user, Api& api) {
  if (int wait = api.syncs.take(user, now_ms()))
    throw Error(ErrorKind::rate_limited,
                "At most " + std::to_string(api.syncs.per_minute()) + " syncs a minute; try again in " +
                    std::to_string(wait) + " s.",
                {}, wait);
}

// `user_id`: the segment's owner.
NewTask make_sync_task(const std::string& segment_id, SocialMediaPlatform platform,
                       const std::string& user_id) {
  std::string arguments = "{\"segment_id\":";
  encode(arguments, segment_id);
  arguments += ",\"platform\":";
  encode(arguments, platform);
  arguments += '}';
  return make_task(sync_metrics_task, std::move(arguments), user_id);
}

void note_queued(const Segment& segment, SocialMediaPlatform platform, std::string_view task_id) {
  log_info("social.sync_queued",
           {{"segment_id", segment.segment_id}, {"platform", name_of(platform)}, {"task_id", task_id}});
}

// The answer once the sync is queued, which it names.
Later<Response> queue_sync(VersionedSegment&& stored, SocialMediaPlatform platform, NewTask&& task,
                           const Request& request, Services& services) {
  return services.queue.enqueue_later(std::move(task))
      .then([&request, &services, platform, stored = std::move(stored)](const std::string& task_id) {
        note_queued(stored.segment, platform, task_id);
        Response response = segment_response(stored, request, services);
        response.set("X-Task-Id", task_id);
        return response;
      });
}

// What a platform's refusal means to who waits: the post is linked already, so nothing of the answer hides
// that. Where the sync failed only for now, a task goes on trying, and the answer that is given names it.
std::optional<Response> sync_now(const Segment& segment, const SocialMediaUsage& usage,
                                 const Request& request, Services& services) {
  if (!services.platforms.contains(usage.platform))
    throw Error(ErrorKind::unavailable, std::string(name_of(usage.platform)) + " is not set up.");
  auto error = sync_post(services, segment.segment_id, usage);
  if (!error) return std::nullopt;
  if (error->kind() == ErrorKind::conflict) throw *error;
  const std::string name = name_of(usage.platform);
  if (error->kind() == ErrorKind::not_found)
    throw Error(ErrorKind::conflict, "The post is linked, but " + name + " has no such post.");
  if (error->kind() == ErrorKind::forbidden)
    throw Error(ErrorKind::conflict, "The post is linked, but " + name + " does not let us read it.");
  const std::string task_id =
      services.queue.enqueue(make_sync_task(segment.segment_id, usage.platform, segment.user_id));
  note_queued(segment, usage.platform, task_id);
  Error refusal(
      ErrorKind::unavailable,
      "The post is linked, but " + name + " cannot be read now; task " + task_id + " goes on trying.", {},
      error->retry_after_s());
  Response response = problem_response(refusal, request);
  response.set("X-Task-Id", task_id);
  return response;
}

std::optional<std::string> canonical_time(const std::optional<std::string>& text) {
  if (!text || text->empty()) return std::nullopt;
  auto time = parse_time(*text);
  return time ? std::optional(format_time(*time)) : std::nullopt;
}

const char* sentence_of(PostUrlFault fault) {
  switch (fault) {
    case PostUrlFault::not_a_url:
      return "This is not a web address.";
    case PostUrlFault::unknown_host:
      return "This is not an address of Instagram, TikTok, YouTube, Facebook or X.";
    case PostUrlFault::no_post:
      return "This address does not lead to a post.";
    case PostUrlFault::short_link:
      return "This is a short link: open it and paste the full address that it leads to.";
  }
  return "";
}

// The segment's posts on the platform, of which a sync can be asked.
std::vector<SocialMediaUsage> posts_on(const Segment& segment, SocialMediaPlatform platform) {
  std::vector<SocialMediaUsage> posts;
  for (const auto& usage : segment.social_media_usage)
    if (usage.platform == platform && usage.post_id) posts.push_back(usage);
  return posts;
}

// The answer after these posts were read.
Response synced_response(const Segment& segment, const std::vector<SocialMediaUsage>& posts,
                         const Request& request, Services& services) {
  for (const auto& usage : posts)
    if (auto refusal = sync_now(segment, usage, request, services)) return std::move(*refusal);
  return segment_response(require_segment(request, services), request, services);
}

// The answer after that one post of the segment's was read.
Response answer_synced(const Segment& segment, const SocialMediaUsage& post, const Request& request,
                       Services& services) {
  auto posts = posts_on(segment, post.platform);
  std::erase_if(posts, [&](const auto& usage) { return usage.post_id != post.post_id; });
  return synced_response(segment, posts, request, services);
}

// Without a post: those that are linked are synced.
Response sync_linked(SocialMediaPlatform platform, bool waits, const Request& request, Api& api) {
  auto stored = require_segment(request, api.services);
  auto posts = posts_on(stored.segment, platform);
  std::erase_if(posts, [](const auto& usage) { return !may_be_post_id(*usage.post_id); });
  if (posts.empty())
    throw invalid_input({{"/post_id", "required", "One of \"post_id\" and \"post_url\" is required."}});
  take_sync(stored.segment.user_id, api);
  if (waits) return synced_response(stored.segment, posts, request, api.services);
  auto task = make_sync_task(stored.segment.segment_id, platform, stored.segment.user_id);
  return later_response(queue_sync(std::move(stored), platform, std::move(task), request, api.services));
}

// Where the counts of the platform's posts are read; std::nullopt where it is not set up.
std::optional<MetricsSource> source_of(SocialMediaPlatform platform, const Services& services) {
  auto found = services.platforms.find(platform);
  return found == services.platforms.end() ? std::nullopt : std::optional(found->second->source());
}

// Every list shows all of a segment's posts, and every sync asks for each.
constexpr std::size_t most_posts = 100;

void check_room_for_post(const Segment& segment, const SocialMediaUsage& usage, const std::string& pointer) {
  const auto& linked = segment.social_media_usage;
  if (linked.size() < most_posts) return;
  bool is_linked = std::ranges::any_of(linked, [&](const SocialMediaUsage& other) {
    return other.platform == usage.platform && other.post_id == usage.post_id;
  });
  if (!is_linked)
    throw invalid_input(
        {{pointer, "length",
          "The segment has " + std::to_string(linked.size()) + " posts already, and may have " +
              std::to_string(most_posts) + " at most: unlink one first."}});
}

}  // namespace

std::optional<Post> resolve_post(SocialMediaPlatform platform, const std::optional<std::string>& post_id,
                                 const std::optional<std::string>& post_url, const std::string& pointer) {
  Faults faults;
  std::optional<Post> post;
  if (post_url) {
    auto parsed = parse_post_url(*post_url);
    if (!parsed.address)
      faults.push_back({pointer + "/post_url", "format", sentence_of(parsed.fault)});
    else if (parsed.address->platform != platform)
      faults.push_back({pointer + "/post_url", "format",
                        "This is an address of " + std::string(name_of(parsed.address->platform)) +
                            ", not of " + name_of(platform) + "."});
    else if (post_id && *post_id != parsed.address->post_id)
      faults.push_back({pointer + "/post_id", "format", "The id is not the one that the address leads to."});
    else
      post = Post{parsed.address->post_id, std::string(trim(*post_url))};
  } else if (post_id && !may_be_post_id(*post_id)) {
    faults.push_back({pointer + "/post_id", "format",
                      "A post's id has letters, digits, \"_\" and \"-\" alone, at most 150."});
  } else if (post_id) {
    post = Post{*post_id, make_post_url(platform, *post_id)};
  }
  if (!faults.empty()) throw invalid_input(std::move(faults));
  return post;
}

bool waits_for_counts(const Request& request) {
  return std::ranges::any_of(request.query, [](const auto& parameter) { return parameter.first == "wait"; });
}

// The post is durable before its sync is queued, by the thread that made it durable. Should the program be
// killed between, the post is due since it was linked, and beat finds it.
Response link_post(const Request& request, Api& api) {
  Services& services = api.services;
  const bool waits = read_query<LinkQuery>(request).wait.value_or(false);
  auto body = read_body<LinkPost>(request);
  user_for(request, body.user_id);
  auto post = resolve_post(body.platform, body.post_id, body.post_url, "");
  if (!post) return sync_linked(body.platform, waits, request, api);
  std::string id(path_id(request, "segment_id", "segment"));
  SocialMediaUsage wanted;
  wanted.platform = body.platform;
  wanted.post_id = post->post_id;
  if (!post->post_url.empty()) wanted.post_url = post->post_url;
  wanted.posted_at = canonical_time(body.posted_at);
  set_unread(wanted, source_of(body.platform, services));
  auto check = [&api, wanted, pointer = body.post_url ? "/post_url" : "/post_id",
                is_counted = false](const Segment& segment) mutable {
    check_room_for_post(segment, wanted, pointer);
    if (!is_counted) take_sync(segment.user_id, api);
    is_counted = true;
  };
  auto linking =
      services.segments.link_post_later(id, std::string(owner_of(request)), wanted, std::move(check));
  if (waits)
    return later_response(std::move(linking).then(
        [&request, &services, id = std::move(id), wanted = std::move(wanted)](LinkedPost&& linked) {
          if (linked.outcome == LinkOutcome::absent) throw not_found("segment", id);
          return answer_synced(linked.segment.segment, wanted, request, services);
        }));
  return later_response(then_begin(
      std::move(linking), [&request, &services, task = make_sync_task(id, body.platform, ""),
                           id = std::move(id), platform = body.platform](LinkedPost&& linked) mutable {
        if (linked.outcome == LinkOutcome::absent) throw not_found("segment", id);
        task.user_id = linked.segment.segment.user_id;
        return queue_sync(std::move(linked.segment), platform, std::move(task), request, services);
      }));
}

Response report_usage(const Request& request, Api& api) {
  Services& services = api.services;
  auto body = read_body<ReportUsage>(request);
  user_for(request, body.user_id);
  std::string id(path_id(request, "segment_id", "segment"));
  if (body.segment_id && !body.segment_id->empty() && *body.segment_id != id)
    throw invalid_input(
        {{"/segment_id", "format", "The segment_id of the body is not the one of the address."}});
  PostData data = body.post_data.value_or(PostData{});
  auto stored = require_segment(request, services);
  auto posts = posts_on(stored.segment, body.platform);

  SocialMediaUsage usage;
  usage.platform = body.platform;
  if (data.post_url) {
    auto post = resolve_post(body.platform, data.post_id, data.post_url, "/post_data");
    usage.post_id = post->post_id;
    usage.post_url = post->post_url;
  } else if (data.post_id) {
    usage.post_id = data.post_id;
    if (may_be_post_id(*data.post_id)) usage.post_url = make_post_url(body.platform, *data.post_id);
  } else {
    // Counts without a post are about the only post there is, else about one of their own: the same each
    // time, so that reporting again does not add a usage.
    usage.post_id =
        posts.size() == 1 ? *posts.front().post_id : "reported:" + std::string(name_of(body.platform));
  }
  usage.posted_at = canonical_time(data.posted_at);
  // An id that no platform can be asked for has its counts from the owner alone.
  set_unread(usage, may_be_post_id(*usage.post_id) ? source_of(body.platform, services)
                                                   : std::optional(MetricsSource::reported));
  check_room_for_post(stored.segment, usage, "/post_data");
  if (services.segments.link_post(id, owner_of(request), usage) == LinkOutcome::absent)
    throw not_found("segment", id);

  if (data.views || data.likes || data.shares || data.comments) {
    MetricsReading reading{data.views, data.likes, data.shares, data.comments, MetricsSource::reported,
                           now_text()};
    services.segments.add_reading(id, body.platform, *usage.post_id, reading);
    note_sync(services, id, body.platform, *usage.post_id, "reported");
  }
  return segment_response(require_segment(request, services), request, services);
}

Response unlink_posts(const Request& request, Services& services) {
  auto query = read_query<UnlinkQuery>(request);
  auto platform = enum_from<SocialMediaPlatform>(request.path_parameter("platform"));
  if (!platform)
    throw invalid_input(
        {{"platform", "enum", "The platform is one of " + names_of<SocialMediaPlatform>() + "."}});
  std::string id = require_segment(request, services).segment.segment_id;
  std::optional<std::string_view> post_id;
  if (query.post_id) post_id = *query.post_id;
  auto count = services.segments.unlink_posts(id, owner_of(request), *platform, post_id);
  if (count == 0)
    throw Error(ErrorKind::not_found,
                "The segment has no such post on " + std::string(name_of(*platform)) + ".");
  return answer(UnlinkedPosts{"Social media post unlinked successfully", count});
}

Response get_analytics(const Request& request, Services& services) {
  return answer(analyse(require_segment(request, services).segment));
}

Response list_history(const Request& request, Services& services) {
  auto query = read_query<HistoryQuery>(request);
  SegmentHistory shown{require_segment(request, services).segment.segment_id, {}};
  auto limit = static_cast<std::size_t>(query.limit.value_or(1'000));
  for (auto& entry : services.segments.list_history(shown.segment_id, limit)) {
    const auto& reading = entry.reading;
    shown.history.push_back({entry.platform, std::move(entry.post_id), reading.views, reading.likes,
                             reading.shares, reading.comments, reading.source, reading.read_at});
  }
  return answer(shown);
}

Response sync_all(const Request& request, Api& api) {
  auto body = read_optional_body<SyncRequest>(request);
  std::string user = user_for(request, body.user_id);
  take_sync(user, api);
  std::string arguments = "{\"user_id\":";
  encode(arguments, user);
  arguments += ",\"platforms\":";
  encode(arguments, body.platforms);
  arguments += '}';
  NewTask task = make_task(batch_sync_task, std::move(arguments), user);
  QueuedTask queued{api.services.queue.enqueue(task), TaskStatus::PENDING};
  Response response = answer(queued, 202);
  response.set("Location", "/api/tasks/" + percent_encode(queued.task_id));
  return response;
}

}  // namespace segments
