// What the gate before radosgw spoils, and what nevertheless holds.
#include <gtest/gtest.h>

#include <atomic>
#include <random>
#include <set>
#include <thread>

#include "s3/test_store.h"

namespace segments::s3 {
namespace {

class S3Faults : public ::testing::Test {
 protected:
  S3Faults() { engine_.as_new(); }
  ~S3Faults() override { engine_.as_new(); }

  std::int64_t requests(std::string_view operation) {
    auto stats = engine_.stats();
    const auto* counts = stats.at("operations").as_object().if_contains(operation);
    return counts ? counts->at("requests").as_int64() : 0;
  }
  ObjectInfo put(const std::string& key, std::string_view bytes) {
    auto writer = store_.write_object(key, "video/mp4");
    writer->write(bytes);
    return writer->commit();
  }
  std::string read(const std::string& key) { return store_.read_object(key, 0, 1 << 30); }
  // Uploads that were begun and neither completed nor aborted.
  bool has_open_uploads() {
    return bucket_.ask("ListMultipartUploads", "GET", "", {{"uploads", ""}}).body.find("<Upload>") !=
           std::string::npos;
  }
  static std::string noise(std::size_t size) {
    std::string bytes(size, '\0');
    std::minstd_rand random(7);
    for (auto& byte : bytes) byte = static_cast<char>(random() >> 8);
    return bytes;
  }

