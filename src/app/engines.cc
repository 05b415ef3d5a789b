#include "app/engines.h"

#include <sys/stat.h>

#include <filesystem>
#include <utility>

#include "base/crypto.h"
#include "dynamodb/stores.h"
#include "embedded_queue/embedded_queue.h"
#include "redis_events/deferred_event_log.h"
#include "redis_events/relayed_event_log.h"
#include "social/simulator.h"
#include "sqlite/stores.h"

namespace segments {
namespace {

namespace fs = std::filesystem;

// Of events that follow a change whose client waits for its answer.
constexpr redis::Timeouts prompt_redis{.connect_ms = 1'000, .answer_ms = 1'000};

fs::path data_file(const Config& config, const char* name) {
  return fs::path(config.data_dir) / name;
}

ServiceSettings make_settings(const Config& config) {
  make_data_folder(config);
  ServiceSettings settings;
  settings.auth = config.auth;
  settings.auth_secret = load_auth_secret(config);
  // Derived, so that none can stand for another.
  settings.cursor_secret = hmac_sha256(settings.auth_secret, "cursors");
  settings.media_secret = hmac_sha256(settings.auth_secret, "media");
  settings.public_url = config.public_url;
  settings.cors_origins = config.cors_origins;
  for (ExtraType type : config.extra_types) settings.extra_types.push_back(name_of(type));
  settings.max_upload_bytes = config.max_upload_bytes;
  settings.social_syncs_per_minute = config.social_syncs_per_minute;
  settings.requests_per_minute = config.requests_per_minute;
  settings.is_behind_network = config.store == StoreEngine::dynamodb || config.objects == ObjectsEngine::s3;
  settings.work_dir = work_folder(config);
  settings.media_memory_mb = config.media_memory_mb;
  settings.media_seconds = config.media_seconds;
  settings.media_threads = config.media_threads;
  return settings;
}

SqliteOptions sqlite_options(const Config& config) {
  SqliteOptions options;
  options.file = data_file(config, "segments.db");
  return options;
}

std::unique_ptr<AwsAccount> make_account(const Config& config) {
  if (config.store != StoreEngine::dynamodb && config.objects != ObjectsEngine::s3) return nullptr;
  auto account = std::make_unique<AwsAccount>(config);
  account->credentials().get();  // who has none is told at once
  return account;
}

std::unique_ptr<redis::Client> make_redis(const Config& config, const redis::Timeouts& timeouts) {
  if (config.queue != QueueEngine::redis) return nullptr;
  return std::make_unique<redis::Client>(redis_url_of(config), timeouts);
}

}  // namespace

std::string work_folder(const Config& config) {
  return data_file(config, "work").string();
}

void make_data_folder(const Config& config) {
  fs::path folder(config.data_dir);
  std::error_code error;
  if (fs::is_directory(folder, error)) return;
  if (auto parent = folder.parent_path(); !parent.empty()) fs::create_directories(parent, error);
  if (mkdir(folder.c_str(), 0700) != 0 && !fs::is_directory(folder, error))
    throw Error(ErrorKind::unavailable, "The data folder " + folder.string() + " cannot be made.");
}

std::string load_auth_secret(const Config& config) {
  return config.auth_secret.empty() ? load_or_make_secret(data_file(config, "auth.secret"))
                                    : config.auth_secret;
}

std::unique_ptr<Stores> Engines::make_stores(const Config& config) {
  if (config.store == StoreEngine::sqlite)
    return std::make_unique<SqliteStores>(sqlite_options(config), &metrics_);
  dynamodb_ = make_dynamodb_client(*aws_);
  redis_events_ = std::make_unique<RedisEventLog>(*redis_);
  prompt_redis_ = make_redis(config, prompt_redis);
  prompt_events_ = std::make_unique<RedisEventLog>(*prompt_redis_);
  deferred_events_ = std::make_unique<DeferredEventLog>(*redis_events_, *prompt_events_);
  return std::make_unique<DynamoStores>(*dynamodb_, config.dynamodb_table_name, *deferred_events_, &metrics_);
}

std::unique_ptr<TaskQueue> Engines::make_queue(const Config& config, celery::CeleryQueueOptions options) {
  if (config.queue == QueueEngine::embedded)
    return std::make_unique<EmbeddedQueue>(data_file(config, "queue.db"), now_ms, &metrics_);
  options.queue = config.celery_queue;
  options.visibility_timeout_s = config.celery_visibility_timeout;
  options.metrics = &metrics_;
  auto queue = std::make_unique<celery::CeleryQueue>(*redis_, std::move(options));
  celery_ = queue.get();
  return queue;
}

std::unique_ptr<ObjectStore> Engines::make_objects(const Config& config) {
  if (config.objects == ObjectsEngine::s3) return make_s3_store(config, *aws_);
  auto directory = std::make_unique<DirectoryObjectStore>(
      data_file(config, "objects"), load_or_make_secret(data_file(config, "url.secret")));
  directory_ = directory.get();
  return directory;
}

EventLog& Engines::events() {
  return relayed_events_ ? *relayed_events_ : stores_->events();
}

Engines::Engines(const Config& config, Probe probe, EngineOptions options)
    : settings_(make_settings(config)),
      aws_(make_account(config)),
      redis_(make_redis(config, options.redis)),
      stores_(make_stores(config)),
      // A store without a log of its own has its events in Redis from the start.
      relayed_events_(options.relays_events && redis_ && !redis_events_
                          ? std::make_unique<RelayedEventLog>(stores_->events(), *redis_)
                          : nullptr),
      queue_(make_queue(config, std::move(options.celery))),
      objects_(make_objects(config)),
      platforms_(make_simulated_platforms(parse_simulator_faults(config.simulator_faults))),
      services_{stores_->segments(),
                stores_->videos(),
                events(),
                stores_->totals(),
                *objects_,
                directory_,
                *queue_,
                platforms_,
                metrics_,
                std::move(probe),
                settings_} {}

}  // namespace segments
