#include "app/admin_move.h"

#include <atomic>
#include <csignal>
#include <filesystem>
#include <memory>

#include "app/admin_table.h"
#include "app/aws_account.h"
#include "app/engines.h"
#include "app/token_secret.h"
#include "base/crypto.h"
#include "base/error.h"
#include "celery/celery_queue.h"
#include "dynamodb/archive.h"
#include "embedded_queue/embedded_queue.h"
#include "move/mover.h"
#include "objects/directory.h"
#include "sqlite/stores.h"

namespace segments {
namespace {

namespace fs = std::filesystem;

std::atomic<bool> is_stopped = false;

// The first signal ends the move where it can go on, the second at once.
void stop_at_signals() {
  struct sigaction action {};
  action.sa_handler = [](int) { is_stopped = true; };
  action.sa_flags = static_cast<int>(SA_RESETHAND);
  for (int signal : {SIGINT, SIGTERM}) sigaction(signal, &action, nullptr);
}

struct OpenPlace {
  virtual ~OpenPlace() = default;
  virtual move::Side side() = 0;
};

class OpenFolder : public OpenPlace {
 public:
  OpenFolder(const Config& config, bool is_source)
      : folder_(prepare(config, is_source)),
        stores_(SqliteOptions{.file = folder_ / "segments.db"}),
        objects_(folder_ / "objects", load_or_make_secret(folder_ / "url.secret")) {}
  move::Side side() override { return {"folder " + folder_.string(), stores_.archive(), objects_}; }

 private:
  // A mistyped source is not to be made anew, with nothing in it.
  static fs::path prepare(const Config& config, bool is_source) {
    if (!is_source)
      make_data_folder(config);
    else if (!fs::is_regular_file(fs::path(config.data_dir) / "segments.db"))
      throw Error(ErrorKind::not_found,
                  "There is no data folder of this program at " + config.data_dir + ".");
    return fs::canonical(config.data_dir);
  }

  fs::path folder_;
  SqliteStores stores_;
  DirectoryObjectStore objects_;
};

class OpenCloud : public OpenPlace {
 public:
  OpenCloud(const Config& config, bool is_source)
      : name_("table " + config.dynamodb_table_name + ", bucket " + config.aws_bucket_name),
        account_(config),
        client_(make_dynamodb_client(account_)),
        table_(*client_, config.dynamodb_table_name),
        archive_(table_),
        objects_(make_s3_store(config, account_)) {
    name_ += ", region " + account_.region();
    require_our_table(table_);
    if (is_source)
      objects_->list_objects("", "", 1);
    else
      objects_->check_bucket();
  }
  move::Side side() override { return {name_, archive_, *objects_}; }

