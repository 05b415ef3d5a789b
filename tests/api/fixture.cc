#include "api/fixture.h"

#include <strings.h>
#include <unistd.h>

#include <algorithm>
#include <semaphore>

#include "api/cloud.h"
#include "api/schema_check.h"
#include "api/token.h"
#include "base/log.h"
#include "base/text.h"

namespace segments::testing {

namespace {

std::filesystem::path make_folder() {
  std::string pattern = (std::filesystem::temp_directory_path() / "segments-api-XXXXXX").string();
  if (!mkdtemp(pattern.data())) throw std::runtime_error("no temporary folder");
  return pattern;
}

constexpr std::string_view own_origin = "http://api.example:8000";

const OpenApi& documented() {
  static const OpenApi document(make_openapi());
  return document;
}

// The server's pool bounds how many ask AWS at once, and a stand-in on a machine of many tests takes far
// fewer: more than it answers in time would be told that it cannot be reached, not what is tested.
Response call_in_turn(Router& router, Request& request) {
  static std::counting_semaphore<> turns(8);
  turns.acquire();
  std::shared_ptr<void> release(nullptr, [](void*) { turns.release(); });
  return router.call(request);
}

std::string read_range(const FileRange& range) {
  std::string bytes(static_cast<std::size_t>(range.length), '\0');
  auto count = ::pread(range.file->descriptor(), bytes.data(), bytes.size(), range.offset);
  bytes.resize(static_cast<std::size_t>(std::max<ssize_t>(0, count)));
  return bytes;
}

}  // namespace

std::string Answer::header(std::string_view name) const {
  return std::string(response.headers.find(name));
}

std::vector<std::string> Answer::faults() const {
  std::vector<std::string> found;
  if (!json.is_object() || !json.get_object().contains("errors")) return found;
  for (const auto& fault : json.at("errors").as_array())
    found.push_back(std::string(fault.at("pointer").as_string()) + " " +
                    std::string(fault.at("code").as_string()));
  return found;
}

bool Answer::has_fault(std::string_view pointer) const {
  return std::ranges::any_of(
      faults(), [&](const std::string& fault) { return fault.substr(0, fault.rfind(' ')) == pointer; });
}

ApiTest::ApiTest(AuthMode mode) : folder_(make_folder()) {
  set_log_level(LogLevel::off);
  Config config;
  config.data_dir = folder_.string();
  config.auth = mode;
  config.auth_secret = "auth-secret-of-the-tests-32-bytes";
  config.max_upload_bytes = 1 << 30;
  config.social_syncs_per_minute = 0;
  if (is_cloud()) {
    cloud_ = std::make_unique<Cloud>();
    cloud_->configure(config);
  }
  engines_ = std::make_unique<Engines>(config, [this](const std::string& location) {
    return probe ? probe(location) : probe_media(location);
  });
  Services& wired = engines_->services();
  settings_ = wired.settings;
  services_.reset(new Services{.segments = wired.segments,
                               .videos = wired.videos,
                               .events = wired.events,
                               .totals = wired.totals,
                               .objects = wired.objects,
                               .directory = wired.directory,
                               .queue = wired.queue,
                               .platforms = wired.platforms,
                               .metrics = wired.metrics,
                               .probe = wired.probe,
                               .settings = settings_});
  rebuild();
}

ApiTest::~ApiTest() {
  router_.reset();
  services_.reset();
  engines_.reset();
  cloud_.reset();
  std::filesystem::remove_all(folder_);
}

void ApiTest::rebuild() {
  router_.reset();
  router_ = make_router(*services_);
}

std::string ApiTest::token(const std::string& user) {
  return mint_token(settings_.auth_secret, user, now_ms() + 3'600'000, now_ms());
}

Answer ApiTest::call(std::string method, std::string target, std::string body, const std::string& user,
                     Headers headers) {
  if (target.starts_with(own_origin)) target.erase(0, own_origin.size());
  if (target.starts_with("http://")) return call_elsewhere(method, target, body, headers);
  Request request;
  request.method = method;
  request.target = target;
  request.body = body;
  request.remote_address = "127.0.0.1";
  request.headers.emplace_back("host", own_origin.substr(7));
  if (!user.empty() && settings_.auth == AuthMode::token)
    request.headers.emplace_back("authorization", "Bearer " + token(user));
  for (const auto& [name, value] : headers) request.headers.emplace_back(lower_ascii(name), value);

  Answer answer;
  answer.response = cloud_ ? call_in_turn(*router_, request) : router_->call(request);
  answer.status = answer.response.status;
  answer.body = answer.response.file ? read_range(*answer.response.file) : answer.response.body;
  boost::json::error_code error;
  if (!answer.body.empty() && answer.header("Content-Type").find("json") != std::string::npos)
    answer.json = boost::json::parse(answer.body, error);
  EXPECT_FALSE(error) << answer.body;
  EXPECT_NE(answer.status, 500) << method << " " << target << ": " << answer.body;

  // What was sent to a path that exists is answered as the document says.
  std::string path = target.substr(0, target.find('?'));
  bool is_routed = answer.status != 405 && method != "OPTIONS" && !documented().template_of(path).empty();
  if (is_routed)
    for (const auto& fault :
         documented().faults_of(method, path, answer.status, answer.header("Content-Type"), answer.body))
      ADD_FAILURE() << method << " " << target << " answered " << answer.status << ": " << fault << "\n"
                    << answer.body;
  return answer.status == 307 ? call_elsewhere(method, answer.header("Location"), body, headers) : answer;
}

Answer ApiTest::call_elsewhere(const std::string& method, const std::string& url, const std::string& body,
                               const Headers& headers) {
  auto received = s3::send_presigned(url, method, body, headers);
  Answer answer;
  answer.status = answer.response.status = received.status;
  for (const auto& [name, value] : received.headers) answer.response.headers.set(name, value);
  answer.body = received.body;
  return answer;
}

Answer ApiTest::post(std::string target, std::string body, const std::string& user, Headers headers) {
  headers.emplace_back("Content-Type", "application/json");
  return call("POST", std::move(target), std::move(body), user, std::move(headers));
}

Answer ApiTest::put(std::string target, std::string body, const std::string& user, Headers headers) {
  headers.emplace_back("Content-Type", "application/json");
  return call("PUT", std::move(target), std::move(body), user, std::move(headers));
}

std::string ApiTest::create_segment(const std::string& user, const std::string& video_id, int number,
                                    const std::string& more) {
  auto answer = post("/api/segments",
                     R"({"video_id":")" + video_id + R"(","segment_type":"processed","segment_number":)" +
                         std::to_string(number) + R"(,"s3_key":"processed/)" + video_id + "/segment_" +
                         std::to_string(number) + R"(.mp4","duration":12.5,"file_size":1000)" +
                         (more.empty() ? "" : "," + more) +
                         (settings_.auth == AuthMode::none ? ",\"user_id\":\"" + user + "\"" : "") + "}",
                     user);
  EXPECT_EQ(answer.status, 201) << answer.body;
  return answer.status == 201 ? answer.text("segment_id") : "";
}

void ApiTest::put_object(const std::string& key, std::string_view bytes, const std::string& type) {
  auto writer = services().objects.write_object(key, type);
  writer->write(bytes);
  writer->commit();
}

}  // namespace segments::testing
