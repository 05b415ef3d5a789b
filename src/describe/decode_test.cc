#include "describe/decode.h"

#include <gtest/gtest.h>

#include <limits>
#include <map>
#include <random>

#include "describe/sample_types.h"

namespace segments {
namespace {

using namespace sample;

const std::string minimal = R"("name":"a","count":1,"length":2,"is_new":true,"colour":"red")";

// "pointer code" of each fault, in their order; "malformed" for text that is no JSON.
template <class T>
std::vector<std::string> faults_of(std::string_view text) {
  try {
    decode<T>(text);
  } catch (const Error& error) {
    if (error.kind() == ErrorKind::malformed) return {"malformed"};
    EXPECT_EQ(error.kind(), ErrorKind::invalid);
    std::vector<std::string> faults;
    for (const auto& fault : error.faults()) {
      EXPECT_FALSE(fault.detail.empty());
      EXPECT_TRUE(fault.detail.ends_with('.')) << fault.detail;
      EXPECT_TRUE(is_utf8(fault.detail) && is_utf8(fault.pointer));
      faults.push_back(fault.pointer + " " + fault.code);
    }
    return faults;
  }
  return {};
}

std::vector<std::string> thing_faults(const std::string& members) {
  return faults_of<Thing>("{" + minimal + "," + members + "}");
}

using Expected = std::vector<std::string>;

TEST(Decode, TakesEveryKindOfMember) {
  auto thing = decode<Thing>("{" + minimal + R"(,"kind":"x","note":"line\nbreak\ttab","words":["ab","cde"],
    "points":[{"x":1,"y":-2.5}],"counts":{"k":7},"second":"green","origin":{"x":0,"y":1e2},"extra":[1,{"a":null}]})");
  EXPECT_EQ(thing.name, "a");
  EXPECT_EQ(thing.note, "line\nbreak\ttab");
  EXPECT_EQ(thing.words, (std::vector<std::string>{"ab", "cde"}));
  EXPECT_EQ(thing.points, (std::vector<Point>{{1, -2.5}}));
  EXPECT_EQ(thing.counts.at("k"), 7);
  EXPECT_EQ(thing.second, Colour::green);
  EXPECT_EQ(thing.origin, (Point{0, 100}));
  EXPECT_EQ(thing.extra.text, R"([1,{"a":null}])");
}

// Small trees and large ones lie in different memory.
TEST(Decode, TakesMuchAndLittle) {
  for (int size = 0; size <= 1'000; size += size < 100 ? 1 : 100) {
    std::map<std::string, std::int64_t> counts;
    for (int n = 0; n < size; ++n) counts["counted under a name of some length " + std::to_string(n)] = n;
    const std::vector<std::string> words(static_cast<std::size_t>(size), std::string(40, 'w'));
    auto read = decode<std::map<std::string, std::int64_t>>(encode(counts));
    EXPECT_TRUE(read.size() == counts.size() && std::equal(read.begin(), read.end(), counts.begin())) << size;
    EXPECT_EQ(decode<std::vector<std::string>>(encode(words)), words) << size;
    const std::string text(static_cast<std::size_t>(size) * 10, 'x');
    EXPECT_EQ(decode<std::string>(encode(text)), text) << size;
  }
}

TEST(Decode, LeavesWhatIsAbsent) {
  auto thing = decode<Thing>("{" + minimal + R"(,"note":null})");
  EXPECT_EQ(thing.kind, "plain");
  EXPECT_FALSE(thing.note || thing.words || thing.second || thing.origin);
  EXPECT_EQ(thing.extra.text, "null");
}

TEST(Decode, FindsAllFaultsAtOnce) {
  auto faults = faults_of<Thing>(R"({"name":"","count":"12","length":0,"colour":"blue","note":5,
    "words":["x","a b","too long"],"points":[{"x":1,"y":2},{"x":"1","z":0}],"counts":{"a/b~c":1.5},"other":1})");
  EXPECT_EQ(faults, (Expected{"/name length", "/count type", "/length range", "/is_new required",
                              "/colour enum", "/note type", "/words/0 length", "/words/1 format",
                              "/words/2 length", "/points/1/x type", "/points/1/y required",
                              "/points/1/z unknown", "/counts/a~1b~0c type", "/other unknown"}));
}

