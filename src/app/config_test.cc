#include "app/config.h"

#include <unistd.h>

#include <boost/json.hpp>
#include <filesystem>
#include <fstream>
#include <sstream>

#include "api/routes.h"
#include "app/env_file.h"
#include "app/version.h"
#include "base/test_source_root.h"
#include "base/text.h"
#include "describe/decode.h"

namespace segments {
namespace {

using Values = std::map<std::string, std::string>;

Config read(Values flags, Values environment = {}, std::string env_file = "") {
  return read_config({std::move(flags), std::move(environment), std::move(env_file)});
}

std::map<std::string, std::string> faults_of(const ConfigSources& sources) {
  std::map<std::string, std::string> found;
  try {
    read_config(sources);
  } catch (const Error& error) {
    EXPECT_EQ(error.kind(), ErrorKind::invalid);
    for (const auto& fault : error.faults()) found[fault.pointer] = fault.detail;
  }
  return found;
}

std::string text_of(const std::filesystem::path& path) {
  std::ifstream file(path);
  std::stringstream text;
  text << file.rdbuf();
  return text.str();
}

const std::filesystem::path root = source_root();

TEST(Config, NothingIsNeeded) {
  Config config = read({});
  EXPECT_EQ(config.port, 8000);
  EXPECT_EQ(config.host, "127.0.0.1");
  EXPECT_EQ(config.workers, 2);
  EXPECT_EQ(config.auth, AuthMode::token);
  EXPECT_EQ(config.data_dir, "./segments-data");
  EXPECT_EQ(config.max_upload_bytes, 50LL << 30);
  EXPECT_TRUE(config.extra_types.empty());
}

TEST(Config, FlagsWinOverTheEnvironmentAndThatOverTheFile) {
  Config config = read({{"PORT", "1"}}, {{"PORT", "2"}, {"HOST", "::1"}, {"PATH", "/bin"}},
                       "PORT=3\nHOST=10.0.0.1\nSEGMENTS_WORKERS=7\nSOMETHING_ELSE=1\n");
  EXPECT_EQ(config.port, 1);
  EXPECT_EQ(config.host, "::1");
  EXPECT_EQ(config.workers, 7);
}

TEST(Config, EmptyValueIsNoValue) {
  Config config = read({}, {{"PORT", ""}, {"SEGMENTS_AUTH", ""}}, "PORT=3\nHOST=\n");
  EXPECT_EQ(config.port, 3) << "it hides nothing";
  EXPECT_EQ(config.auth, AuthMode::token);
  EXPECT_EQ(config.host, Config{}.host);
  EXPECT_EQ(read({{"PORT", ""}}, {{"PORT", "4"}}, "PORT=3\n").port, 4);
}

TEST(Config, EveryKindOfValueIsRead) {
  Config config = read({}, {{"SEGMENTS_AUTH", "none"},
                            {"SEGMENTS_AUTH_NONE_ANYWHERE", "yes"},
                            {"SEGMENTS_EXTRA_TYPES", "original, audio"},
                            {"SEGMENTS_SIMULATOR_FAULTS", "rate_limit=0.1,latency_ms=20"},
                            {"SEGMENTS_LOG_LEVEL", "warning"},
                            {"SEGMENTS_PUBLIC_URL", "https://clips.example.org"},
                            {"SEGMENTS_CORS_ORIGINS", "https://a.example, http://localhost:5173"},
                            {"REDIS_URL", "redis://localhost:6379/0"},
                            {"SEGMENTS_S3_PAYLOAD_SIGNING_ENABLED", "no"},
                            {"DYNAMODB_TABLE_NAME", "easy-video-share-video-metadata"}});
  EXPECT_EQ(config.auth, AuthMode::none);
  EXPECT_TRUE(config.auth_none_anywhere);
  EXPECT_EQ(config.extra_types, (std::vector{ExtraType::original, ExtraType::audio}));
  EXPECT_EQ(config.log_level, LogLevel::warning);
  EXPECT_EQ(config.redis_url, "redis://localhost:6379/0");
  EXPECT_EQ(config.s3_payload_signing_enabled, std::optional(false));
  EXPECT_FALSE(Config{}.s3_payload_signing_enabled) << "it depends on the store";
}

TEST(Config, PartsOfRedisUrlMayComeByThemselves) {
  auto url = redis_url_of(read({}, {{"REDIS_URL", "rediss://ann:old@cache.example:6380/3"}}));
  EXPECT_EQ(url.shown(), "rediss://ann@cache.example:6380/3");
  EXPECT_EQ(url.password, "old");
  url = redis_url_of(read({}, {{"REDIS_URL", "rediss://cache.example/3"},
                               {"REDIS_HOST", "other.example"},
                               {"REDIS_PORT", "6390"},
                               {"REDIS_DB", "0"},
                               {"REDIS_USERNAME", "bo"},
                               {"REDIS_PASSWORD", "a:b@c/%41"}}));
  EXPECT_EQ(url.shown(), "rediss://bo@other.example:6390/0");
  EXPECT_EQ(url.password, "a:b@c/%41") << "as it is, nothing is decoded";
  EXPECT_EQ(redis_url_of(read({}, {{"REDIS_URL", "unix:///tmp/r.sock"}})).socket_path, "/tmp/r.sock");
  EXPECT_EQ(redis_url_of(read({}, {{"REDIS_URL", "unix:///tmp/r.sock"}, {"REDIS_HOST", "h"}})).socket_path,
            "");
  EXPECT_EQ(redis_url_of(read({}, {{"REDIS_PORT", "tcp://10.0.0.7:6379"}})).port, 6379);
  EXPECT_EQ(faults_of({{}, {{"REDIS_PORT", "0"}, {"REDIS_DB", "-1"}}, ""}).size(), 2u);
}

TEST(Config, AllFaultsAreToldAtOnceEachWithWhatIsAllowed) {
  auto faults = faults_of({{{"SEGMENTS_WORKERS", "-3"}},
                           {{"PORT", "99999"},
                            {"SEGMENTS_STORE", "oracle"},
                            {"SEGMENTS_AUTH", "maybe"},
                            {"SEGMENTS_NONSENSE", "1"},
                            {"SEGMENTS_CORS_ORIGINS", "example.org"},
                            {"SEGMENTS_PUBLIC_URL", "ftp://x"},
                            {"SEGMENTS_EXTRA_TYPES", "processed"},
                            {"SEGMENTS_SIMULATOR_FAULTS", "rate_limit=7"},
                            {"SEGMENTS_MAX_UPLOAD_BYTES", "1e9"},
                            {"SEGMENTS_AUTH_SECRET", "tooshort"}},
                           "SEGMENTS_MEDIA_THREADS=many\nSEGMENTS_MISSPELT=1\n"});
  EXPECT_EQ(faults.size(), 13u);
  EXPECT_NE(faults["PORT"].find("0 to 65535"), std::string::npos);
  EXPECT_NE(faults["PORT"].find("environment"), std::string::npos);
  EXPECT_NE(faults["SEGMENTS_STORE"].find("allowed: sqlite, dynamodb"), std::string::npos);
  EXPECT_NE(faults["SEGMENTS_AUTH"].find("token, none"), std::string::npos);
  EXPECT_NE(faults["SEGMENTS_WORKERS"].find("flag"), std::string::npos);
  EXPECT_NE(faults["SEGMENTS_MEDIA_THREADS"].find(".env"), std::string::npos);
  EXPECT_NE(faults["SEGMENTS_MISSPELT"].find("no such setting"), std::string::npos);
  EXPECT_EQ(faults["SEGMENTS_AUTH_SECRET"].find("tooshort"), std::string::npos) << "a secret is not repeated";
}

TEST(Config, EnginesOfTheCloudNeedWhatGoesWithThem) {
  auto faults = faults_of({{}, {{"SEGMENTS_STORE", "dynamodb"}, {"SEGMENTS_OBJECTS", "s3"}}, ""});
  EXPECT_EQ(faults.size(), 3u);
  EXPECT_NE(faults["SEGMENTS_QUEUE"].find("redis"), std::string::npos);
  EXPECT_NE(faults["SEGMENTS_AUTH_SECRET"].find("same for all"), std::string::npos);
  EXPECT_NE(faults["AWS_BUCKET_NAME"].find("bucket"), std::string::npos);
  Config config = read({}, {{"SEGMENTS_STORE", "dynamodb"},
                            {"SEGMENTS_OBJECTS", "s3"},
                            {"SEGMENTS_QUEUE", "redis"},
                            {"SEGMENTS_AUTH_SECRET", "0123456789abcdef"},
                            {"AWS_BUCKET_NAME", "clips"}});
  EXPECT_EQ(config.dynamodb_table_name, "easy-video-share-video-metadata") << "the earlier backend's";
}

TEST(Config, AwsVariablesOfTheFileReachTheChainOfKeys) {
  setenv("AWS_SECRET_ACCESS_KEY", "of the environment", 1);
  unsetenv("AWS_ACCESS_KEY_ID");
  export_aws_variables(
      {{}, {}, "AWS_ACCESS_KEY_ID=AKIDEXAMPLE\nAWS_SECRET_ACCESS_KEY=of the file\nOTHER=1\n"});
  EXPECT_EQ(find_environment("AWS_ACCESS_KEY_ID"), "AKIDEXAMPLE");
  EXPECT_EQ(find_environment("AWS_SECRET_ACCESS_KEY"), "of the environment");
  EXPECT_FALSE(find_environment("OTHER"));
  unsetenv("AWS_ACCESS_KEY_ID");
  unsetenv("AWS_SECRET_ACCESS_KEY");
}

TEST(Config, NoneIsTakenOnLoopbackAlone) {
  Config config;
  config.auth = AuthMode::none;
  for (const char* host : {"127.0.0.1", "127.8.8.8", "::1", "localhost"}) {
    config.host = host;
    EXPECT_NO_THROW(check_may_serve(config)) << host;
  }
  for (const char* host : {"0.0.0.0", "::", "192.168.1.2", "example.org", "127.0.0.1.example.org"}) {
    config.host = host;
    EXPECT_THROW(check_may_serve(config), Error) << host;
  }
  config.auth_none_anywhere = true;
  EXPECT_NO_THROW(check_may_serve(config));
  config = Config{};
  config.host = "0.0.0.0";
  EXPECT_NO_THROW(check_may_serve(config));
}

TEST(Config, EnvFileTakesQuotesCommentsAndExport) {
  Faults faults;
  auto found = parse_env_file(
      "# a comment\n\n A = plain # said\nexport B=\"two words # kept\"\nC='x'\nD=\r\nA_1=a#b\nC=later\n",
      faults);
  EXPECT_TRUE(faults.empty());
  EXPECT_EQ(found,
            (Values{{"A", "plain"}, {"B", "two words # kept"}, {"C", "later"}, {"D", ""}, {"A_1", "a#b"}}));
  parse_env_file("no equals\n=x\n1A=x\nA=\"open\nA='x' y\nA B=c\n", faults);
  EXPECT_EQ(faults.size(), 6u);
  EXPECT_EQ(faults[1].pointer, ".env line 2");
}

// A test run has variables of its own, which are no settings.
void forget_environment() {
  std::vector<std::string> names;
  for (char** entry = environ; *entry; ++entry)
    if (std::string_view(*entry).starts_with("SEGMENTS_"))
      names.push_back(std::string(*entry).substr(0, std::string_view(*entry).find('=')));
  for (const auto& name : names) unsetenv(name.c_str());
}

TEST(Config, ChildrenReadWhatWasExported) {
  forget_environment();
  Config config = read(
      {},
      {{"PORT", "1234"}, {"SEGMENTS_AUTH_NONE_ANYWHERE", "yes"}, {"SEGMENTS_EXTRA_TYPES", "audio,original"}});
  const auto before = std::filesystem::current_path();
  std::string folder = testing::TempDir() + "config-XXXXXX";
  ASSERT_TRUE(mkdtemp(folder.data()));
  std::filesystem::current_path(folder);
  std::ofstream(".env") << "PORT=1\nSEGMENTS_LOG_FILE=/else\n";
  EXPECT_EQ(read_sources().env_file, "PORT=1\nSEGMENTS_LOG_FILE=/else\n");
  export_config(config);
  Config again = read_config(read_sources());
  std::filesystem::current_path(before);
  std::filesystem::remove_all(folder);
  for_each_member<Config>(
      [&](const char* name, auto member) { EXPECT_EQ(config.*member, again.*member) << name; });
}

TEST(Config, TablesNameEverySetting) {
  std::string help = print_settings(), markdown = print_settings_markdown();
  for_each_member<Config>([&](const char* name, auto) {
    EXPECT_NE(help.find(flag_of(name)), std::string::npos);
    EXPECT_NE(markdown.find("`" + key_of(name) + "`"), std::string::npos);
    EXPECT_FALSE(allowed_values(name).empty());
  });
  EXPECT_EQ(flag_of("max_upload_bytes"), "--max-upload-bytes");
}

TEST(Config, ReadmeHasTheTable) {
  auto readme = root / "README.md";
  ASSERT_TRUE(std::filesystem::exists(readme));
  EXPECT_NE(text_of(readme).find(print_settings_markdown()), std::string::npos)
      << "Put the output of `segments config` into README.md.";
}

TEST(Version, IsTheBuildsAndTheDocuments) {
  EXPECT_NE(text_of(root / "CMakeLists.txt").find(std::string("VERSION ") + version + " "),
            std::string::npos);
  EXPECT_EQ(boost::json::parse(make_openapi()).at("info").at("version"), version);
}

}  // namespace
}  // namespace segments