 private:
  std::string name_;
  AwsAccount account_;
  std::unique_ptr<aws::Client> client_;
  dynamodb::Table table_;
  dynamodb::DynamoArchive archive_;
  std::unique_ptr<s3::S3ObjectStore> objects_;
};

std::unique_ptr<OpenPlace> open_place(Place place, const Config& config, bool is_source) {
  if (place == Place::embedded) return std::make_unique<OpenFolder>(config, is_source);
  return std::make_unique<OpenCloud>(config, is_source);
}

// --- Tasks, which do not move ---

std::unique_ptr<TaskQueue> open_queue(const Config& config, redis::Client* redis) {
  if (redis)
    return std::make_unique<celery::CeleryQueue>(*redis,
                                                 celery::CeleryQueueOptions{.queue = config.celery_queue});
  const auto file = fs::path(config.data_dir) / "queue.db";
  return fs::exists(file) ? std::make_unique<EmbeddedQueue>(file) : nullptr;
}

// Whether the source's queue holds none that are not ended.
bool tell_tasks(const Config& config, Place from, std::ostream& out) {
  if (from == Place::aws && config.queue != QueueEngine::redis) {
    out << "Tasks: not looked at; SEGMENTS_QUEUE=redis and REDIS_URL say where the cloud's are.\n";
    return true;
  }
  std::unique_ptr<redis::Client> redis;
  if (config.queue == QueueEngine::redis)
    redis = std::make_unique<redis::Client>(redis_url_of(config), redis::Timeouts{});
  auto queue = open_queue(config, redis.get());
  std::int64_t all = 0;
  if (queue) {
    for (const auto& [name, status, count] : queue->health().counts) {
      if (count == 0 ||
          (status != TaskStatus::PENDING && status != TaskStatus::STARTED && status != TaskStatus::RETRY))
        continue;
      all += count;
      out << "Not ended: " << count << " " << name << " (" << name_of(status) << ")\n";
    }
  }
  if (all == 0) return true;
  out << "Tasks do not move: let the source's workers end them and run this again. Videos that are QUEUED "
         "bring their task along, and due posts are read again; with --leave-tasks the others are given "
         "up.\n";
  return false;
}

// --- What is told at the end ---

std::string short_sum(const KindSum& kind) {
  return kind.count == 0 ? "-" : kind.sum.substr(0, 16);
}

void tell_row(std::ostream& out, std::string_view what, const KindSum& source, const KindSum& target) {
  out << "  " << what << std::string(18 - what.size(), ' ') << source.count << " in the source, "
      << target.count << " in the target, digests " << short_sum(source) << " and " << short_sum(target)
      << (source == target ? "" : "  DIFFERENT") << "\n";
}

void tell_report(const move::Report& report, std::ostream& out) {
  for (std::size_t i = 0; i < record_kinds; ++i)
    tell_row(out, kind_names[i], report.source_records.kinds[i], report.target_records.kinds[i]);
  tell_row(out, "objects", report.source_objects.contents, report.target_objects.contents);
  out << "  bytes             " << report.source_objects.bytes << " in the source, "
      << report.target_objects.bytes << " in the target\n";
  for (const auto& sentence : report.named) out << sentence << "\n";
  if (report.differences > std::ssize(report.named))
    out << "and " << report.differences - std::ssize(report.named) << " other differences\n";
}

int tell_outcome(const move::Report& report, bool are_tasks_ended, std::ostream& out) {
  if (!report.is_alike) {
    if (report.has_changed)
      out << "The source was written to while it was moved. Stop what writes there and run this again: it "
             "copies what has changed.\n";
    else
      out << "Not everything is there.\n";
    return 1;
  }
  out << "Everything is there.\n";
  return are_tasks_ended ? 0 : 1;
}

int compare(move::Mover& mover, std::ostream& out) {
  const auto report = mover.compare();
  tell_report(report, out);
  out << (report.is_alike ? "Both are alike.\n" : "They differ.\n");
  return report.is_alike ? 0 : 1;
}

}  // namespace

int move_everything(const Config& config, const MoveOptions& options, std::ostream& out) {
  if (options.to == Place::embedded && !options.only_compares) {
    make_data_folder(config);
    keep_auth_secret(config);
  }
  auto source = open_place(options.from, config, true), target = open_place(options.to, config, false);
  stop_at_signals();
  move::Options how;
  how.overwrites = options.overwrites;
  how.tell = [&](const std::string& said) { out << said << std::endl; };
  how.is_stopped = [] { return is_stopped.load(); };
  move::Mover mover(source->side(), target->side(), std::move(how));
  if (options.only_compares) return compare(mover, out);
  const auto report = mover.run();
  out << "Passes: " << report.passes << ". Written: " << report.changed_records << " records, "
      << report.copied_objects << " objects of " << report.copied_bytes
      << " bytes. Removed: " << report.removed_records << " records, " << report.removed_objects
      << " objects.\n";
  tell_report(report, out);
  const bool are_tasks_ended = tell_tasks(config, options.from, out) || options.leaves_tasks;
  if (options.to == Place::aws)
    tell_auth_secret(config, options.shows_secret, out);
  else
    out << "Tokens stay good: the data folder holds their secret.\n";
  out << "Not moved: events, tasks, and uploads in parts that are still open.\n";
  return tell_outcome(report, are_tasks_ended, out);
}

}  // namespace segments