  engines::Engine& engine_ = engines::s3();
  TestBucket bucket_;
  S3ObjectStore store_{bucket_.options(), bucket_.credentials()};
};

TEST_F(S3Faults, ReadsGoOnWhereTheConnectionBroke) {
  auto bytes = noise(1 << 20);
  put("v/a", bytes);
  engine_.fault(R"({"kind":"truncate","operation":"GetObject","times":5})");
  EXPECT_TRUE(read("v/a") == bytes);
  EXPECT_EQ(requests("GetObject"), 6);
  engine_.fault(R"({"kind":"truncate","operation":"GetObject","times":3})");
  EXPECT_TRUE(store_.read_object("v/a", 1'000, 500'000) == bytes.substr(1'000, 500'000));
  for (const char* kind : {"reset", "close", "throttle", "internal_error", "unavailable", "expired_token"}) {
    engine_.fault(std::string(R"({"kind":")") + kind + R"(","operation":"GetObject","times":1})");
    EXPECT_EQ(store_.read_object("v/a", 7, 3), bytes.substr(7, 3)) << kind;
  }
}

TEST_F(S3Faults, AReadWithoutAnyProgressEnds) {
  put("v/a", "bytes");
  engine_.fault(R"({"kind":"reset","operation":"GetObject","times":null})");
  try {
    read("v/a");
    ADD_FAILURE() << "nothing was thrown";
  } catch (const Error& error) {
    EXPECT_EQ(error.kind(), ErrorKind::unavailable) << error.what();
  }
  EXPECT_EQ(requests("GetObject"), 5) << "as many attempts as the policy has";
}

TEST_F(S3Faults, ARefusalOfHeadIsAskedForItsReason) {
  put("v/a", "bytes");
  // Neither answer has a body, so only the status says that something is wrong.
  engine_.fault(R"({"kind":"expired_token","operation":"HeadObject","times":1})");
  EXPECT_EQ(store_.find_object("v/a")->size, 5);
  EXPECT_FALSE(store_.find_object("v/none"));
  engine_.control("POST", "clock", R"({"offset":7200})");
  EXPECT_EQ(store_.find_object("v/a")->size, 5);
  EXPECT_FALSE(store_.find_object("v/none"));
  engine_.fault(
      R"({"kind":"error","operation":["HeadObject","GetObject"],"status":403,"code":"AccessDenied","times":null})");
  EXPECT_THROW(store_.find_object("v/a"), Error) << "what is not allowed is not absent";
}

TEST_F(S3Faults, KeysThatExpireInMidRunAreReplaced) {
  const auto& temporary = engine_.temporary;
  bucket_.set("AWS_ACCESS_KEY_ID", temporary.access_key);
  bucket_.set("AWS_SECRET_ACCESS_KEY", temporary.secret_key);
  bucket_.set("AWS_SESSION_TOKEN", temporary.session_token);
  // Keys that were just fetched are not fetched again, whatever is said of them.
  auto context = bucket_.context();
  std::atomic<Millis> ahead = 0;
  context.clock = [&] { return now_ms() + ahead; };
  aws::CredentialProvider passing(context);
  S3ObjectStore store(bucket_.options(), passing);
  auto let_expire_at = [&](double expires) {
    engine_.control("POST", "credentials",
                    boost::json::serialize(boost::json::object{{"access_key", temporary.access_key},
                                                               {"secret_key", temporary.secret_key},
                                                               {"session_token", temporary.session_token},
                                                               {"expires", expires}}));
  };
  auto seconds = static_cast<double>(now_ms()) / 1000;
  let_expire_at(seconds + 3'600);
  auto writer = store.write_object("v/large", "video/mp4");
  auto bytes = noise(20 << 20);
  writer->write(std::string_view(bytes).substr(0, 12 << 20));
  ahead = 60'000;
  // From here on the old keys are refused, and the place where keys come from has others.
  let_expire_at(seconds - 1);
  bucket_.set("AWS_ACCESS_KEY_ID", engine_.access_key);
  bucket_.set("AWS_SECRET_ACCESS_KEY", engine_.secret_key);
  bucket_.set("AWS_SESSION_TOKEN", "");
  writer->write(std::string_view(bytes).substr(12 << 20));
  writer->commit();
  let_expire_at(seconds + 12 * 3'600);  // as they were, for other tests
  EXPECT_TRUE(store.read_object("v/large", 0, 1 << 30) == bytes);
}

TEST_F(S3Faults, WhatIsAcknowledgedIsThereWhateverStrikes) {
  const char* kinds[] = {"throttle", "internal_error", "unavailable", "reset", "close", "truncate"};
  int seed = 0;
  for (const char* kind : kinds) {
    for (bool is_done : {false, true})
      engine_.fault(boost::json::serialize(boost::json::object{
          {"kind", kind}, {"done", is_done}, {"times", nullptr}, {"probability", 0.03}, {"seed", ++seed}}));
  }
  std::mutex mutex;
  std::map<std::string, std::string> acknowledged;
  std::set<std::string> removed;
  std::atomic<int> refused = 0;
  {
    std::vector<std::jthread> threads;
    for (int t = 0; t < 4; ++t)
      threads.emplace_back([&, t] {
        for (int i = 0; i < 60; ++i) {
          auto key = "v/" + std::to_string(t) + "/" + std::to_string(i);
          auto bytes = key + std::string(static_cast<std::size_t>(i * 50), 'x');
          try {
            put(key, bytes);
            bool is_removed = i % 5 == 0 && store_.remove_object(key);
            std::lock_guard lock(mutex);
            if (is_removed)
              removed.insert(key);
            else
              acknowledged[key] = bytes;
          } catch (const Error& error) {
            EXPECT_EQ(error.kind(), ErrorKind::unavailable) << error.what();
            ++refused;
          }
        }
      });
  }
  engine_.as_new();
  EXPECT_GT(acknowledged.size(), 150u);
  EXPECT_LT(refused, 40);
  for (const auto& [key, bytes] : acknowledged) EXPECT_EQ(read(key), bytes);
  for (const auto& key : removed) EXPECT_FALSE(store_.find_object(key)) << key;
}

TEST_F(S3Faults, UploadsInPartsSurviveAFaultOfEveryStep) {
  auto bytes = noise((8 << 20) + 5);
  const char* faults[] = {R"("kind":"throttle")", R"("kind":"reset")", R"("kind":"reset","done":true)",
                          R"("kind":"truncate")"};
  int number = 0;
  auto put_under = [&](const std::string& fault) {
    auto key = "v/" + std::to_string(++number);
    engine_.fault("{" + fault + "}");
    auto info = put(key, bytes);
    EXPECT_EQ(info.size, static_cast<std::int64_t>(bytes.size())) << fault;
    EXPECT_EQ(info.content_type, "video/mp4") << fault;
    EXPECT_EQ(store_.find_object(key)->etag, info.etag) << fault;
    return key;
  };
  for (const char* operation :
       {"CreateMultipartUpload", "UploadPart", "ListParts", "CompleteMultipartUpload"})
    for (const std::string fault : faults) put_under(fault + R"(,"operation":")" + operation + '"');
  auto last = put_under(R"("kind":"error_in_200","operation":"CompleteMultipartUpload")");
  EXPECT_TRUE(read(last) == bytes);
}

TEST_F(S3Faults, AFailedUploadLeavesNothingBehind) {
  auto bytes = noise(17 << 20);
  engine_.fault(
      R"({"kind":"error","operation":"UploadPart","status":403,"code":"AccessDenied","skip":1,"times":null})");
  EXPECT_THROW(put("v/a", bytes), Error);
  EXPECT_FALSE(has_open_uploads());
  engine_.as_new();
  {
    auto writer = store_.write_object("v/b", "video/mp4");
    writer->write(bytes);
    EXPECT_TRUE(has_open_uploads());
  }
  EXPECT_FALSE(has_open_uploads());
  EXPECT_TRUE(store_.list_objects("", "", 10).empty());
  store_.check_bucket();
  EXPECT_FALSE(has_open_uploads());
}

TEST_F(S3Faults, ReadinessLooksAtTheBucketNowAndThen) {
  engine_.as_new();
  for (int i = 0; i < 50; ++i) EXPECT_EQ(store_.check_writable(), -1);
  EXPECT_EQ(requests("HeadBucket"), 1);
  EXPECT_EQ(requests("CreateMultipartUpload"), 1);
  // What failed is asked again at once.
  S3ObjectStore other(bucket_.options(), bucket_.credentials());
  engine_.fault(R"({"kind":"error","operation":"CreateMultipartUpload","status":403,"code":"AccessDenied"})");
  try {
    other.check_writable();
    ADD_FAILURE() << "nothing was thrown";
  } catch (const Error& error) {
    EXPECT_EQ(error.kind(), ErrorKind::unavailable);
    EXPECT_EQ(std::string(error.what()), "The bucket " + bucket_.name() +
                                             " may not be used with our access keys: s3:PutObject is refused "
                                             "(AccessDenied).");
  }
  EXPECT_EQ(other.check_writable(), -1);
}

}  // namespace
}  // namespace segments::s3