TEST(Decode, TheSentenceOfASingleFaultIsTheDetail) {
  try {
    decode<Thing>("{" + minimal + R"(,"second":"blue"})");
    FAIL();
  } catch (const Error& error) {
    EXPECT_STREQ(error.what(), "The value must be one of red, green.");
  }
}

TEST(Decode, RefusesTheWrongTypeEverywhere) {
  for (const char* text : {"[]", "1", "\"a\"", "null", "true"})
    EXPECT_EQ(faults_of<Thing>(text), Expected{" type"}) << text;
  EXPECT_EQ(thing_faults(R"("origin":[])"), Expected{"/origin type"});
  EXPECT_EQ(thing_faults(R"("points":{})"), Expected{"/points type"});
  EXPECT_EQ(thing_faults(R"("counts":[])"), Expected{"/counts type"});
  EXPECT_EQ(thing_faults(R"("kind":null)"), Expected{"/kind type"});
  EXPECT_EQ(thing_faults(R"("second":1)"), Expected{"/second type"});
  EXPECT_EQ(thing_faults(R"("words":[null])"), Expected{"/words/0 type"});
  EXPECT_EQ(faults_of<Wide>(R"({"whole":null,"real":null})"), (Expected{"/whole type", "/real type"}));
  EXPECT_EQ(faults_of<Wide>(R"({"whole":"1","real":"1.5"})"), (Expected{"/whole type", "/real type"}));
  EXPECT_EQ(faults_of<Wide>(R"({"whole":true,"real":[1]})"), (Expected{"/whole type", "/real type"}));
}

TEST(Decode, ReadsNumbersExactly) {
  auto wide = decode<Wide>(R"({"whole":9223372036854775807,"real":0.1})");
  EXPECT_EQ(wide.whole, std::numeric_limits<std::int64_t>::max());
  EXPECT_EQ(wide.real, 0.1);
  EXPECT_EQ(decode<Wide>(R"({"whole":-9223372036854775808,"real":0})").whole,
            std::numeric_limits<std::int64_t>::min());
  EXPECT_EQ(decode<Wide>(R"({"whole":1e3,"real":123456789.123456789})").whole, 1000);
  EXPECT_EQ(decode<Wide>(R"({"whole":12.0,"real":9007199254740993})").real, 9007199254740992.0);
  EXPECT_EQ(decode<Wide>(R"({"whole":0,"real":1.7976931348623157e308})").real,
            std::numeric_limits<double>::max());
  EXPECT_EQ(decode<Wide>(R"({"whole":0,"real":1e-400})").real, 0);
  EXPECT_EQ(decode<Wide>(R"({"whole":0,"real":18446744073709551615})").real, 18446744073709551615.0);
}

TEST(Decode, RefusesNumbersThatDoNotFit) {
  auto whole = [](const std::string& n) { return faults_of<Wide>("{\"real\":0,\"whole\":" + n + "}"); };
  auto real = [](const std::string& n) { return faults_of<Wide>("{\"whole\":0,\"real\":" + n + "}"); };
  EXPECT_EQ(whole("9223372036854775808"), Expected{"/whole range"});
  EXPECT_EQ(whole("18446744073709551616"), Expected{"/whole range"});
  EXPECT_EQ(whole("-9223372036854775809"), Expected{"/whole range"});
  EXPECT_EQ(whole("1e400"), Expected{"/whole range"});
  EXPECT_EQ(whole("1e18"), Expected{"/whole range"});
  EXPECT_EQ(whole("1.5"), Expected{"/whole type"});
  EXPECT_EQ(real("1e400"), Expected{"/real range"});
  EXPECT_EQ(real("-1e400"), Expected{"/real range"});
  EXPECT_EQ(real("1" + std::string(400, '0') + "e-1"), Expected{"/real range"});
  EXPECT_EQ(real("NaN"), Expected{"malformed"});
  EXPECT_EQ(real("Infinity"), Expected{"malformed"});
  EXPECT_EQ(real("01"), Expected{"malformed"});
  EXPECT_EQ(real("\"NaN\""), Expected{"/real type"});
  EXPECT_EQ(faults_of<Narrow>(R"({"small":2147483648,"positive":-1})"),
            (Expected{"/small range", "/positive range"}));
}

