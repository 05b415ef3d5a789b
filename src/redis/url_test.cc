#include "redis/url.h"

#include <gtest/gtest.h>

#include "base/error.h"

namespace segments::redis {
namespace {

TEST(RedisUrl, HasDefaults) {
  for (auto text :
       {"redis://", "redis://localhost", "REDIS://localhost/", "redis://localhost:6379/0", "redis://:@/"}) {
    auto url = parse_url(text);
    EXPECT_EQ(url.shown(), "redis://localhost:6379/0") << text;
    EXPECT_TRUE(url.user.empty() && url.password.empty() && !url.tls && url.verify) << text;
  }
}

TEST(RedisUrl, HasAllParts) {
  auto url = parse_url(
      "rediss://al%69ce:p%40ss%3A%2Fw@redis.example.org:7000/12?ssl_ca_certs=/etc/ca%20s.pem&x=y"
      "&ssl_certfile=/c.pem&ssl_keyfile=/k.pem&socket_timeout=3");
  EXPECT_EQ(url.user, "alice");
  EXPECT_EQ(url.password, "p@ss:/w");
  EXPECT_EQ(url.host, "redis.example.org");
  EXPECT_EQ(url.port, 7000);
  EXPECT_EQ(url.db, 12);
  EXPECT_TRUE(url.tls && url.verify);
  EXPECT_EQ(url.ca_file, "/etc/ca s.pem");
  EXPECT_EQ(url.cert_file, "/c.pem");
  EXPECT_EQ(url.key_file, "/k.pem");
  EXPECT_EQ(url.shown(), "rediss://alice@redis.example.org:7000/12");
}

TEST(RedisUrl, TakesPasswordsThatWereNotEscaped) {
  auto url = parse_url("redis://:a@b:c@host");
  EXPECT_EQ(url.user, "");
  EXPECT_EQ(url.password, "a@b:c");
  EXPECT_EQ(url.host, "host");
}

TEST(RedisUrl, TakesAddressesInBrackets) {
  auto url = parse_url("redis://u:p@[::1]:7/2");
  EXPECT_EQ(url.host, "::1");
  EXPECT_EQ(url.port, 7);
  EXPECT_EQ(url.shown(), "redis://u@[::1]:7/2");
  EXPECT_EQ(parse_url("redis://[fe80::1%25eth0]").shown(), "redis://[fe80::1%25eth0]:6379/0");
}

TEST(RedisUrl, TakesSocketFiles) {
  for (auto text : {"redis+socket:///run/r%20s?virtual_host=3", "unix:///run/r s?db=3",
                    "socket:///run/r s?virtual_host=/3"}) {
    auto url = parse_url(text);
    EXPECT_EQ(url.socket_path, "/run/r s");
    EXPECT_EQ(url.db, 3);
    EXPECT_EQ(url.shown(), "redis+socket:///run/r%20s?virtual_host=3");
  }
  auto url = parse_url("unix://u:p@/run/redis");
  EXPECT_EQ(url.user + url.password + url.socket_path, "up/run/redis");
}

TEST(RedisUrl, TurnsVerificationOffOnlyWhereItIsToldTo) {
  for (auto text : {"none", "CERT_NONE", "cert_none"})
    EXPECT_FALSE(parse_url(std::string("rediss://h?ssl_cert_reqs=") + text).verify);
  for (auto text : {"required", "CERT_REQUIRED", "optional", "CERT_OPTIONAL"})
    EXPECT_TRUE(parse_url(std::string("rediss://h?ssl_cert_reqs=") + text).verify);
}

TEST(RedisUrl, RefusesWithoutTellingThePassword) {
  const std::string bad[] = {"",
                             "secret",
                             "localhost:6379",
                             "http://:secret@h",
                             "redis:/:secret@h",
                             "redis://:secret@h:0",
                             "redis://:secret@h:65536",
                             "redis://:secret@h:port",
                             "redis://:sec#secret@h",
                             "redis://:sec/secret@h",
                             "redis://:secret%@h",
                             "redis://:secret%zz@h",
                             "redis://:secret@[::1",
                             "redis://:secret@[::1]6379",
                             "redis://:secret@h h",
                             "redis://:secret@h%00",
                             "redis://:secret@h/x",
                             "redis://:secret@h/-1",
                             "redis://:secret@h/1/2",
                             "redis://:secret@h/99999999999",
                             "redis://:secret@h?db=",
                             "redis://:secret@h?db=secret",
                             "rediss://:secret@h?ssl_cert_reqs=maybe",
                             "unix://:secret@",
                             "unix://:secret@host/path",
                             "unix:///secret%00",
                             "unix:///secret" + std::string(110, 'x')};
  for (const auto& text : bad) {
    try {
      parse_url(text);
      ADD_FAILURE() << text;
    } catch (const Error& error) {
      EXPECT_EQ(error.kind(), ErrorKind::invalid);
      EXPECT_EQ(std::string(error.what()).find("sec"), std::string::npos) << text << ": " << error.what();
    }
  }
}

}  // namespace
}  // namespace segments::redis
