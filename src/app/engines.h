// The wiring: which engine stands behind each interface. The only place that names them.
#pragma once

#include <functional>
#include <memory>
#include <string>

#include "app/aws_account.h"
#include "app/config.h"
#include "base/metrics.h"
#include "celery/celery_queue.h"
#include "objects/directory.h"
#include "redis/client.h"
#include "redis_events/event_log.h"
#include "services/services.h"
#include "store/stores.h"

namespace segments {

std::string work_folder(const Config&);
// Makes the data folder, readable by its owner alone, when there is none. Throws Error{unavailable}.
void make_data_folder(const Config&);
// SEGMENTS_AUTH_SECRET, else the one kept in the data folder, made when there is none.
std::string load_auth_secret(const Config&);

struct EngineOptions {
  celery::CeleryQueueOptions celery = {};  // of a worker; the configuration goes over it
  redis::Timeouts redis = {};              // of all but subscribers
  bool relays_events = false;              // to Redis where there is one: of what runs for long
};

// Everything open that a server, a worker or a slot needs. Opened anew in each process, never over a fork.
class Engines {
 public:
  using Probe = std::function<MediaInfo(const std::string& location)>;

  // Makes the data folder when it is absent. Throws Error when something cannot be opened.
  Engines(const Config&, Probe, EngineOptions = {});
  Engines(const Engines&) = delete;
  Engines& operator=(const Engines&) = delete;

  Services& services() { return services_; }
  DirectoryObjectStore* directory() { return directory_; }  // null where objects lie elsewhere
  celery::CeleryQueue* celery() { return celery_; }         // null where the queue is another
  redis::Client* redis() { return redis_.get(); }           // null where nothing uses Redis

 private:
  std::unique_ptr<Stores> make_stores(const Config&);
  std::unique_ptr<TaskQueue> make_queue(const Config&, celery::CeleryQueueOptions);
  std::unique_ptr<ObjectStore> make_objects(const Config&);
  EventLog& events();

  ServiceSettings settings_;
  Metrics metrics_;
  std::unique_ptr<AwsAccount> aws_;  // these are null where nothing uses them
  std::unique_ptr<aws::Client> dynamodb_;
  std::unique_ptr<redis::Client> redis_, prompt_redis_;
  std::unique_ptr<RedisEventLog> redis_events_, prompt_events_;  // of stores that have no log of their own
  std::unique_ptr<EventLog> deferred_events_;
  std::unique_ptr<Stores> stores_;
  std::unique_ptr<EventLog> relayed_events_;
  celery::CeleryQueue* celery_ = nullptr;
  std::unique_ptr<TaskQueue> queue_;
  DirectoryObjectStore* directory_ = nullptr;
  std::unique_ptr<ObjectStore> objects_;
  Platforms platforms_;
  Services services_;
};

}  // namespace segments