TEST(Decode, ChecksRanges) {
  EXPECT_EQ(faults_of<Thing>(R"({"name":"a","count":-1,"length":-0.5,"is_new":true,"colour":"red"})"),
            (Expected{"/count range", "/length range"}));
  EXPECT_EQ(faults_of<Thing>(R"({"name":"a","count":1001,"length":1e-9,"is_new":true,"colour":"red"})"),
            Expected{"/count range"});
}

TEST(Decode, CountsCharactersNotBytes) {
  EXPECT_EQ(thing_faults(R"("words":["ąćęłń"])"), Expected{});
  EXPECT_EQ(thing_faults(R"("words":["ąćęłńx"])"), Expected{"/words/0 length"});
  EXPECT_EQ(thing_faults(R"("words":["😀"])"), Expected{"/words/0 length"});
  EXPECT_EQ(thing_faults("\"words\":[\"" + std::string(10'000'000, 'x') + "\"]"),
            Expected{"/words/0 length"});
  EXPECT_EQ(thing_faults(R"("words":["aa","bb","cc","dd"])"), Expected{"/words length"});
  EXPECT_EQ(thing_faults(R"("words":[""])"), Expected{"/words/0 length"});
}

TEST(Decode, RefusesControlCharacters) {
  EXPECT_EQ(thing_faults(R"("kind":"a\nb")"), Expected{"/kind encoding"});
  EXPECT_EQ(thing_faults(R"("kind":"a\u0000b")"), Expected{"/kind encoding"});
  EXPECT_EQ(thing_faults(R"("kind":"a\u007fb")"), Expected{"/kind encoding"});
  EXPECT_EQ(thing_faults(R"("note":"a\u0000b")"), Expected{"/note encoding"});
  EXPECT_EQ(thing_faults(R"("note":"a\u001bb")"), Expected{"/note encoding"});
}

TEST(Decode, RefusesWhatIsNotJson) {
  for (std::string text : {"",
                           " ",
                           "{",
                           "{]",
                           "nul",
                           "{\"a\":1,}",
                           "{'a':1}",
                           "1 2",
                           "{}x",
                           "// c\n{}",
                           "\xef\xbb\xbf{}",
                           "\"\xff\"",
                           "\"\xc0\xaf\"",
                           "\"\xed\xa0\x80\"",
                           R"("\ud800")",
                           "\"a\nb\"",
                           "[1,]",
                           "+1",
                           ".5",
                           "1.",
                           "0x10",
                           "{\"\xff\":1}"})
    EXPECT_EQ(faults_of<Thing>(text), Expected{"malformed"}) << text;
  EXPECT_EQ(faults_of<Thing>(std::string("{}\0", 3)), Expected{"malformed"});
}

TEST(Decode, BoundsTheDepth) {
  auto nested = [](int depth) { return std::string(depth, '[') + std::string(depth, ']'); };
  EXPECT_NO_THROW(parse_json(nested(32)));
  EXPECT_EQ(faults_of<Thing>(nested(33)), Expected{"malformed"});
  EXPECT_EQ(faults_of<Thing>(nested(1'000'000)), Expected{"malformed"});
  EXPECT_EQ(faults_of<Thing>(std::string(1'000'000, '[')), Expected{"malformed"});
}

