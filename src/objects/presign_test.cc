#include "objects/presign.h"

#include <gtest/gtest.h>

#include "base/error.h"

namespace segments {
namespace {

constexpr Millis now = 1'795'000'000'123;

std::string refusal(std::string_view method, std::string_view target, Millis at = now) {
  try {
    verify_media_url("secret", method, target, at);
  } catch (const Error& error) {
    EXPECT_EQ(error.kind(), ErrorKind::forbidden) << target;
    return error.what();
  }
  return "";
}

const PresignRequest put_request{.method = PresignMethod::put,
                                 .key = "uploads/v1/ä clip & 100%.mp4",
                                 .expires_in_s = 60,
                                 .content_type = "video/mp4",
                                 .size = 12'345};
const PresignRequest get_request{.key = "processed/v1/segment_001.mp4",
                                 .expires_in_s = 60,
                                 .disposition = "attachment; filename=\"a&b=c.mp4\"",
                                 .content_type = "video/mp4"};
const PresignRequest part_request{.method = PresignMethod::put,
                                  .key = "uploads/v1/a.mp4",
                                  .expires_in_s = 60,
                                  .upload_id = "0123456789abcdef0123456789abcdef",
                                  .part_number = 10'000};

TEST(Presign, BindsWhatWasAskedFor) {
  auto allowed = verify_media_url("secret", "PUT", sign_media_url("secret", put_request, now).url, now);
  EXPECT_EQ(allowed.method, PresignMethod::put);
  EXPECT_EQ(allowed.key, put_request.key);
  EXPECT_EQ(allowed.size, 12'345);
  EXPECT_EQ(allowed.content_type, "video/mp4");
  EXPECT_FALSE(allowed.disposition);
  EXPECT_FALSE(allowed.upload_id);
  allowed = verify_media_url("secret", "GET", sign_media_url("secret", get_request, now).url, now);
  EXPECT_EQ(allowed.method, PresignMethod::get);
  EXPECT_EQ(allowed.disposition, get_request.disposition);
  allowed = verify_media_url("secret", "PUT", sign_media_url("secret", part_request, now).url, now);
  EXPECT_EQ(allowed.upload_id, part_request.upload_id);
  EXPECT_EQ(allowed.part_number, 10'000);
}

TEST(Presign, AnAddressForGetAdmitsHeadAndNothingElse) {
  std::string get = sign_media_url("secret", get_request, now).url;
  EXPECT_EQ(refusal("GET", get), "");
  EXPECT_EQ(refusal("HEAD", get), "");
  EXPECT_NE(refusal("PUT", get).find("another method"), std::string::npos);
  std::string put = sign_media_url("secret", put_request, now).url;
  EXPECT_EQ(refusal("PUT", put), "");
  for (const char* method : {"GET", "HEAD", "DELETE", "POST"}) EXPECT_NE(refusal(method, put), "") << method;
}

TEST(Presign, ExpiresToTheSecond) {
  auto signed_url = sign_media_url("secret", get_request, now);
  EXPECT_GE(signed_url.expires, now + 60'000);
  EXPECT_LT(signed_url.expires, now + 61'000);
  EXPECT_EQ(refusal("GET", signed_url.url, signed_url.expires - 1), "");
  EXPECT_NE(refusal("GET", signed_url.url, signed_url.expires).find("expired"), std::string::npos);
}

TEST(Presign, AnotherSecretIsRefused) {
  EXPECT_NE(refusal("GET", sign_media_url("other", get_request, now).url), "");
  EXPECT_NE(refusal("GET", sign_media_url("", get_request, now).url), "");
}

TEST(Presign, AnyByteChangedAddedOrTakenAwayIsRefused) {
  for (const auto& request : {put_request, get_request, part_request}) {
    const char* method = request.method == PresignMethod::put ? "PUT" : "GET";
    const std::string url = sign_media_url("secret", request, now).url;
    ASSERT_EQ(refusal(method, url), "");
    for (std::size_t i = 0; i < url.size(); ++i) {
      for (int byte = 0; byte < 256; ++byte) {
        std::string changed = url;
        changed[i] = static_cast<char>(byte);
        if (changed != url) {
          ASSERT_NE(refusal(method, changed), "") << changed;
        }
      }
      ASSERT_NE(refusal(method, std::string(url).erase(i, 1)), "");
      ASSERT_NE(refusal(method, std::string(url).insert(i, 1, url[i])), "");
      ASSERT_NE(refusal(method, url.substr(0, i)), "");
      ASSERT_NE(refusal(method, url.substr(i + 1)), "");
    }
    ASSERT_NE(refusal(method, url + "&size=1"), "");
    ASSERT_NE(refusal(method, url + "&signature="), "");
    ASSERT_NE(refusal(method, url + "#x"), "");
  }
}

TEST(Presign, WhatIsNoSignedAddressIsRefused) {
  for (const char* target :
       {"", "/", "/media/", "/media/a", "/media/a?", "/media/a?signature=", "/media/a?&signature=",
        "/media/a?expires=1&signature=", "/media/../a?expires=99999999999&signature=x", "&signature=?"})
    EXPECT_NE(refusal("GET", target), "") << target;
}

}  // namespace
}  // namespace segments
