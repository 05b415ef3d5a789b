#include "api/routes.h"

#include "api/cors.h"
#include "api/handlers.h"
#include "api/jobs.h"
#include "api/media.h"
#include "api/operations.h"
#include "api/route.h"
#include "api/segments.h"
#include "api/social.h"
#include "api/uploads.h"
#include "api/videos.h"

namespace segments {

namespace {

// Reading it would keep the other requests of the thread waiting.
bool has_long_body(const Request& request) {
  constexpr std::size_t long_bytes = 16 * 1024;
  return request.body.size() > long_bytes;
}

bool is_slow_link(const Request& request) {
  return has_long_body(request) || waits_for_counts(request);
}

}  // namespace

// Reads of a few rows take microseconds and run inline, as do changes whose answers are there later
// (Later); what reads many, commits and waits, or waits for a disk, runs on the pool.
const std::vector<ApiRoute>& api_routes() {
  constexpr auto inline_ = Runs::inline_;
  constexpr auto on_pool = Runs::on_pool;
  constexpr auto open = Access::open;
  // clang-format off
  static const std::vector<ApiRoute> routes = {
    {.method = "POST", .pattern = "/api/segments", .handler = create_segment, .runs = inline_, .waits = has_long_body, .id = "create_segment", .tag = "segments",
     .summary = "Create a segment", .body = body_schema<CreateSegment>("CreateSegment"), .answer = answer_schema<Segment>("Segment"),
     .status = 201, .faults = {404, 409}, .headers = {"Idempotency-Key"}},
    {.method = "GET", .pattern = "/api/segments", .handler = list_segments, .runs = inline_, .id = "list_segments", .tag = "segments",
     .summary = "The user's segments, filtered, in order, by pages", .query = query_schema<SegmentFilters>(),
     .answer = answer_schema<SegmentList>("SegmentList"), .faults = {304, 400}, .headers = {"If-None-Match"}},
    {.method = "GET", .pattern = "/api/segments/{segment_id}", .handler = get_segment, .runs = inline_, .waits_later = true, .id = "get_segment", .tag = "segments",
     .summary = "A segment", .answer = answer_schema<Segment>("Segment"), .faults = {304}, .headers = {"If-None-Match"}},
    {.method = "PUT", .pattern = "/api/segments/{segment_id}", .handler = update_segment, .runs = inline_, .waits = has_long_body, .id = "update_segment", .tag = "segments",
     .summary = "Change title, description or tags: what is given changes, null clears, the rest stays",
     .body = body_schema<UpdateSegment>("UpdateSegment"), .answer = answer_schema<Segment>("Segment"), .faults = {412}, .headers = {"If-Match"}},
    {.method = "PATCH", .pattern = "/api/segments/{segment_id}", .handler = update_segment, .runs = inline_, .waits = has_long_body, .id = "patch_segment", .tag = "segments",
     .summary = "The same as PUT",
     .body = body_schema<UpdateSegment>("UpdateSegment"), .answer = answer_schema<Segment>("Segment"), .faults = {412}, .headers = {"If-Match"}},
    {.method = "DELETE", .pattern = "/api/segments/{segment_id}", .handler = remove_segment, .runs = on_pool, .id = "remove_segment", .tag = "segments",
     .summary = "Remove a segment", .query = query_schema<RemoveSegmentQuery>(), .answer = answer_schema<Message>("Message"),
     .faults = {412}, .headers = {"If-Match"}},
    {.method = "GET", .pattern = "/api/segments/{segment_id}/download", .handler = download_segment, .runs = inline_, .id = "download_segment",
     .tag = "segments", .summary = "An address to download the segment from; counts the download",
     .query = query_schema<AddressQuery>(), .answer = answer_schema<DownloadAddress>("DownloadAddress")},
    {.method = "POST", .pattern = "/api/segments/{segment_id}/download", .handler = download_segment, .runs = inline_, .id = "post_download_segment",
     .tag = "segments", .summary = "The same as GET", .query = query_schema<AddressQuery>(), .answer = answer_schema<DownloadAddress>("DownloadAddress")},
    {.method = "GET", .pattern = "/api/segments/{segment_id}/play", .handler = play_segment, .runs = inline_, .id = "play_segment", .tag = "segments",
     .summary = "An address to play the segment from", .query = query_schema<AddressQuery>(), .answer = answer_schema<PlayAddress>("PlayAddress")},
    {.method = "GET", .pattern = "/api/videos/{video_id}/segments", .handler = list_video_segments, .runs = on_pool, .id = "list_video_segments",
     .tag = "segments", .summary = "All segments of a video, by number", .query = query_schema<VideoSegmentsQuery>(),
     .answer = answer_schema<SegmentList>("SegmentList")},

    {.method = "POST", .pattern = "/api/segments/{segment_id}/social-media", .handler = link_post, .runs = inline_, .waits = is_slow_link, .id = "link_post", .tag = "social media",
     .summary = "Link a post by its id or address, and sync its counts; with neither, sync the posts that are linked", .query = query_schema<LinkQuery>(),
     .body = body_schema<LinkPost>("LinkPost"), .answer = answer_schema<Segment>("Segment"), .faults = {409, 429}},
    {.method = "POST", .pattern = "/api/segments/{segment_id}/social-media-usage", .handler = report_usage, .runs = on_pool, .id = "report_usage", .tag = "social media",
     .summary = "Tell a post's counts; without a post they are about the platform's only post, or about one named reported:{platform}",
     .body = body_schema<ReportUsage>("ReportUsage"), .answer = answer_schema<Segment>("Segment")},
    {.method = "DELETE", .pattern = "/api/segments/{segment_id}/social-media/{platform}", .handler = unlink_posts, .runs = on_pool, .id = "unlink_posts",
     .tag = "social media", .summary = "Unlink a platform's posts, or one of them; their history stays", .query = query_schema<UnlinkQuery>(),
     .answer = answer_schema<UnlinkedPosts>("UnlinkedPosts"), .faults = {422}},
    {.method = "GET", .pattern = "/api/segments/{segment_id}/social-media/history", .handler = list_history, .runs = inline_, .id = "list_history",
     .tag = "social media", .summary = "Every reading of the segment's posts, oldest first", .query = query_schema<HistoryQuery>(),
     .answer = answer_schema<SegmentHistory>("SegmentHistory")},
    {.method = "GET", .pattern = "/api/segments/{segment_id}/analytics", .handler = get_analytics, .runs = inline_, .id = "get_analytics", .tag = "social media",
     .summary = "What the segment's posts add up to", .answer = answer_schema<SegmentAnalytics>("SegmentAnalytics")},
    {.method = "POST", .pattern = "/api/social-media/sync", .handler = sync_all, .runs = on_pool, .id = "sync_all", .tag = "social media",
     .summary = "Sync the posts of all the user's segments", .body = body_schema<SyncRequest>("SyncRequest"), .body_may_miss = true,
     .answer = answer_schema<QueuedTask>("QueuedTask"), .status = 202, .faults = {429}},

    {.method = "POST", .pattern = "/api/upload/initiate", .handler = initiate_upload, .runs = on_pool, .id = "initiate_upload", .tag = "uploads",
     .summary = "Begin an upload: where to PUT the bytes", .body = body_schema<InitiateUpload>("InitiateUpload"),
     .answer = answer_schema<UploadTicket>("UploadTicket"), .faults = {413}},
    {.method = "POST", .pattern = "/api/upload/initiate-multipart", .handler = initiate_multipart_upload, .runs = on_pool, .id = "initiate_multipart_upload",
     .tag = "uploads", .summary = "Begin an upload in parts", .body = body_schema<InitiateUpload>("InitiateUpload"),
     .answer = answer_schema<MultipartTicket>("MultipartTicket"), .faults = {413}},
    {.method = "POST", .pattern = "/api/upload/part", .handler = presign_upload_part, .runs = on_pool, .id = "presign_upload_part", .tag = "uploads",
     .summary = "Where to PUT one part", .body = body_schema<PresignPart>("PresignPart"), .answer = answer_schema<PartTicket>("PartTicket"), .faults = {404}},
    {.method = "POST", .pattern = "/api/upload/finalize-multipart", .handler = finalize_multipart_upload, .runs = on_pool, .id = "finalize_multipart_upload",
     .tag = "uploads", .summary = "Join the parts", .body = body_schema<FinalizeUpload>("FinalizeUpload"),
     .answer = answer_schema<FinalizedUpload>("FinalizedUpload"), .faults = {404, 409}},
    {.method = "POST", .pattern = "/api/upload/abort-multipart", .handler = abort_multipart_upload, .runs = on_pool, .id = "abort_multipart_upload", .tag = "uploads",
     .summary = "Give up an upload in parts", .body = body_schema<AbortUpload>("AbortUpload"), .answer = answer_schema<AbortedUpload>("AbortedUpload"), .faults = {404}},
    {.method = "POST", .pattern = "/api/upload/complete", .handler = complete_upload, .runs = on_pool, .id = "complete_upload", .tag = "uploads",
     .summary = "The bytes are there: cut the video. Twice is as good as once", .body = body_schema<CompleteUpload>("CompleteUpload"),
     .answer = answer_schema<CompletedUpload>("CompletedUpload"), .faults = {404, 409}},
    {.method = "POST", .pattern = "/api/upload/complete-multipart", .handler = complete_upload, .runs = on_pool, .id = "complete_multipart_upload",
     .tag = "uploads", .summary = "Join the parts, unless they are joined, and cut the video", .body = body_schema<CompleteUpload>("CompleteUpload"),
     .answer = answer_schema<CompletedUpload>("CompletedUpload"), .faults = {404, 409}},
    {.method = "POST", .pattern = "/api/video/analyze-duration", .handler = analyze_duration, .runs = on_pool, .id = "analyze_duration", .tag = "uploads",
     .summary = "How many segments the cutting options would give", .body = body_schema<AnalyzeDuration>("AnalyzeDuration"),
     .answer = answer_schema<DurationAnalysis>("DurationAnalysis"), .faults = {404}},

    {.method = "GET", .pattern = "/api/videos", .handler = list_videos, .runs = inline_, .id = "list_videos", .tag = "videos",
     .summary = "The user's videos, newest first", .query = query_schema<VideoListQuery>(), .answer = answer_schema<VideoList>("VideoList")},
    {.method = "GET", .pattern = "/api/videos/{video_id}", .handler = get_video, .runs = inline_, .id = "get_video", .tag = "videos",
     .summary = "A video", .answer = answer_schema<Video>("Video")},
    {.method = "DELETE", .pattern = "/api/videos/{video_id}", .handler = remove_video, .runs = on_pool, .id = "remove_video", .tag = "videos",
     .summary = "Remove a video with its segments and objects", .answer = answer_schema<RemovedVideo>("RemovedVideo")},
    {.method = "POST", .pattern = "/api/videos/url", .handler = presign_video_url, .runs = inline_, .id = "presign_video_url", .tag = "videos",
     .summary = "An address to play one of the user's own objects from", .body = body_schema<PresignVideo>("PresignVideo"),
     .answer = answer_schema<VideoUrl>("VideoUrl"), .faults = {404}},

    {.method = "GET", .pattern = "/api/jobs/{job_id}/status", .handler = get_job_status, .runs = inline_, .id = "get_job_status", .tag = "jobs",
     .summary = "How a video's cutting stands", .answer = answer_schema<JobStatus>("JobStatus")},
    {.method = "POST", .pattern = "/api/jobs/{job_id}/cancel", .handler = cancel_job, .runs = on_pool, .id = "cancel_job", .tag = "jobs",
     .summary = "Cancel a job", .answer = answer_schema<JobStatus>("JobStatus"), .faults = {409}},
    {.method = "GET", .pattern = "/api/job-progress/{job_id}/stream", .handler = stream_job_progress, .runs = inline_, .access = Access::with_ticket,
     .id = "stream_job_progress", .tag = "jobs", .summary = "A job's events, named progress, until it ends", .query = query_schema<StreamQuery>(),
     .answer = answer_schema<JobProgress>("JobProgress"), .content_type = "text/event-stream", .headers = {"Last-Event-ID"}},
    {.method = "GET", .pattern = "/api/events", .handler = stream_events, .runs = inline_, .access = Access::with_ticket, .id = "stream_events", .tag = "events",
     .summary = "The user's events: segment.created, segment.updated, segment.deleted, social.synced, job.progress, job.completed, job.failed, job.cancelled; reset where a resume is not possible",
     .query = query_schema<StreamQuery>(), .content_type = "text/event-stream", .headers = {"Last-Event-ID"}},
    {.method = "POST", .pattern = "/api/stream-tickets", .handler = create_stream_ticket, .runs = inline_, .id = "create_stream_ticket", .tag = "events",
     .summary = "A ticket for streams, good for 60 s and for as many streams as are opened within", .answer = answer_schema<StreamTicket>("StreamTicket"), .status = 201},
    {.method = "GET", .pattern = "/api/tasks/{task_id}", .handler = get_task, .runs = on_pool, .id = "get_task", .tag = "tasks",
     .summary = "A background task", .answer = answer_schema<TaskState>("Task")},

    {.method = "GET", .pattern = "/media/{key...}", .handler = send_media, .runs = inline_, .access = open, .id = "send_media", .tag = "media",
     .summary = "An object, by a presigned address; ranges are answered", .content_type = "*/*", .faults = {206, 304, 307, 403, 416}, .headers = {"Range", "If-None-Match", "If-Range"}},
    {.method = "PUT", .pattern = "/media/{key...}", .handler = receive_media, .runs = on_pool, .access = open, .id = "receive_media", .tag = "media",
     .summary = "Put an object, or a part of one, by a presigned address", .content_type = "", .faults = {400, 403, 409, 413, 415}},

    {.method = "GET", .pattern = "/health", .handler = get_health, .runs = inline_, .access = open, .id = "get_health", .tag = "operations",
     .summary = "Alive", .answer = answer_schema<Health>("Health")},
    {.method = "GET", .pattern = "/api/health", .handler = get_health, .runs = inline_, .access = open, .id = "get_api_health", .tag = "operations",
     .summary = "Alive", .answer = answer_schema<Health>("Health")},
    {.method = "GET", .pattern = "/ready", .handler = get_ready, .runs = on_pool, .access = open, .id = "get_ready", .tag = "operations",
     .summary = "Whether store, objects, disk, queue and worker are able to work", .answer = answer_schema<ReadinessReport>("Readiness")},
    {.method = "GET", .pattern = "/metrics", .handler = get_metrics, .runs = on_pool, .access = open, .id = "get_metrics", .tag = "operations",
     .summary = "Figures for Prometheus; keep it off the internet", .content_type = "text/plain"},
    {.method = "GET", .pattern = "/openapi.json", .handler = get_openapi, .runs = inline_, .access = open, .id = "get_openapi", .tag = "operations",
     .summary = "This document"},
    {.method = "GET", .pattern = "/docs", .handler = get_docs, .runs = inline_, .access = open, .id = "get_docs", .tag = "operations",
     .summary = "This document for people, to try it", .content_type = "text/html"},
  };
  // clang-format on
  return routes;
}

namespace {

// A parameter that nobody reads would be a filter that silently does nothing.
void refuse_parameters(const ApiRoute& route, const Request& request) {
  if (!route.query && route.access != Access::open) read_query<NoQuery>(request);
}

RouteHandler bind_route(const ApiRoute& route, const std::shared_ptr<Api>& api) {
  RouteHandler bound;
  bound.method = route.method;
  bound.pattern = route.pattern;
  bound.runs = route.runs;
  // What asks nobody (/health) is answered by the I/O threads even where the pool is full.
  bool asks_engines = route.access != Access::open || std::string_view(route.pattern).starts_with("/media/");
  if (api->services.settings.is_behind_network && asks_engines && !route.waits_later)
    bound.runs = Runs::on_pool;
  if (route.waits) bound.waits = route.waits;
  bound.is_public = route.access == Access::open;
  if (auto* receive = std::get_if<std::unique_ptr<BodySink> (*)(const Request&, Services&)>(&route.handler)) {
    bound.receive = [api, call = *receive](const Request& request) { return call(request, api->services); };
  } else if (auto* with_api = std::get_if<Response (*)(const Request&, Api&)>(&route.handler)) {
    bound.handle = [api, &route, call = *with_api](const Request& request) {
      refuse_parameters(route, request);
      return call(request, *api);
    };
  } else {
    auto call = std::get<Response (*)(const Request&, Services&)>(route.handler);
    bound.handle = [api, &route, call](const Request& request) {
      refuse_parameters(route, request);
      return call(request, api->services);
    };
  }
  return bound;
}

}  // namespace

std::unique_ptr<Router> make_router(Services& services) {
  auto api = std::make_shared<Api>(services);
  add_process_metrics(services);
  std::vector<RouteHandler> bound;
  for (const auto& route : api_routes()) bound.push_back(bind_route(route, api));
  RouterOptions options;
  options.admit = [api](Request& request, bool is_public) { api->admission.admit(request, is_public); };
  options.decorate = [api](const Request& request, Response& response) {
    decorate(request, response, api->services.settings);
  };
  options.metrics = &services.metrics;
  return std::make_unique<Router>(std::move(bound), std::move(options));
}

}  // namespace segments