TEST(Decode, RefusesMembersGivenTwice) {
  EXPECT_EQ(thing_faults(R"("name":"b")"), Expected{"/name duplicate"});
  EXPECT_EQ(thing_faults(R"("points":[{"x":1,"y":2},{"x":1,"y":2,"x":3}])"),
            Expected{"/points/1/x duplicate"});
  EXPECT_EQ(thing_faults(R"("extra":[1,[],{},"s",{"a":{"b":[{"k":1,"\u006b":2}]}}])"),
            Expected{"/extra/4/a/b/0/k duplicate"});
  // Besides the other faults.
  EXPECT_EQ(thing_faults(R"("name":"b","second":1)"), (Expected{"/name duplicate", "/second type"}));
  EXPECT_THROW(parse_json(R"({"a":1,"a":1})"), Error);
  EXPECT_NO_THROW(parse_json(R"({"a":{"a":1},"b":{"a":1}})"));
}

TEST(Decode, FindsDuplicatesAmongManyMembersInGoodTime) {
  std::string text = "{\"n0\":0";
  for (int i = 0; i < 50'000; ++i) text += ",\"n" + std::to_string(i) + "\":0";
  Faults faults;
  detail::parse_json(text + "}", faults);
  ASSERT_EQ(faults.size(), 1u);
  EXPECT_EQ(faults[0].pointer, "/n0");
}

TEST(Decode, TakesIgnoredMembers) {
  EXPECT_EQ(thing_faults(R"("legacy":[1,2])"), Expected{});
  EXPECT_EQ(thing_faults(R"("Legacy":1)"), Expected{"/Legacy unknown"});
}

TEST(Decode, ListsAHundredFaultsAndCountsAll) {
  std::string text = "{" + minimal;
  for (int i = 0; i < 5'000; ++i) text += ",\"u" + std::to_string(i) + "\":0";
  try {
    decode<Thing>(text + "}");
    FAIL();
  } catch (const Error& error) {
    EXPECT_EQ(error.faults().size(), 100u);
    EXPECT_STREQ(error.what(), "The input has 5000 faults; the first 100 are listed.");
  }
}

TEST(Decode, ShowsLongNamesShortly) {
  std::string name;
  for (int i = 0; i < 1'000; ++i) name += "é";
  try {
    decode<Nothing>("{\"x" + name + "\":1}");
    FAIL();
  } catch (const Error& error) {
    EXPECT_LE(error.faults()[0].pointer.size(), 101u);
    EXPECT_TRUE(is_utf8(error.faults()[0].pointer));
  }
}

TEST(Decode, TellsAbsentNullAndValueApart) {
  auto absent = decode<Change>("{}");
  EXPECT_FALSE(absent.title.given || absent.tags.given);
  auto cleared = decode<Change>(R"({"title":null,"tags":null})");
  EXPECT_TRUE(cleared.title.given && !cleared.title.value && cleared.tags.given && !cleared.tags.value);
  auto set = decode<Change>(R"({"title":"t","tags":["a"]})");
  std::optional<std::string> title = "old";
  std::vector<std::string> tags{"old"};
  absent.title.apply_to(title);
  absent.tags.apply_to(tags);
  EXPECT_EQ(title, "old");
  EXPECT_EQ(tags.size(), 1u);
  set.title.apply_to(title);
  set.tags.apply_to(tags);
  EXPECT_EQ(title, "t");
  EXPECT_EQ(tags, std::vector<std::string>{"a"});
  cleared.title.apply_to(title);
  cleared.tags.apply_to(tags);
  EXPECT_FALSE(title);
  EXPECT_TRUE(tags.empty());
  EXPECT_EQ(faults_of<Change>(R"({"title":1,"tags":[1]})"), (Expected{"/title type", "/tags/0 type"}));
}

TEST(CheckNumber, TellsItsBoundsAsPeopleWriteThem) {
  auto sentence = [](double number, const Rule& rule) {
    Faults faults;
    detail::check_number(number, rule, "/n", faults);
    return faults.size() == 1 ? faults[0].detail : "no fault";
  };
  EXPECT_EQ(sentence(-1, {.minimum = 0, .maximum = 1'000'000'000}),
            "The number must be at least 0 and at most 1000000000.");
  EXPECT_EQ(sentence(2e16, {.maximum = 9'007'199'254'740'991}),
            "The number must be at most 9007199254740991.");
  EXPECT_EQ(sentence(0, {.minimum = 0.000001, .maximum = 1e22, .above_minimum = true}),
            "The number must be above 0.000001 and at most 10000000000000000000000.");
  EXPECT_EQ(sentence(-3e6, {.minimum = -2e6, .maximum = 0.1}),
            "The number must be at least -2000000 and at most 0.1.");
  EXPECT_EQ(sentence(1, {.minimum = 1, .maximum = 1}), "no fault");
}

TEST(Serialize, PrintsNumbersPlainly) {
  for (const char* text : {"12.5", "9223372036854775807", "-9223372036854775808", "18446744073709551615",
                           "0.1", "1e+300", "[]", "{}", "[1,[2],{\"a\":[]}]",
                           "{\"a\":1,\"b\":null,\"c\":true}", "\"\\u0001\\\"\\\\\"", "-0.5", "1234567.125"})
    EXPECT_EQ(detail::serialize(parse_json(text)), text);
  EXPECT_EQ(detail::serialize(std::numeric_limits<double>::infinity()), "null");
}

// Every double's text is read back as the same double.
TEST(Serialize, RoundTripsRandomDoubles) {
  std::mt19937_64 random(7);
  for (int i = 0; i < 30'000; ++i) {
    auto number = std::bit_cast<double>(random());
    if (!std::isfinite(number)) continue;
    auto text = encode(number);
    auto json = parse_json(text);
    ASSERT_EQ(json.to_number<double>(), number) << text;
  }
}

std::string random_text(std::mt19937& random, std::size_t most) {
  static const char* const pieces[] = {"a", "Z", "\"", "\\", "/", " ", "é", "漢", "😀", "0", "<", "\x7f"};
  std::string text;
  for (auto n = random() % (most + 1); n > 0; --n) text += pieces[random() % 11];
  return text;
}

TEST(EncodeAndDecode, RoundTripRandomThings) {
  std::mt19937 random(11);
  auto flip = [&] { return random() % 2 == 0; };
  for (int i = 0; i < 2'000; ++i) {
    Thing thing;
    thing.name = "n" + random_text(random, 9);
    thing.count = random() % 1'001;
    thing.length = static_cast<double>(random() + 1) / 977;
    thing.is_new = flip();
    thing.colour = flip() ? Colour::red : Colour::green;
    thing.kind = random_text(random, 100);
    if (flip()) thing.note = random_text(random, 15) + "\n\t";
    if (flip()) thing.words = std::vector<std::string>(random() % 4, "ab");
    for (auto n = random() % 5; n > 0; --n)
      thing.points.push_back({static_cast<double>(random()) / 3, -1e-9 * n});
    for (auto n = random() % 5; n > 0; --n)
      thing.counts[random_text(random, 5)] = -static_cast<std::int64_t>(random());
    if (flip()) thing.second = Colour::green;
    if (flip()) thing.origin = Point{1.0 / (1 + random() % 100), 0};
    thing.extra.text = flip() ? "[1.5,{\"a\":\"b\"}]" : "null";
    auto text = encode(thing);
    ASSERT_EQ(decode<Thing>(text), thing) << text;
    ASSERT_EQ(detail::serialize(parse_json(text)), text);
  }
}

}  // namespace
}  // namespace segments
