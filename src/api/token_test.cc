#include "api/token.h"

#include <gtest/gtest.h>

#include "base/crypto.h"
#include "base/text.h"

namespace segments {
namespace {

constexpr std::string_view secret = "a secret of the tests";
constexpr Millis now = 1'800'000'000'000;

std::string sign(std::string_view header, std::string_view claims, std::string_view key = secret) {
  std::string signed_part = encode_base64url(header) + "." + encode_base64url(claims);
  return signed_part + "." + encode_base64url(hmac_sha256(key, signed_part));
}
constexpr std::string_view good_header = R"({"alg":"HS256","typ":"JWT"})";

std::optional<std::string> user_of(const std::string& token, Millis at = now) {
  TokenVerifier verifier{std::string(secret)};
  std::string why;
  return verifier.find_user(token, at, why);
}

TEST(Token, MintedTokensAreVerified) {
  EXPECT_EQ(user_of(mint_token(secret, "alice", std::nullopt, now)), "alice");
  EXPECT_EQ(user_of(mint_token(secret, "\"Ünï\"@example.org", now + 60'000, now)), "\"Ünï\"@example.org");
}

// The example of RFC 7515, A.1, but for its times: a token made by others.
TEST(Token, ReadsTheExampleOfTheStandard) {
  auto key = decode_base64url(
      "AyM1SysPpbyDfgZld3umj1qzKObwVMkoqQ-EstJQLr_T-1qS0gZH75aKtMN3Yj0iPS4hcgUuTwjAzZr1Z9CAow");
  std::string token =
      "eyJ0eXAiOiJKV1QiLA0KICJhbGciOiJIUzI1NiJ9."
      "eyJpc3MiOiJqb2UiLA0KICJleHAiOjEzMDA4MTkzODAsDQogImh0dHA6Ly9leGFtcGxlLmNvbS9pc19yb290Ijp0cnVlfQ."
      "dBjftJeZ4CVP-mB92K27uhbUJU1p1r_wW1gFWFOEjXk";
  std::string why;
  EXPECT_FALSE(verify_token(*key, token, why));
  EXPECT_EQ(why, "subject");  // its signature is right; it names no user
}

TEST(Token, RefusesEveryOtherAlgorithm) {
  for (const char* algorithm : {"none", "None", "NONE", "", "RS256", "ES256", "HS384", "HS512", "hs256"}) {
    std::string header = R"({"alg":")" + std::string(algorithm) + R"(","typ":"JWT"})";
    EXPECT_FALSE(user_of(sign(header, R"({"sub":"alice"})"))) << algorithm;
    EXPECT_FALSE(user_of(encode_base64url(header) + "." + encode_base64url(R"({"sub":"alice"})") + "."))
        << algorithm;
  }
  EXPECT_FALSE(user_of(sign(R"({"typ":"JWT"})", R"({"sub":"alice"})")));
  EXPECT_FALSE(user_of(sign(R"({"alg":["HS256"]})", R"({"sub":"alice"})")));
  EXPECT_FALSE(user_of(sign(R"({"alg":"HS256","crit":["b64"],"b64":false})", R"({"sub":"alice"})")));
  EXPECT_FALSE(user_of(sign(R"({"alg":"HS256","typ":"JWE"})", R"({"sub":"alice"})")));
}

TEST(Token, AnyOneCharacterChangedIsRefused) {
  std::string token = mint_token(secret, "alice", now + 60'000, now);
  for (std::size_t i = 0; i < token.size(); ++i)
    for (char c : {'A', 'B', '.', '=', '\0'}) {
      std::string changed = token;
      if (changed[i] == c) continue;
      changed[i] = c;
      ASSERT_FALSE(user_of(changed)) << i;
    }
  EXPECT_FALSE(user_of(token + "A"));
  EXPECT_FALSE(user_of(token + "."));
  EXPECT_FALSE(user_of(token.substr(0, token.size() - 1)));
  EXPECT_FALSE(user_of(sign(good_header, R"({"sub":"alice"})", "another secret")));
  EXPECT_FALSE(user_of(""));
  EXPECT_FALSE(user_of(".."));
}

TEST(Token, ChecksTimesWithALeewayOfAMinute) {
  auto with = [](const std::string& times) { return sign(good_header, R"({"sub":"alice",)" + times + "}"); };
  std::int64_t s = now / 1'000;
  EXPECT_TRUE(user_of(with("\"exp\":" + std::to_string(s - 59))));
  EXPECT_FALSE(user_of(with("\"exp\":" + std::to_string(s - 60))));
  EXPECT_FALSE(user_of(with("\"exp\":0")));
  EXPECT_TRUE(user_of(with("\"nbf\":" + std::to_string(s + 60))));
  EXPECT_FALSE(user_of(with("\"nbf\":" + std::to_string(s + 61))));
  EXPECT_TRUE(user_of(with("\"exp\":" + std::to_string(s) + ".5")));
  for (const char* broken : {"\"exp\":\"1900000000\"", "\"exp\":null", "\"exp\":1e400", "\"exp\":-1e13",
                             "\"nbf\":[]", "\"exp\":true"})
    EXPECT_FALSE(user_of(with(broken))) << broken;
}

TEST(Token, WantsASubjectThatCanBeAUser) {
  using Texts = std::vector<std::string>;
  for (const auto& claims :
       Texts{R"({})", R"({"sub":""})", R"({"sub":7})", R"({"sub":null})", R"({"sub":"a\nb"})",
             R"({"sub":"a\u0000"})", R"([])", R"("sub")", "{\"sub\":\"\xff\"}", R"({"sub":"alice")"})
    EXPECT_FALSE(user_of(sign(good_header, claims))) << claims;
  EXPECT_TRUE(user_of(sign(good_header, R"({"sub":")" + std::string(200, 'a') + "\"}")));
  EXPECT_FALSE(user_of(sign(good_header, R"({"sub":")" + std::string(201, 'a') + "\"}")));
}

TEST(Token, IsBoundedInSize) {
  EXPECT_TRUE(user_of(sign(good_header, R"({"sub":"a","x":")" + std::string(5'900, 'x') + "\"}")));
  EXPECT_FALSE(user_of(sign(good_header, R"({"sub":"a","x":")" + std::string(6'200, 'x') + "\"}")));
}

TEST(Token, AnEmptySecretVerifiesNothing) {
  std::string why;
  EXPECT_FALSE(verify_token("", sign(good_header, R"({"sub":"alice"})", ""), why));
}

TEST(TokenVerifier, RemembersABoundedNumberAndStillExpiresThem) {
  TokenVerifier verifier(std::string(secret), 10);
  std::string why;
  std::string token = mint_token(secret, "alice", now + 1'000, now);
  EXPECT_TRUE(verifier.find_user(token, now, why));
  EXPECT_EQ(verifier.remembered(), 1u);
  EXPECT_TRUE(verifier.find_user(token, now + 60'000, why));
  EXPECT_FALSE(verifier.find_user(token, now + 61'000, why));
  EXPECT_EQ(why, "expired");
  EXPECT_FALSE(verifier.find_user(token + "x", now, why));
  for (int i = 0; i < 100; ++i) {
    EXPECT_EQ(verifier.find_user(mint_token(secret, "u" + std::to_string(i), now + 1'000, now), now, why),
              "u" + std::to_string(i));
    EXPECT_LE(verifier.remembered(), 10u);
  }
}

}  // namespace
}  // namespace segments
