#include "worker/run_folder.h"

#include <unistd.h>

#include <cerrno>
#include <chrono>
#include <optional>
#include <string>
#include <unordered_set>

#include "base/crypto.h"
#include "base/log.h"
#include "base/text.h"

namespace segments {

namespace fs = std::filesystem;

namespace {

constexpr std::size_t max_name_bytes = 200;           // file systems take 255
constexpr std::string_view digest_mark = "%sha256-";  // never a percent-encoded text

bool is_over(const fs::directory_entry& entry, TaskQueue& queue) {
  std::string name = entry.path().filename();
  auto dot = name.rfind('.');
  if (dot == name.npos || !parse_integer(std::string_view(name).substr(dot + 1))) return false;  // not ours
  if (name.starts_with(digest_mark)) {
    // The digest does not give the id back; a run that was not touched for a day is no run.
    std::error_code ignored;
    auto written = fs::last_write_time(entry.path(), ignored);
    return !ignored && fs::file_time_type::clock::now() - written > std::chrono::hours(24);
  }
  auto id = percent_decode(std::string_view(name).substr(0, dot));
  if (!id) return false;
  // The folder was listed before the task is looked up: had a worker just leased it, it would be STARTED.
  auto task = queue.find_task(*id);
  return !task || task->status != TaskStatus::STARTED;
}

}  // namespace

std::string run_folder(const fs::path& work_dir, std::string_view task_id, std::int64_t run) {
  std::string name = percent_encode(task_id);
  if (name.size() > max_name_bytes) name = std::string(digest_mark) + encode_hex(sha256(task_id));
  std::string path = work_dir.string();
  if (!path.ends_with('/')) path += '/';
  return path.append(name).append(".").append(std::to_string(run));
}

namespace {

void remove_run_folder(const std::string& folder) {
  if (rmdir(folder.c_str()) == 0 || errno == ENOENT) return;
  std::error_code error;
  fs::remove_all(folder, error);
  if (error) log_warning("worker.folder_left", {{"folder", folder}, {"error", error.message()}});
}

// Empty where it cannot be said, or would take longer than to try each.
std::optional<std::unordered_set<std::string>> list_folders(const fs::path& work_dir, std::size_t most) {
  std::error_code error;
  std::unordered_set<std::string> found;
  for (fs::directory_iterator entry(work_dir, error), end; !error && entry != end; entry.increment(error)) {
    if (found.size() == most) return std::nullopt;
    found.insert(entry->path().string());
  }
  if (error && error != std::errc::no_such_file_or_directory) return std::nullopt;
  return found;
}

}  // namespace

void remove_run_folders(const fs::path& work_dir, const std::vector<std::string>& folders) {
  // Most short runs have none: of many it is looked up once which have.
  constexpr std::size_t many = 8;
  std::optional<std::unordered_set<std::string>> found;
  if (folders.size() >= many) found = list_folders(work_dir, folders.size());
  for (const auto& folder : folders)
    if (!found || found->contains(folder)) remove_run_folder(folder);
}

void remove_old_run_folders(const fs::path& work_dir, TaskQueue& queue) {
  std::error_code absent;
  for (const auto& entry : fs::directory_iterator(work_dir, absent))
    if (entry.is_directory(absent) && is_over(entry, queue)) remove_run_folder(entry.path().string());
}

}  // namespace segments
