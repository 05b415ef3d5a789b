#include "celery/message.h"

#include <bzlib.h>
#include <gtest/gtest.h>
#include <zlib.h>

#include "celery/arguments.h"
#include "celery/content.h"
#include "celery/iso_time.h"
#include "celery/keys.h"

namespace segments::celery {
namespace {

const std::string good_headers =
    R"j({"lang": "py", "task": "tasks.add", "id": "8f1d", "shadow": null, "eta": "2026-11-22T14:46:49.737872+00:00",
        "expires": null, "group": null, "group_index": null, "retries": 0, "timelimit": [300, 2.5], "root_id": "8f1d",
        "parent_id": null, "argsrepr": "(1, 2)", "kwargsrepr": "{}", "origin": "gen7@host", "ignore_result": false,
        "replaced_task_nesting": 0, "stamped_headers": null, "stamps": {}, "mine": 123456789012345678901234567890})j";
const std::string good_body =
    R"([[1, 12345678901234567890123], {"x": NaN}, {"callbacks": null, "errbacks": null, "chain": null, "chord": null}])";

std::string element(
    const std::string& body = good_body, const std::string& headers = good_headers,
    const std::string& properties = R"("body_encoding": "base64", "priority": 6, "odd": [1.50],)",
    const std::string& type = "\"application/json\"") {
  return R"({"body": ")" + encode_base64(body) + R"(", "content-encoding": "utf-8", "content-type": )" +
         type + R"(, "headers": )" + headers + R"(, "properties": {)" + properties +
         R"("correlation_id": "8f1d", "reply_to": "oid", "delivery_mode": 2,
            "delivery_info": {"exchange": "", "routing_key": "celery"}, "delivery_tag": "tag"}})";
}

TaskMessage good(const std::string& raw) {
  auto decoded = decode_message(raw);
  if (auto* fault = std::get_if<MessageFault>(&decoded)) {
    ADD_FAILURE() << fault->sentence << " in " << raw;
    return {};
  }
  return std::get<TaskMessage>(decoded);
}
MessageProblem problem(const std::string& raw) {
  auto decoded = decode_message(raw);
  const auto* fault = std::get_if<MessageFault>(&decoded);
  EXPECT_TRUE(fault) << raw;
  if (!fault) return MessageProblem::invalid;
  EXPECT_TRUE(fault->sentence.ends_with(".")) << fault->sentence;
  return fault->why;
}
std::string replaced(std::string text, const std::string& what, const std::string& with) {
  EXPECT_NE(text.find(what), text.npos) << what;
  return text.replace(text.find(what), what.size(), with);
}

TEST(TaskMessage, IsReadWithAllItsFields) {
  auto message = good(element());
  EXPECT_EQ(message.task, "tasks.add");
  EXPECT_EQ(message.id, "8f1d");
  EXPECT_EQ(message.eta, 1'795'358'809'738);  // never early
  EXPECT_FALSE(message.expires);
  EXPECT_EQ(message.time_limit.hard_s, 300);
  EXPECT_EQ(message.time_limit.soft_s, 2.5);
  EXPECT_EQ(message.priority, 6);
  EXPECT_EQ(message.routing_key, "celery");
  EXPECT_EQ(message.reply_to, "oid");
  EXPECT_EQ(message.ignore_result, false);
  EXPECT_EQ(print_json(message.args), "[1,12345678901234567890123]");
  EXPECT_EQ(print_json(message.kwargs), R"({"x":NaN})");
  EXPECT_FALSE(message.redelivered);
}

TEST(TaskMessage, NeedsLittle) {
  auto message = good(
      R"({"body": "[[], {}, null]", "content-type": "application/json", "headers": {"task": "t", "id": "i"},
                          "properties": {}})");
  EXPECT_EQ(message.root(), "i");
  EXPECT_EQ(message.priority, 0);
  EXPECT_FALSE(message.ignore_result);
  good(element("[[], {}, {}]", R"({"task": "t", "id": "i", "retries": null, "timelimit": null})"));
  EXPECT_EQ(good(element("[[], {}, {}]", R"({"task": "t", "id": "i", "timelimit": [null, null]})",
                         R"("body_encoding": "base64", "priority": 77,)"))
                .priority,
            9);
}

