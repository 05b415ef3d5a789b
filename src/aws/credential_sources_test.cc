#include "aws/credential_sources.h"

#include <gtest/gtest.h>
#include <unistd.h>

#include <filesystem>
#include <fstream>
#include <map>

#include "aws/profile.h"
#include "aws/test_credentials.h"
#include "aws/test_http_server.h"
#include "base/error.h"

namespace segments::aws {
namespace {

using Answer = TestHttpServer::Answer;
using Received = TestHttpServer::Received;
using Then = TestHttpServer::Then;

class CredentialSources : public testing::Test, protected TestEnvironment {
 protected:
  // What the error says; "" where there is none.
  template <class Find>
  std::pair<ErrorKind, std::string> failure_of(Find find) {
    try {
      find(context());
    } catch (const Error& error) {
      for (const auto& secret : secrets) EXPECT_EQ(std::string(error.what()).find(secret), std::string::npos);
      return {error.kind(), error.what()};
    }
    ADD_FAILURE() << "nothing failed";
    return {};
  }
  template <class Find>
  void expect_failure(Find find, ErrorKind kind, const std::string& part) {
    auto [found, sentence] = failure_of(find);
    EXPECT_EQ(found, kind);
    EXPECT_NE(sentence.find(part), std::string::npos) << sentence;
  }
  const std::vector<std::string> secrets = {"SeCrEt", "ToKeN"};
};

TEST_F(CredentialSources, Environment) {
  EXPECT_FALSE(find_environment_credentials(context()));
  set("AWS_ACCESS_KEY_ID", "");
  EXPECT_FALSE(find_environment_credentials(context()));
  set("AWS_ACCESS_KEY_ID", "id");
  expect_failure(find_environment_credentials, ErrorKind::invalid, "AWS_SECRET_ACCESS_KEY is not");
  set("AWS_SECRET_ACCESS_KEY", "SeCrEt");
  auto found = find_environment_credentials(context()).value();
  EXPECT_EQ(found.keys.access_key_id, "id");
  EXPECT_EQ(found.keys.secret_access_key, "SeCrEt");
  EXPECT_EQ(found.keys.session_token, "");
  EXPECT_FALSE(found.expires_at);
  set("AWS_SECURITY_TOKEN", "old");
  EXPECT_EQ(find_environment_credentials(context())->keys.session_token, "old");
  set("AWS_SESSION_TOKEN", "ToKeN");
  set("AWS_CREDENTIAL_EXPIRATION", "2026-11-23T00:00:00Z");
  EXPECT_EQ(find_environment_credentials(context())->keys.session_token, "ToKeN");
  EXPECT_EQ(find_environment_credentials(context())->expires_at, parse_time("2026-11-23T00:00:00Z"));
  set("AWS_CREDENTIAL_EXPIRATION", "tomorrow");
  expect_failure(find_environment_credentials, ErrorKind::invalid, "AWS_CREDENTIAL_EXPIRATION");
}

TEST_F(CredentialSources, SharedFiles) {
  EXPECT_FALSE(find_profile_credentials(context()));
  put_file("credentials",
           "\xEF\xBB\xBF# ours\r\n[default]\r\naws_access_key_id = id1 ; first\r\n"
           "aws_secret_access_key=SeCrEt/1+=#;x\r\n\r\n[dev]\naws_access_key_id=id2\n"
           "aws_secret_access_key = SeCrEt2\naws_session_token=ToKeN\n  nested = 1\nnot a "
           "setting\n[broken\nx=1\n");
  put_file("config",
           "[default]\nregion = eu-west-1\naws_access_key_id = other\n[profile  web ]\nregion=eu-west-3\n"
           "aws_access_key_id=id3\naws_secret_access_key=SeCrEt3\n[profile half]\naws_access_key_id=id\n");
  auto found = find_profile_credentials(context()).value();
  EXPECT_EQ(found.keys.access_key_id, "id1");
  EXPECT_EQ(found.keys.secret_access_key, "SeCrEt/1+=#;x");
  EXPECT_FALSE(found.expires_at);
  set("AWS_PROFILE", "dev");
  found = find_profile_credentials(context()).value();
  EXPECT_EQ(found.keys.secret_access_key, "SeCrEt2");
  EXPECT_EQ(found.keys.session_token, "ToKeN");
  set("AWS_PROFILE", "web");
  EXPECT_EQ(find_profile_credentials(context())->keys.access_key_id, "id3");
  set("AWS_PROFILE", "half");
  expect_failure(find_profile_credentials, ErrorKind::invalid,
                 "\"half\" in the config file lacks aws_secret");
  set("AWS_PROFILE", "absent");
  expect_failure(find_profile_credentials, ErrorKind::invalid, "\"absent\"");
}

TEST_F(CredentialSources, SharedFilesBeneathHome) {
  std::filesystem::create_directories(file("home/.aws"));
  put_file("home/.aws/credentials", "[default]\naws_access_key_id=id\naws_secret_access_key=SeCrEt\n");
  set("AWS_SHARED_CREDENTIALS_FILE", "");
  set("AWS_CONFIG_FILE", "");
  set("HOME", file("home"));
  EXPECT_EQ(find_profile_credentials(context())->keys.access_key_id, "id");
}

TEST_F(CredentialSources, AnUnsupportedKindIsAClearError) {
  const std::map<std::string, std::string> kinds = {
      {"role_arn=arn:aws:iam::1:role/x\nsource_profile=default", "by assuming a role (role_arn)"},
      {"sso_session=corp\nsso_account_id=1", "by SSO (sso_session)"},
      {"sso_start_url=https://x", "by SSO (sso_start_url)"},
      {"login_session=arn:aws:iam::1:user/x", "by a console login (login_session)"},
      {"credential_process=/bin/keys --SeCrEt", "from a program (credential_process)"},
  };
  set("AWS_PROFILE", "dev");
  for (const auto& [settings, part] : kinds) {
    put_file("config", "[profile dev]\n" + settings +
                           "\n[default]\naws_access_key_id=a\naws_secret_access_key=SeCrEt\n");
    expect_failure(find_profile_credentials, ErrorKind::invalid, "The AWS profile \"dev\" gets");
    expect_failure(find_profile_credentials, ErrorKind::invalid, part);
  }
  // Keys in the credentials file come before a program, but not before a role.
  put_file("config", "[profile dev]\ncredential_process=/bin/keys\n");
  put_file("credentials", "[dev]\naws_access_key_id=id\naws_secret_access_key=SeCrEt\n");
  EXPECT_EQ(find_profile_credentials(context())->keys.access_key_id, "id");
  put_file("config", "[profile dev]\nrole_arn=arn:aws:iam::1:role/x\n");
  expect_failure(find_profile_credentials, ErrorKind::invalid, "role_arn");
}

TEST_F(CredentialSources, WebIdentity) {
  EXPECT_FALSE(find_web_identity_credentials(context()));
  TestHttpServer sts([&](const Received& request) {
    if (request.number == 0) return Answer{"", Then::close};
    if (request.number == 1) return Answer{http_answer(400, sts_error("IDPCommunicationError"))};
    if (request.number == 2 || request.number == 3)
      return Answer{http_answer(200, sts_answer("id", 1'000'000))};
    return Answer{http_answer(403, sts_error("AccessDenied"))};
  });
  put_file("token", "ToKeN-1\n");
  set("AWS_ENDPOINT_URL_STS", sts.url());
  set("AWS_WEB_IDENTITY_TOKEN_FILE", file("token"));
  expect_failure(find_web_identity_credentials, ErrorKind::invalid, "AWS_ROLE_ARN is not");
  set("AWS_ROLE_ARN", "arn:aws:iam::1:role/a b");
  auto found = find_web_identity_credentials(context()).value();
  EXPECT_EQ(found.keys.access_key_id, "id");
  EXPECT_EQ(found.keys.secret_access_key, "SeCrEt");
  EXPECT_EQ(found.keys.session_token, "ToKeN");
  EXPECT_EQ(found.expires_at, 1'000'000);
  EXPECT_EQ(slept, (std::vector<Millis>{1'000, 1'000}));
  // The file is read anew every time.
  put_file("token", "ToKeN-2");
  set("AWS_ROLE_SESSION_NAME", "me");
  find_web_identity_credentials(context());
  auto requests = sts.received();
  EXPECT_EQ(
      requests.at(2).body,
      "Action=AssumeRoleWithWebIdentity&Version=2011-06-15&RoleArn=arn%3Aaws%3Aiam%3A%3A1%3Arole%2Fa%20b&"
      "RoleSessionName=segments&WebIdentityToken=ToKeN-1");
  EXPECT_TRUE(requests.at(3).body.ends_with("&RoleSessionName=me&WebIdentityToken=ToKeN-2"));
  EXPECT_EQ(requests.at(2).header("authorization"), "");  // it is not signed
  // A refusal for good is told at once, by its code alone.
  expect_failure(find_web_identity_credentials, ErrorKind::unavailable, "web identity: AccessDenied.");
  EXPECT_EQ(sts.received().size(), 5u);
  set("AWS_WEB_IDENTITY_TOKEN_FILE", file("absent"));
  expect_failure(find_web_identity_credentials, ErrorKind::unavailable, "AWS_WEB_IDENTITY_TOKEN_FILE");
}

TEST_F(CredentialSources, WebIdentityOfTheProfile) {
  TestHttpServer sts([&](const Received&) { return Answer{http_answer(200, sts_answer("id", 5))}; });
  put_file("token", "ToKeN");
  put_file("config", "[default]\nrole_arn=arn:role\nweb_identity_token_file=" + file("token") + "\n");
  set("AWS_ENDPOINT_URL_STS", sts.url());
  EXPECT_EQ(find_web_identity_credentials(context())->keys.access_key_id, "id");
}

TEST_F(CredentialSources, WebIdentityNeedsARegionForAwsOwnAddress) {
  put_file("token", "ToKeN");
  set("AWS_WEB_IDENTITY_TOKEN_FILE", file("token"));
  set("AWS_ROLE_ARN", "arn:role");
  expect_failure(find_web_identity_credentials, ErrorKind::invalid, "AWS_REGION");
}

TEST_F(CredentialSources, Container) {
  EXPECT_FALSE(find_container_credentials(context()));
  TestHttpServer agent([&](const Received& request) {
    if (request.number == 0) return Answer{http_answer(500, "")};
    if (request.number == 1) return Answer{"HTTP/1.1 200 OK\r\nContent-Length: 100\r\n\r\ncut", Then::close};
    if (request.number <= 3) return Answer{http_answer(200, json_keys("id", 7'000))};
    if (request.number == 4) return Answer{http_answer(403, "no ToKeN")};
    return Answer{http_answer(200, R"({"AccessKeyId":"id","SecretAccessKey":"SeCrEt"})")};
  });
  set("AWS_CONTAINER_CREDENTIALS_FULL_URI", agent.url() + "/v1/credentials?a=b");
  set("AWS_CONTAINER_AUTHORIZATION_TOKEN", "Basic ToKeN");
  auto found = find_container_credentials(context()).value();
  EXPECT_EQ(found.keys.access_key_id, "id");
  EXPECT_EQ(found.keys.session_token, "ToKeN");
  EXPECT_EQ(found.expires_at, 7'000);
  EXPECT_EQ(slept, (std::vector<Millis>{1'000, 1'000}));
  put_file("authorization", "Bearer ToKeN\n");
  set("AWS_CONTAINER_AUTHORIZATION_TOKEN_FILE", file("authorization"));
  find_container_credentials(context());
  EXPECT_EQ(agent.received().at(2).target, "/v1/credentials?a=b");
  EXPECT_EQ(agent.received().at(2).header("authorization"), "Basic ToKeN");
  EXPECT_EQ(agent.received().at(3).header("authorization"), "Bearer ToKeN");
  expect_failure(find_container_credentials, ErrorKind::unavailable, "status 403");
  EXPECT_EQ(agent.received().size(), 5u);
  // Keys without an end would be used for ever.
  expect_failure(find_container_credentials, ErrorKind::unavailable, "holds none");
  EXPECT_EQ(agent.received().size(), 8u);
}

TEST_F(CredentialSources, ContainerByAddressesOfAgentsAlone) {
  for (const char* url :
       {"http://10.0.0.1/x", "http://example.com/x", "http://169.254.169.254/x", "ftp://127.0.0.1/",
        "http://127.0.0.1@evil.com/x", "http://localhost.evil.com/", "127.0.0.1", "http://[::2]/",
        "http://127.0.0.1/a b", "http://127.0.0.1/a\r\nx: y", "http://0177.0.0.1/"}) {
    set("AWS_CONTAINER_CREDENTIALS_FULL_URI", url);
    EXPECT_EQ(failure_of(find_container_credentials).first, ErrorKind::invalid) << url;
  }
  set("AWS_CONTAINER_CREDENTIALS_FULL_URI", "http://127.0.0.1:1/");
  set("AWS_CONTAINER_AUTHORIZATION_TOKEN", "ToKeN\r\nx-evil: 1");
  expect_failure(find_container_credentials, ErrorKind::invalid, "line break");
  set("AWS_CONTAINER_AUTHORIZATION_TOKEN", "");
  expect_failure(find_container_credentials, ErrorKind::unavailable, "cannot be reached");
}

TEST_F(CredentialSources, Instance) {
  TestHttpServer imds([&](const Received& request) { return imds_answer(request, json_keys("id", 9'000)); });
  set("AWS_EC2_METADATA_SERVICE_ENDPOINT", imds.url() + "/");
  auto found = find_instance_credentials(context()).value();
  EXPECT_EQ(found.keys.access_key_id, "id");
  EXPECT_EQ(found.expires_at, 9'000);
  auto requests = imds.received();
  ASSERT_EQ(requests.size(), 3u);
  EXPECT_EQ(requests[0].method, "PUT");
  EXPECT_EQ(requests[0].header("x-aws-ec2-metadata-token-ttl-seconds"), "21600");
  EXPECT_EQ(requests[1].header("x-aws-ec2-metadata-token"), "SeSsIoN");
  EXPECT_EQ(requests[2].target, "/latest/meta-data/iam/security-credentials/my%20role");
  set("AWS_EC2_METADATA_DISABLED", "TRUE");
  EXPECT_FALSE(find_instance_credentials(context()));
  EXPECT_EQ(imds.received().size(), 3u);
}

TEST_F(CredentialSources, InstanceWithoutVersion2IsRefused) {
  for (int status : {403, 404, 405}) {
    TestHttpServer imds([&](const Received& request) {
      return request.method == "PUT" ? Answer{http_answer(status, "")}
                                     : Answer{http_answer(200, json_keys("v1", 9'000))};
    });
    set("AWS_EC2_METADATA_SERVICE_ENDPOINT", imds.url());
    expect_failure(find_instance_credentials, ErrorKind::unavailable, "no version 2");
    EXPECT_EQ(imds.count("GET"), 0);
  }
}

TEST_F(CredentialSources, InstanceThatFails) {
  auto imds_with = [&](const std::string& keys) {
    return [keys, this](const Received& request) { return imds_answer(request, keys); };
  };
  TestHttpServer failing(imds_with(R"({"Code":"AssumeRoleUnauthorizedAccess","Message":"ToKeN"})"));
  set("AWS_EC2_METADATA_SERVICE_ENDPOINT", failing.url());
  expect_failure(find_instance_credentials, ErrorKind::unavailable, "AssumeRoleUnauthorizedAccess");
  TestHttpServer nonsense(imds_with("<html>ToKeN"));
  set("AWS_EC2_METADATA_SERVICE_ENDPOINT", nonsense.url());
  expect_failure(find_instance_credentials, ErrorKind::unavailable, "holds none");
  TestHttpServer no_role([&](const Received& request) {
    return request.method == "PUT" ? Answer{http_answer(200, "SeSsIoN")} : Answer{http_answer(404, "")};
  });
  set("AWS_EC2_METADATA_SERVICE_ENDPOINT", no_role.url());
  EXPECT_FALSE(find_instance_credentials(context()));
  // Nobody there at all: not an instance.
  set("AWS_EC2_METADATA_SERVICE_ENDPOINT", "http://127.0.0.1:1");
  EXPECT_FALSE(find_instance_credentials(context()));
  TestHttpServer silent([](const Received&) { return Answer{"", Then::hold}; });
  set("AWS_EC2_METADATA_SERVICE_ENDPOINT", silent.url());
  expect_failure(find_instance_credentials, ErrorKind::unavailable, "did not answer in time");
}

TEST(StsAnswer, IsReadOrRefused) {
  EXPECT_TRUE(parse_sts_credentials(sts_answer("id", 1'000)));
  for (const std::string& wrong : {std::string(), std::string("<a/>"), sts_error("X"), sts_answer("", 1'000),
                                   sts_answer("i&#10;d", 1'000), sts_answer("id", 1'000).substr(0, 200),
                                   "<!DOCTYPE x>" + sts_answer("id", 1'000)})
    EXPECT_FALSE(parse_sts_credentials(wrong)) << wrong;
}

}  // namespace
}  // namespace segments::aws
