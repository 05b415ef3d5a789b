// What tests of uploads, media, videos and jobs share: the client's steps.
#pragma once

#include <filesystem>
#include <string>
#include <string_view>

#include "api/cloud.h"
#include "api/fixture.h"
#include "base/text.h"
#include "describe/encode.h"

namespace segments::testing {

inline std::string json_text(std::string_view text) {
  std::string out;
  encode_string(out, text);
  return out;
}

inline std::string text_of(const boost::json::value& value) {
  return std::string(value.as_string());
}

template <class Base>
class UploadTestOf : public Base {
 public:
  UploadTestOf() {
    this->probe = [](const std::string&) {
      MediaInfo info;
      info.duration = info.container_duration = 65;
      info.has_video = true;
      return info;
    };
  }

  Answer initiate(std::string_view filename = "clip.mp4", std::string_view type = "video/mp4",
                  std::int64_t size = 0, const std::string& user = "alice") {
    return this->post("/api/upload/initiate",
                      "{\"filename\":" + json_text(filename) + ",\"content_type\":" + json_text(type) +
                          ",\"file_size\":" + std::to_string(size) + "}",
                      user);
  }
  // As the browser does: no token, the file's type.
  Answer put_bytes(const std::string& url, std::string_view bytes, const std::string& type = "video/mp4") {
    Headers headers;
    if (!type.empty()) headers.emplace_back("content-type", type);
    return this->call("PUT", url, std::string(bytes), "", headers);
  }
  static std::string completion(const std::string& job_id, const std::string& key,
                                const std::string& more = "") {
    return "{\"job_id\":" + json_text(job_id) + ",\"s3_key\":" + json_text(key) + (more.empty() ? "" : ",") +
           more + "}";
  }
  // An uploaded and completed video; its id.
  std::string make_video(const std::string& user = "alice", const std::string& filename = "clip.mp4") {
    auto ticket = initiate(filename, "video/mp4", 0, user);
    EXPECT_EQ(ticket.status, 200) << ticket.body;
    EXPECT_EQ(put_bytes(ticket.text("presigned_url"), "bytes of a video").status, 200);
    auto done =
        this->post("/api/upload/complete", completion(ticket.text("job_id"), ticket.text("s3_key")), user);
    EXPECT_EQ(done.status, 200) << done.body;
    return ticket.text("job_id");
  }
  std::vector<LeasedTask> waiting_tasks() { return this->services().queue.lease_tasks("test", 100, 60'000); }
  // Files in the object store's folder that are not whole; in S3 uploads in parts that are not over.
  std::size_t count_unfinished() {
    if (this->cloud_) return this->cloud_->count_open_uploads();
    std::size_t count = 0;
    for (const auto& entry : std::filesystem::recursive_directory_iterator(this->folder()))
      count += entry.path().parent_path().filename() == "incoming";
    return count;
  }
};
using UploadTest = UploadTestOf<ApiTest>;
using TrustedUploadTest = UploadTestOf<TrustedApiTest>;

}  // namespace segments::testing
