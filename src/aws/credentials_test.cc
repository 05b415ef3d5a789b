#include "aws/credentials.h"

#include <gtest/gtest.h>

#include <atomic>
#include <latch>
#include <thread>

#include "aws/test_credentials.h"

namespace segments::aws {
namespace {

using Answer = TestHttpServer::Answer;
using Received = TestHttpServer::Received;
using Then = TestHttpServer::Then;

constexpr Millis minute = 60'000;

// Keys from a fake instance: id-1, id-2 …, which live for an hour.
class CredentialRefresh : public testing::Test, protected TestEnvironment {
 protected:
  CredentialRefresh() { set("AWS_EC2_METADATA_SERVICE_ENDPOINT", imds_.url()); }

  Answer answer(const Received& request) {
    bool is_last = request.method == "GET" && !request.target.ends_with("/");
    if (is_last) ++fetches_;
    if (is_failing_) return {http_answer(500, "")};
    if (is_last && gate_) gate_.load()->wait();
    return imds_answer(request, json_keys("id-" + std::to_string(fetches_.load()), now_ + life_));
  }
  CredentialContext with_clock() {
    auto out = context();
    out.clock = [this] { return now_.load(); };
    return out;
  }

  std::atomic<Millis> now_ = 1'000'000'000'000, life_ = 60 * minute;
  std::atomic<int> fetches_ = 0;
  std::atomic<bool> is_failing_ = false;
  std::atomic<std::latch*> gate_ = nullptr;
  TestHttpServer imds_{[this](const Received& request) { return answer(request); }};
};

TEST_F(CredentialRefresh, FetchesOnceForManyThreads) {
  CredentialProvider provider(with_clock());
  std::latch gate(1);
  gate_ = &gate;
  std::atomic<int> right = 0;
  std::vector<std::thread> threads;
  for (int i = 0; i < 50; ++i)
    threads.emplace_back([&] { right += provider.get().keys.access_key_id == "id-1"; });
  // Held until the fetch is under way, whoever makes it.
  imds_.wait_until([](const auto& server) { return server.arrived_so_far() == 3; });
  gate.count_down();
  for (auto& thread : threads) thread.join();
  EXPECT_EQ(right, 50);
  EXPECT_EQ(fetches_, 1);
  EXPECT_EQ(imds_.arrived(), 3);
}

TEST_F(CredentialRefresh, RefreshesOnceForManyThreadsTenMinutesBeforeTheEnd) {
  CredentialProvider provider(with_clock());
  provider.get();
  for (int round = 2; round <= 4; ++round) {
    now_ += 51 * minute;
    std::atomic<int> right = 0;
    std::vector<std::thread> threads;
    for (int i = 0; i < 50; ++i)
      threads.emplace_back(
          [&] { right += provider.get().keys.access_key_id == "id-" + std::to_string(round); });
    for (auto& thread : threads) thread.join();
    EXPECT_EQ(right, 50);
    EXPECT_EQ(fetches_, round);
  }
}

TEST_F(CredentialRefresh, LetsOthersGoOnFifteenMinutesBeforeTheEnd) {
  CredentialProvider provider(with_clock());
  provider.get();
  now_ += 44 * minute;
  provider.get();
  EXPECT_EQ(fetches_, 1);
  now_ += 2 * minute;
  std::latch gate(1);
  gate_ = &gate;
  std::thread fetching([&] { EXPECT_EQ(provider.get().keys.access_key_id, "id-2"); });
  imds_.wait_until([](const auto& server) { return server.arrived_so_far() == 6; });
  for (int i = 0; i < 10; ++i) EXPECT_EQ(provider.get().keys.access_key_id, "id-1");
  gate.count_down();
  fetching.join();
  EXPECT_EQ(provider.get().keys.access_key_id, "id-2");
  EXPECT_EQ(fetches_, 2);
}

TEST_F(CredentialRefresh, KeepsTheOldSetWhileRefreshingFails) {
  CredentialProvider provider(with_clock());
  provider.get();
  is_failing_ = true;
  now_ += 55 * minute;
  auto asked = imds_.arrived();
  for (int i = 0; i < 10; ++i) EXPECT_EQ(provider.get().keys.access_key_id, "id-1");
  EXPECT_EQ(imds_.arrived(), asked + 1);  // and is not asked again at once
  now_ += 10'000;
  EXPECT_EQ(provider.get().keys.access_key_id, "id-1");
  EXPECT_EQ(imds_.arrived(), asked + 2);
  // They end; then nothing can be had, and 50 callers do not ask 50 times.
  now_ += 5 * minute;
  std::atomic<int> failed = 0;
  std::vector<std::thread> threads;
  for (int i = 0; i < 50; ++i)
    threads.emplace_back([&] {
      try {
        provider.get();
      } catch (const Error& error) {
        failed += error.kind() == ErrorKind::unavailable;
      }
    });
  for (auto& thread : threads) thread.join();
  EXPECT_EQ(failed, 50);
  EXPECT_EQ(imds_.arrived(), asked + 3);
  is_failing_ = false;
  now_ += 1'000;
  EXPECT_NE(provider.get().keys.access_key_id, "id-1");
}

TEST_F(CredentialRefresh, DoesNotAskAllTheTimeForTheSameKeys) {
  // EC2 gives new keys only in the last five minutes.
  CredentialProvider provider(with_clock());
  life_ = 9 * minute;
  provider.get();
  for (int i = 0; i < 100; ++i) provider.get();
  EXPECT_EQ(fetches_, 1);
  now_ += minute;
  for (int i = 0; i < 100; ++i) provider.get();
  EXPECT_EQ(fetches_, 2);
}

TEST_F(CredentialRefresh, FetchesOthersForThoseThatAwsRefuses) {
  CredentialProvider provider(with_clock());
  auto first = provider.get();
  provider.refuse(first);  // fetched just now: they would be the same
  EXPECT_EQ(provider.get().keys.access_key_id, "id-1");
  now_ += minute;
  for (int i = 0; i < 5; ++i) provider.refuse(first);
  EXPECT_EQ(provider.get().keys.access_key_id, "id-2");
  provider.refuse(first);  // by one that was slow: they are no longer in use
  now_ += minute;
  EXPECT_EQ(provider.get().keys.access_key_id, "id-2");
  EXPECT_EQ(fetches_, 2);
  is_failing_ = true;
  provider.refuse(provider.get());
  EXPECT_EQ(provider.get().keys.access_key_id, "id-2");  // better than none
}

TEST_F(CredentialRefresh, RefusesKeysThatHaveEnded) {
  life_ = -1;
  CredentialProvider provider(with_clock());
  EXPECT_THROW(provider.get(), Error);
}

TEST_F(CredentialRefresh, StaysWithTheSourceThatItFound) {
  CredentialProvider provider(with_clock());
  provider.get();
  set("AWS_ACCESS_KEY_ID", "other");
  set("AWS_SECRET_ACCESS_KEY", "SeCrEt");
  now_ += 51 * minute;
  EXPECT_EQ(provider.get().keys.access_key_id, "id-2");
}

class CredentialChain : public testing::Test, protected TestEnvironment {};

TEST_F(CredentialChain, AsksInBotocoresOrder) {
  TestHttpServer agent(
      [](const Received&) { return Answer{http_answer(200, json_keys("container", now_ms() + 3'600'000))}; });
  TestHttpServer imds([](const Received& request) {
    return imds_answer(request, json_keys("instance", now_ms() + 3'600'000));
  });
  TestHttpServer sts(
      [](const Received&) { return Answer{http_answer(200, sts_answer("web", now_ms() + 3'600'000))}; });
  auto first = [&] { return CredentialProvider(context()).get().keys.access_key_id; };
  set("AWS_EC2_METADATA_SERVICE_ENDPOINT", imds.url());
  EXPECT_EQ(first(), "instance");
  set("AWS_CONTAINER_CREDENTIALS_FULL_URI", agent.url() + "/");
  EXPECT_EQ(first(), "container");
  put_file("config", "[default]\naws_access_key_id=files\naws_secret_access_key=s\n");
  EXPECT_EQ(first(), "files");
  put_file("token", "ToKeN");
  set("AWS_ENDPOINT_URL_STS", sts.url());
  set("AWS_WEB_IDENTITY_TOKEN_FILE", file("token"));
  set("AWS_ROLE_ARN", "arn:role");
  EXPECT_EQ(first(), "web");
  set("AWS_ACCESS_KEY_ID", "environment");
  set("AWS_SECRET_ACCESS_KEY", "s");
  EXPECT_EQ(first(), "environment");
}

TEST_F(CredentialChain, SaysWhereItLooked) {
  set("AWS_EC2_METADATA_DISABLED", "true");
  CredentialProvider provider(context());
  try {
    provider.get();
    FAIL();
  } catch (const Error& error) {
    EXPECT_EQ(error.kind(), ErrorKind::internal);
    EXPECT_NE(std::string(error.what()).find("There are no AWS credentials"), std::string::npos);
  }
}

TEST_F(CredentialChain, DoesNotLookFurtherThanAPlaceThatIsSetUpWrongly) {
  TestHttpServer imds([](const Received& request) {
    return imds_answer(request, json_keys("instance", now_ms() + 3'600'000));
  });
  set("AWS_EC2_METADATA_SERVICE_ENDPOINT", imds.url());
  put_file("config", "[default]\nsso_session=corp\n");
  try {
    CredentialProvider(context()).get();
    FAIL();
  } catch (const Error& error) {
    EXPECT_EQ(error.kind(), ErrorKind::internal);  // no fault of whoever asked over HTTP
    EXPECT_NE(std::string(error.what()).find("sso_session"), std::string::npos);
  }
  EXPECT_EQ(imds.arrived(), 0);
}

}  // namespace
}  // namespace segments::aws