TEST(TaskMessage, OfTheOldProtocolIsRead) {
  auto message = good(element(
      R"({"task": "tasks.add", "id": "x", "args": [2, 3], "kwargs": {"k": 1}, "taskset": "g", "group": null, "retries": 2,
          "eta": null, "expires": "2026-11-22T14:46:49", "utc": true, "callbacks": [{"task": "t"}], "errbacks": null,
          "timelimit": [null, 3], "chord": null})",
      "{}"));
  EXPECT_EQ(message.protocol, 1);
  EXPECT_EQ(message.group, "g");
  EXPECT_EQ(message.retries, 2);
  EXPECT_EQ(message.expires, 1'795'358'809'000);
  EXPECT_EQ(message.embed.at("callbacks").items().size(), 1u);
  good(element(R"({"task": "tasks.add", "id": "x"})", "{}"));
  // Its retry is one of protocol 2.
  auto retry = good(encode_retry(message, 5'000));
  EXPECT_EQ(retry.protocol, 2);
  EXPECT_EQ(retry.retries, 3);
  EXPECT_EQ(retry.args, message.args);
  EXPECT_EQ(retry.embed.at("callbacks"), message.embed.at("callbacks"));
}

TEST(TaskMessage, WhatKillsPythonIsAFault) {
  using enum MessageProblem;
  for (const char* garbage :
       {"", "garbage", "[]", "null", "5", "{}", R"({"body": "x"})", R"({"body": "", "properties": null})",
        R"({"body": 5, "properties": {}})", R"({"body": "", "headers": [], "properties": {}})", "\xff{}"})
    EXPECT_EQ(problem(garbage), not_an_envelope) << garbage;
  EXPECT_EQ(problem(replaced(element(), encode_base64(good_body), "*not base64*")), undecodable);
  EXPECT_EQ(problem(element("")), undecodable);
  EXPECT_EQ(problem(element("{")), undecodable);
  EXPECT_EQ(problem(element("\xff")), undecodable);
  EXPECT_EQ(problem(element(R"([["\ud800"], {}, {}])")), undecodable);
  EXPECT_EQ(problem(element(good_body, replaced(good_headers, "\"lang\"",
                                                "\"compression\": \"application/zstd\", \"lang\""))),
            undecodable);
  EXPECT_EQ(problem(element(good_body, good_headers, "", "null")), content_type);
  for (const char* type : {"application/x-python-serialize", "application/x-yaml", "application/x-msgpack",
                           "application/data", "text/plain"})
    EXPECT_EQ(problem(element(good_body, good_headers, "", "\"" + std::string(type) + "\"")), content_type);
  for (const char* body : {"[]", "[[], {}]", "[[], {}, {}, {}]", "{}", "5", "[5, {}, {}]", "[[], [], {}]",
                           "[[], {}, []]", "[\"ab\", {}, {}]"})
    EXPECT_EQ(problem(element(body)), invalid) << body;
  for (const char* body : {"{}", "[]", "5", "{\"id\": \"x\"}"})
    EXPECT_EQ(problem(element(body, "{}")), unknown) << body;
  for (const char* body :
       {R"({"task": "t"})", R"({"task": 5, "id": "x"})", R"({"task": "t", "id": "x", "args": 5})",
        R"({"task": "t", "id": "x", "kwargs": []})"})
    EXPECT_EQ(problem(element(body, "{}")), invalid) << body;
  for (const char* id : {"5", "\"\"", "null", "[]", "true"})
    EXPECT_EQ(problem(element(good_body, replaced(good_headers, "\"8f1d\"", id))), invalid) << id;
  EXPECT_EQ(problem(element(good_body, R"({"task": "t"})")), invalid);
  EXPECT_EQ(problem(element(good_body, R"({"task": null, "id": "i"})")), invalid);
  for (const char* field :
       {R"("eta": "tomorrow")", R"("eta": 5)", R"("expires": "2026-13-01T00:00:00")", R"("retries": "x")",
        R"("retries": -1)", R"("retries": 99999999999999999999)", R"("timelimit": [1, 2, 3])",
        R"("timelimit": 5)", R"("timelimit": ["x", null])", R"("timelimit": [NaN, null])", R"("group": 5)"})
    EXPECT_EQ(problem(element(good_body, R"({"task": "t", "id": "i", )" + std::string(field) + "}")), invalid)
        << field;
  auto fault = std::get<MessageFault>(decode_message(element("{}")));
  EXPECT_EQ(fault.task, "tasks.add");
  EXPECT_EQ(fault.id, "8f1d");
}

TEST(TaskMessage, CompressionIsBounded) {
  std::string plain(50 << 20, ' '), why;
  uLongf size = compressBound(plain.size());
  std::string zipped(size, '\0');
  compress2(reinterpret_cast<Bytef*>(zipped.data()), &size, reinterpret_cast<const Bytef*>(plain.data()),
            plain.size(), 6);
  zipped.resize(size);
  EXPECT_FALSE(decompress(zipped, "zlib", 1 << 20, why));
  EXPECT_NE(why.find("larger than 1048576"), why.npos);
  EXPECT_EQ(decompress(zipped, "zlib", plain.size(), why), plain);
  EXPECT_FALSE(decompress(zipped + "x", "zlib", plain.size(), why));
  EXPECT_FALSE(decompress(zipped.substr(0, zipped.size() - 1), "zlib", plain.size(), why));
  for (const char* method : {"zlib", "bzip2", "lzma"}) {
    EXPECT_FALSE(decompress("", method, 100, why));
    EXPECT_FALSE(decompress("garbage", method, 100, why));
  }
  EXPECT_FALSE(decompress("x", "application/x-brotli", 100, why));
}

TEST(TaskMessage, RestoredKeepsAllElse) {
  auto raw = element();
  auto restored = encode_restored(raw);
  ASSERT_TRUE(restored);
  auto expected = *read_json(raw), got = *read_json(*restored);
  auto headers = expected.at("headers"), properties = expected.at("properties"),
       delivery = properties.at("delivery_info");
  headers.put("redelivered", true);
  delivery.put("redelivered", true);
  properties.put("delivery_info", delivery);
  expected.put("headers", headers);
  expected.put("properties", properties);
  EXPECT_EQ(got, expected);
  EXPECT_TRUE(good(*restored).redelivered);
  EXPECT_EQ(good(*restored).delivery_tag, "tag");
  EXPECT_FALSE(encode_restored("garbage"));
  EXPECT_FALSE(encode_restored("{}"));
  EXPECT_EQ(priority_of(raw), 6);
  EXPECT_EQ(priority_of("garbage"), 0);
}

TEST(TaskMessage, RetriedKeepsAllElse) {
  auto raw = element(good_body, replaced(good_headers, "\"expires\": null",
                                         "\"expires\": \"2026-11-22T14:46:49.737872+00:00\""));
  auto retry = encode_retry(good(*encode_restored(raw)), 1'795'359'000'000);
  auto json = *read_json(retry), before = *read_json(raw);
  EXPECT_EQ(json.at("body"), before.at("body"));  // byte for byte
  EXPECT_EQ(json.at("headers").at("mine").text(), "123456789012345678901234567890");
  EXPECT_EQ(json.at("headers").at("expires"), before.at("headers").at("expires"));
  EXPECT_EQ(print_json(json.at("headers").at("timelimit")), "[300,2.5]");
  EXPECT_EQ(json.at("headers").text_of("eta"), "2026-11-22T14:50:00.000000+00:00");
  EXPECT_EQ(json.at("headers").at("retries").integer(), 1);
  EXPECT_EQ(json.at("headers").text_of("parent_id"), "8f1d");
  EXPECT_FALSE(json.at("headers").find("redelivered"));
  EXPECT_FALSE(json.at("properties").at("delivery_info").find("redelivered"));
  EXPECT_EQ(print_json(json.at("properties").at("odd")), "[1.50]");
  EXPECT_EQ(json.at("properties").at("priority").integer(), 6);
  EXPECT_NE(json.at("properties").text_of("delivery_tag"), "tag");
}

TEST(TaskMessage, TimesAreThoseOfIso8601) {
  EXPECT_EQ(parse_iso_time("1970-01-01T00:00:00"), 0);
  EXPECT_EQ(parse_iso_time("1970-01-01T00:00"), 0);
  EXPECT_EQ(parse_iso_time("1970-01-02"), 86'400'000);
  EXPECT_EQ(parse_iso_time("1970-01-01T02:00:00.5+02:00"), 500);
  EXPECT_EQ(parse_iso_time("1969-12-31 22:30:00-0130"), 0);
  EXPECT_EQ(parse_iso_time("1970-01-01T00:00:00.0001Z"), 0);
  EXPECT_EQ(parse_iso_time("1970-01-01T00:00:00.0001Z", true), 1);
  for (const char* text : {"", "now", "1970", "1970-1-1", "19700101", "1970-01-01T", "1970-01-01T24:00:00",
                           "1970-02-30", "0000-01-01", "1970-01-01T00:00:00.", "1970-01-01T00:00:00+2",
                           "1970-01-01T00:00:00+02:00x", "1970-01-01T00:60:00", "-970-01-01"})
    EXPECT_FALSE(parse_iso_time(text)) << text;
  for (Millis at : {Millis(0), Millis(1'795'358'809'738), Millis(-1), Millis(253'402'300'799'999),
                    Millis(-62'135'596'800'000)})
    EXPECT_EQ(parse_iso_time(format_iso_time(at)), at);
}

TEST(Base64, IsItsOwnReverse) {
  std::string bytes;
  for (int i = 0; i < 300; ++i) {
    EXPECT_EQ(decode_base64(encode_base64(bytes)), bytes);
    bytes += static_cast<char>(i * 7);
  }
  EXPECT_EQ(encode_base64("any carnal pleas"), "YW55IGNhcm5hbCBwbGVhcw==");
  for (const char* text : {"Y", "YW", "YW=", "YW===", "Y=W=", "YW55=", "Y*==", "===="})
    EXPECT_FALSE(decode_base64(text)) << text;
  EXPECT_EQ(decode_base64("YW\n55\r\n"), "any");
}

TEST(Keys, AreCelerys) {
  EXPECT_EQ(keys::queue_list("celery", 2), "celery");
  EXPECT_EQ(keys::queue_list("celery", 3),
            "celery\x06\x16"
            "3");
  EXPECT_EQ(keys::queue_list("celery", 8),
            "celery\x06\x16"
            "6");
  EXPECT_EQ(keys::queue_list("celery", 99),
            "celery\x06\x16"
            "9");
  EXPECT_EQ(keys::queue_list("celery", -1), "celery");
  EXPECT_EQ(keys::binding_member("celery", "celery"),
            "celery\x06\x16\x06\x16"
            "celery");
  EXPECT_EQ(keys::event_channel(0, "worker-heartbeat"), "/0.celeryev/worker.heartbeat");
  EXPECT_EQ(keys::event_channel(3, "task-multi"), "/3.celeryev/task.multi");
  EXPECT_EQ(keys::control_channel(2), "/2.celery.pidbox");
  EXPECT_EQ(keys::chord_parts("g"), "celery-taskset-meta-g.j");
}

}  // namespace
}  // namespace segments::celery
