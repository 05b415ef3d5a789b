// The program's settings, described once: names, defaults, what is allowed, and what each is about. Read from
// flags, the environment and a file `.env`; every fault is told at once. No other file reads the environment.
#pragma once

#include <boost/describe.hpp>
#include <cstdint>
#include <map>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "base/log.h"
#include "describe/rule.h"
#include "redis/url.h"
#include "services/services.h"

namespace segments {

BOOST_DESCRIBE_ENUM(LogLevel, debug, info, warning, error, off)
enum class StoreEngine { sqlite, dynamodb };
BOOST_DESCRIBE_ENUM(StoreEngine, sqlite, dynamodb)
enum class ObjectsEngine { directory, s3 };
BOOST_DESCRIBE_ENUM(ObjectsEngine, directory, s3)
enum class QueueEngine { embedded, redis };
BOOST_DESCRIBE_ENUM(QueueEngine, embedded, redis)
enum class ExtraType { original, thumbnail, audio };
BOOST_DESCRIBE_ENUM(ExtraType, original, thumbnail, audio)

struct Config {
  std::string data_dir = "./segments-data";
  std::string host = "127.0.0.1";
  int port = 8000;
  int workers = 2;
  AuthMode auth = AuthMode::token;
  std::string auth_secret;
  bool auth_none_anywhere = false;
  std::string public_url;
  std::string cors_origins = "*";
  StoreEngine store = StoreEngine::sqlite;
  ObjectsEngine objects = ObjectsEngine::directory;
  QueueEngine queue = QueueEngine::embedded;
  std::vector<ExtraType> extra_types;
  std::string simulator_faults;
  std::int64_t max_upload_bytes = 53'687'091'200;
  int media_memory_mb = 2048;
  int media_seconds = 3600;
  int media_threads = 0;
  bool sync = true;
  std::int64_t social_syncs_per_minute = 600;
  std::int64_t requests_per_minute = 0;
  int io_threads = 2;
  LogLevel log_level = LogLevel::info;
  std::string log_file;
  std::string redis_url = "redis://localhost:6379/0";
  std::string redis_host, redis_port, redis_db, redis_username, redis_password;  // "": as in redis_url
  std::string celery_queue = "celery";
  int celery_visibility_timeout = 3600;
  std::string aws_region;
  std::string aws_bucket_name;
  std::string dynamodb_table_name = "easy-video-share-video-metadata";
  std::string s3_kms_key;
  std::optional<bool> s3_payload_signing_enabled;
};
BOOST_DESCRIBE_STRUCT(Config, (),
                      (data_dir, host, port, workers, auth, auth_secret, auth_none_anywhere, public_url,
                       cors_origins, store, objects, queue, extra_types, simulator_faults, max_upload_bytes,
                       media_memory_mb, media_seconds, media_threads, sync, social_syncs_per_minute,
                       requests_per_minute, io_threads, log_level, log_file, redis_url, redis_host,
                       redis_port, redis_db, redis_username, redis_password, celery_queue,
                       celery_visibility_timeout, aws_region, aws_bucket_name, dynamodb_table_name,
                       s3_kms_key, s3_payload_signing_enabled))

const char* fault_of_public_url(std::string_view);
const char* fault_of_cors_origins(std::string_view);
const char* fault_of_simulator_faults(std::string_view);
const char* fault_of_redis_url(std::string_view);
const char* fault_of_redis_port(std::string_view);
const char* fault_of_redis_db(std::string_view);
const char* fault_of_celery_queue(std::string_view);

constexpr Rule rule_of(Describes<Config>, std::string_view member) {
  if (member == "data_dir")
    return {
        .min_length = 1, .max_length = 4'000, .about = "Folder of everything that is kept; made when absent"};
  if (member == "host") return {.min_length = 1, .max_length = 255, .about = "Address to listen on"};
  if (member == "port")
    return {.minimum = 0, .maximum = 65'535, .about = "Port to listen on; 0 takes a free one"};
  if (member == "workers")
    return {.minimum = 0,
            .maximum = 256,
            .about = "Tasks that `serve` runs at once; 0 leaves them to `segments worker`"};
  if (member == "auth") return {.about = "`none` trusts every caller, for one user on one machine"};
  if (member == "auth_secret")
    return {.min_length = 16,
            .max_length = 4'000,
            .about = "Secret of the tokens' signatures; made and kept in the data folder when absent"};
  if (member == "auth_none_anywhere") return {.about = "Lets `none` listen on addresses other than loopback"};
  if (member == "public_url")
    return {.max_length = 2'000,
            .check = fault_of_public_url,
            .about = "Origin that clients reach; else the one that a request came to"};
  if (member == "cors_origins")
    return {.max_length = 10'000,
            .check = fault_of_cors_origins,
            .about = "Origins whose pages may call, comma-separated; `*` for any"};
  if (member == "store") return {.about = "Where records are kept; `dynamodb` needs the queue `redis`"};
  if (member == "objects") return {.about = "Where media is kept"};
  if (member == "queue")
    return {
        .about =
            "What carries tasks to workers; `redis` speaks Celery's protocol, with Python's programs too"};
  if (member == "redis_url")
    return {.max_length = 4'000,
            .check = fault_of_redis_url,
            .about = "Redis of the queue `redis`, as redis://user:password@host:port/db; rediss:// for TLS"};
  if (member == "redis_host") return {.max_length = 255, .about = "Host, in place of the one in `REDIS_URL`"};
  if (member == "redis_port")
    return {
        .max_length = 100, .check = fault_of_redis_port, .about = "Port, in place of the one in `REDIS_URL`"};
  if (member == "redis_db")
    return {
        .max_length = 5, .check = fault_of_redis_db, .about = "Database, in place of the one in `REDIS_URL`"};
  if (member == "redis_username")
    return {.max_length = 1'000, .about = "User, in place of the one in `REDIS_URL`"};
  if (member == "redis_password")
    return {.max_length = 4'000,
            .about = "Password, in place of the one in `REDIS_URL`: a secret may come by itself"};
  if (member == "celery_queue")
    return {.min_length = 1,
            .max_length = 200,
            .check = fault_of_celery_queue,
            .about = "Name of the queue in Redis that tasks go to"};
  if (member == "celery_visibility_timeout")
    return {
        .minimum = 60,
        .maximum = 31'536'000,
        .about =
            "Seconds after which Celery's workers take back what a dead one held; the same in every program "
            "on that Redis"};
  if (member == "extra_types")
    return {.max_length = 100,
            .max_items = 3,
            .about = "Records made besides those of the pieces, comma-separated"};
  if (member == "simulator_faults")
    return {.max_length = 1'000,
            .check = fault_of_simulator_faults,
            .about =
                "Shares of simulated platform calls that fail, "
                "`rate_limit=0.1,unavailable=0.05,not_found=0.01,forbidden=0.01,latency_ms=20`"};
  if (member == "max_upload_bytes")
    return {.minimum = 1, .maximum = 9'007'199'254'740'991, .about = "Most bytes of one upload"};
  if (member == "media_memory_mb")
    return {.minimum = 128, .maximum = 1'048'576, .about = "Memory of one media process in MiB"};
  if (member == "media_seconds")
    return {.minimum = 1, .maximum = 604'800, .about = "Longest run of one media process in seconds"};
  if (member == "media_threads")
    return {
        .minimum = 0,
        .maximum = 1'024,
        .about =
            "Encoder threads that one task uses at once, shared out among at most 4 encoders of at most 4 "
            "threads each; 0 for as many as there are processors, up to 16"};
  if (member == "sync")
    return {
        .about =
            "Whether the counts of linked posts are read again by themselves, often while a post is young; "
            "done by the workers of `serve` and by `segments worker --beat`"};
  if (member == "social_syncs_per_minute")
    return {
        .minimum = 0, .maximum = 1'000'000'000, .about = "Syncs that one user may ask for; 0 for no limit"};
  if (member == "requests_per_minute")
    return {
        .minimum = 0, .maximum = 1'000'000'000, .about = "Requests that one user may send; 0 for no limit"};
  if (member == "io_threads")
    return {.minimum = 1, .maximum = 256, .about = "Threads that serve connections"};
  if (member == "log_level") return {.about = "Least level that is logged"};
  if (member == "log_file")
    return {.max_length = 4'000, .about = "File that the log is appended to; else standard error"};
  if (member == "aws_region")
    return {.max_length = 100,
            .about =
                "Region of DynamoDB and S3; else AWS_DEFAULT_REGION's or the profile's. Keys come from AWS's "
                "usual places, other addresses from AWS_ENDPOINT_URL"};
  if (member == "aws_bucket_name") return {.max_length = 63, .about = "Bucket of the objects `s3`"};
  if (member == "dynamodb_table_name")
    return {.min_length = 3,
            .max_length = 255,
            .about = "Table of the store `dynamodb`; `segments admin table create` makes it"};
  if (member == "s3_kms_key")
    return {.max_length = 2'048,
            .about = "KMS key that objects in S3 are encrypted with; else S3's own encryption"};
  if (member == "s3_payload_signing_enabled")
    return {
        .about =
            "Whether what is put into S3 over TLS has its SHA-256 signed; else a CRC-32 goes with it, which "
            "costs less. By default no, but yes where AWS_ENDPOINT_URL gives an address: not every store "
            "checks that"};
  return {};
}

// A setting as it is named outside: "data_dir" is SEGMENTS_DATA_DIR and --data-dir.
std::string key_of(std::string_view member);
std::string flag_of(std::string_view member);

// Where settings come from. Flags win over the environment, and that over `.env`; an empty value is the
// default.
struct ConfigSources {
  std::map<std::string, std::string> flags;        // by key_of(): "SEGMENTS_DATA_DIR"
  std::map<std::string, std::string> environment;  // every variable; of these the keys of settings are read
  std::string env_file;                            // the text of `.env`
};
// Throws Error{invalid} with every fault: a value that is not allowed, an unknown SEGMENTS_ key, a line of
// `.env` that is none. `pointer` is the key, `detail` says where it stands and what is allowed.
Config read_config(const ConfigSources&);
// REDIS_URL with what the other REDIS_ settings say in its parts' places.
redis::Url redis_url_of(const Config&);
// What the server needs besides: Error{invalid} when auth mode `none` would be open to other machines.
void check_may_serve(const Config&);

// This process's environment and the `.env` of its working directory.
ConfigSources read_sources();
// A variable of this process's environment, for those that are not ours: AWS's.
std::optional<std::string> find_environment(std::string_view name);
// AWS's variables of `.env` go into this process's environment where it has none. Only while there is one
// thread.
void export_aws_variables(const ConfigSources&);
// Puts every setting into this process's environment, so that its children read the same whatever they find.
// Only while there is one thread.
void export_config(const Config&);

// The table of the settings for people: for `--help`, and in Markdown for the README.
std::string print_settings();
std::string print_settings_markdown();

}  // namespace segments
