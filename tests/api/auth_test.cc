// Who may come in.
#include "api/auth.h"

#include "api/fixture.h"
#include "api/route.h"
#include "api/token.h"
#include "base/crypto.h"
#include "base/text.h"

namespace segments::testing {
namespace {

class Auth : public ApiTest {
 protected:
  Answer with(const std::string& authorization, const std::string& target = "/api/segments") {
    return call("GET", target, "", "", {{"Authorization", authorization}});
  }
  std::string sign(std::string_view header, std::string_view claims, std::string_view key) {
    std::string signed_part = encode_base64url(header) + "." + encode_base64url(claims);
    return signed_part + "." + encode_base64url(hmac_sha256(key, signed_part));
  }
};

TEST_F(Auth, EveryRouteButThePublicOnesWantsAToken) {
  std::size_t closed = 0;
  for (const auto& route : api_routes()) {
    std::string target = route.pattern;
    for (auto open = target.find('{'); open != target.npos; open = target.find('{'))
      target.replace(open, target.find('}') - open + 1, "x");
    auto answer = call(route.method, target, "{}", "");
    bool is_open = route.access == Access::open;
    EXPECT_EQ(answer.status == 401 || answer.status == 429, !is_open)
        << route.method << " " << target << " " << answer.status;
    if (answer.status == 401) {
      EXPECT_TRUE(answer.header("WWW-Authenticate").starts_with("Bearer")) << route.pattern;
    }
    closed += !is_open;
  }
  EXPECT_GE(closed, 30u);
}

TEST_F(Auth, TokensThatAreNotOursAreRefused) {
  const std::string& secret = settings_.auth_secret;
  std::string good = token("alice");
  EXPECT_EQ(with("Bearer " + good).status, 200);
  EXPECT_EQ(with("bearer  " + good).status, 200);
  std::string none =
      encode_base64url(R"({"alg":"none"})") + "." + encode_base64url(R"({"sub":"alice"})") + ".";
  for (const std::string& bad :
       {"Bearer " + none, "Bearer " + sign(R"({"alg":"none"})", R"({"sub":"alice"})", secret),
        "Bearer " + sign(R"({"alg":"RS256"})", R"({"sub":"alice"})", secret),
        "Bearer " + sign(R"({"alg":"HS256"})", R"({"sub":"alice"})", "forged"),
        "Bearer " + sign(R"({"alg":"HS256"})", R"({"sub":"alice","exp":1})", secret),
        "Bearer " + sign(R"({"alg":"HS256"})", R"({"sub":"alice","nbf":99999999999})", secret),
        "Bearer " + sign(R"({"alg":"HS256"})", R"({})", secret), std::string("Bearer "),
        std::string("Bearer"), "Basic " + good, good, "Bearer " + good + "x",
        "Bearer " + std::string(20'000, 'x'), std::string("Bearer ..")}) {
    auto answer = with(bad);
    EXPECT_EQ(answer.status, 401) << bad.substr(0, 200);
    EXPECT_EQ(answer.header("WWW-Authenticate"), "Bearer realm=\"segments\", error=\"invalid_token\"");
    EXPECT_EQ(answer.text("title"), "Unauthorized");
    EXPECT_EQ(answer.header("Access-Control-Allow-Origin"), "*");
  }
}

TEST_F(Auth, ManyFailuresOfAnAddressAreSlowedDownButNotThoseWithAToken) {
  int unauthorized = 0, limited = 0;
  for (int i = 0; i < 80; ++i) {
    auto answer = with("Bearer forged");
    unauthorized += answer.status == 401;
    limited += answer.status == 429;
    if (answer.status == 429) {
      EXPECT_GE(std::stoi(answer.header("Retry-After")), 1);
      EXPECT_NE(answer.header("RateLimit").find("r=0"), std::string::npos);
    }
  }
  EXPECT_EQ(unauthorized + limited, 80);
  EXPECT_GE(unauthorized, 60);
  EXPECT_GE(limited, 1);
  EXPECT_EQ(get("/api/segments").status, 200);
  EXPECT_EQ(metrics().counter("segments_auth_rejected_total", "").value(), 80u);
}

TEST_F(Auth, RequestsOfAUserAreLimitedWhereThatIsSet) {
  settings_.requests_per_minute = 5;
  rebuild();
  for (int i = 0; i < 5; ++i) EXPECT_EQ(get("/api/segments").status, 200);
  auto answer = get("/api/segments");
  EXPECT_EQ(answer.status, 429);
  EXPECT_EQ(answer.text("title"), "Too Many Requests");
  EXPECT_GE(std::stoi(answer.header("Retry-After")), 1);
  EXPECT_EQ(get("/api/segments", "bob").status, 200);
  EXPECT_EQ(get("/health").status, 200);
}

TEST_F(Auth, TicketsOpenStreamsAndNothingElse) {
  auto made = call("POST", "/api/stream-tickets");
  ASSERT_EQ(made.status, 201);
  std::string ticket = made.text("ticket");
  EXPECT_EQ(call("GET", "/api/events?ticket=" + ticket, "", "").status, 200);
  EXPECT_EQ(call("GET", "/api/events?ticket=" + ticket, "", "").status, 200);
  EXPECT_EQ(call("GET", "/api/job-progress/none/stream?ticket=" + ticket, "", "").status, 404);
  EXPECT_EQ(call("GET", "/api/events?ticket=" + ticket + "&user_id=bob", "", "").status, 403);
  EXPECT_EQ(call("GET", "/api/segments?ticket=" + ticket, "", "").status, 401);
  EXPECT_EQ(with("Bearer " + ticket).status, 401);
  EXPECT_EQ(call("GET", "/api/events?ticket=" + token("alice"), "", "").status, 401);
  for (std::size_t i = 0; i < ticket.size(); i += 7) {
    std::string changed = ticket;
    changed[i] = changed[i] == 'A' ? 'B' : 'A';
    EXPECT_FALSE(find_ticket_user(settings_.auth_secret, changed, now_ms())) << i;
  }
  Millis now = now_ms();
  std::string old = make_ticket(settings_.auth_secret, "alice", now);
  EXPECT_EQ(find_ticket_user(settings_.auth_secret, old, now + ticket_lifetime - 1), "alice");
  EXPECT_FALSE(find_ticket_user(settings_.auth_secret, old, now + ticket_lifetime));
  EXPECT_FALSE(find_ticket_user("other", old, now));
  EXPECT_FALSE(find_ticket_user("", make_ticket("", "alice", now), now));
}

class TrustedAuth : public TrustedApiTest {};

TEST_F(TrustedAuth, TheRequestNamesItsUser) {
  create_segment("ann", "v1");
  auto made = post(
      "/api/segments",
      R"({"video_id":"v2","segment_type":"audio","segment_number":1,"s3_key":"a","duration":1,"file_size":1})");
  EXPECT_EQ(made.text("user_id"), "anonymous");
  auto by_query = post(
      "/api/segments?user_id=cy",
      R"({"user_id":"ann","video_id":"v3","segment_type":"audio","segment_number":1,"s3_key":"a","duration":1,"file_size":1})");
  EXPECT_EQ(by_query.text("user_id"), "cy");
  EXPECT_EQ(get("/api/segments?user_id=ann")["total_count"].as_int64(), 1);
  EXPECT_EQ(get("/api/segments?user_id=nobody")["total_count"].as_int64(), 0);
  EXPECT_EQ(get("/api/segments")["total_count"].as_int64(), 1);  // anonymous
  // Ownership is not checked.
  EXPECT_EQ(get("/api/segments/" + by_query.text("segment_id")).status, 200);
  EXPECT_EQ(put("/api/segments/" + made.text("segment_id") + "?user_id=ann", R"({"title":"x"})").status, 200);
  for (const char* bad : {"%0A", "%7F"})
    EXPECT_EQ(get(std::string("/api/segments?user_id=") + bad).status, 422);
  EXPECT_EQ(get("/api/segments?user_id=" + std::string(201, 'u')).status, 422);
}

}  // namespace
}  // namespace segments::testing
