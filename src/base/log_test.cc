#include "base/log.h"

#include <gtest/gtest.h>

#include <filesystem>
#include <fstream>
#include <limits>
#include <map>
#include <optional>
#include <regex>
#include <thread>

#include "base/batch.h"
#include "base/ids.h"
#include "base/text.h"

namespace segments {
namespace {

std::optional<std::string> take_string(std::string_view& text) {
  if (!text.starts_with('"')) return std::nullopt;
  std::string out;
  for (text.remove_prefix(1); !text.empty() && text[0] != '"'; text.remove_prefix(1)) {
    if (static_cast<unsigned char>(text[0]) < 0x20) return std::nullopt;
    if (text[0] != '\\') {
      out += text[0];
      continue;
    }
    text.remove_prefix(1);
    if (text.starts_with('u')) {
      out += static_cast<char>(std::stoi(std::string(text.substr(1, 4)), nullptr, 16));
      text.remove_prefix(4);
    } else if (text.starts_with('n')) {
      out += '\n';
    } else if (text.starts_with('"') || text.starts_with('\\')) {
      out += text[0];
    } else {
      return std::nullopt;
    }
  }
  if (text.empty()) return std::nullopt;
  text.remove_prefix(1);
  return out;
}

// The members of a flat JSON object of strings and plain words; fails where the line is not one, of valid
// UTF-8.
std::map<std::string, std::string> members_of(std::string_view line) {
  std::map<std::string, std::string> members;
  auto wrong = [&] {
    ADD_FAILURE() << "not a line of the log: " << line;
    return members;
  };
  std::string_view text = line;
  if (!is_utf8(text)) return wrong();
  for (char before = '{'; !text.empty(); before = ',') {
    if (text == "}" && before == ',') return members;
    if (text[0] != before) return wrong();
    text.remove_prefix(1);
    auto key = take_string(text);
    if (!key || !text.starts_with(':') || members.count(*key)) return wrong();
    text.remove_prefix(1);
    auto value = take_string(text);
    if (!value) {
      auto end = std::min(text.find_first_of(",}"), text.size());
      value = text.substr(0, end);
      text.remove_prefix(end);
    }
    members[*key] = *value;
  }
  return wrong();
}

// The log goes into a file of the test's own; set_log_file() exchanges it each time.
class Log : public testing::Test {
 protected:
  Log() {
    EXPECT_TRUE(set_log_file(file));
    set_log_level(LogLevel::info);
  }
  ~Log() override {
    set_log_file("/dev/null");
    set_log_level(LogLevel::info);
    std::filesystem::remove(file);
  }
  std::vector<std::string> lines() const {
    std::ifstream in(file);
    std::vector<std::string> all;
    for (std::string line; std::getline(in, line);) all.push_back(line);
    return all;
  }
  // The only line, without its time.
  std::string line() const {
    auto all = lines();
    EXPECT_EQ(all.size(), 1u);
    return all.empty()
               ? ""
               : std::regex_replace(
                     all[0], std::regex(R"(^\{"time":"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{3}Z",)"), "{");
  }
  const std::string file = std::filesystem::temp_directory_path() / ("log-" + make_id());
};

TEST_F(Log, WritesOneJsonObjectALine) {
  log_info("a.b", {{"text", "x"},
                   {"string", std::string("y")},
                   {"whole", 7},
                   {"real", 1.5},
                   {"flag", true},
                   {"size", std::size_t{9}},
                   {"nan", std::numeric_limits<double>::quiet_NaN()}});
  EXPECT_EQ(
      line(),
      R"({"level":"info","event":"a.b","text":"x","string":"y","whole":7,"real":1.5,"flag":true,"size":9,"nan":null})");
}

TEST_F(Log, EscapesWhateverComes) {
  std::string nasty = "a\"b\\c\nd\te\x01\x7f\xff\xc3 é😀";
  nasty += '\0';
  log_error("e", {{"v", nasty}, {"k\"\n", "w"}});
  auto members = members_of(lines().at(0));
  EXPECT_EQ(members["v"], clean_utf8(nasty));
  EXPECT_EQ(members["k\"\n"], "w");
  EXPECT_EQ(lines().size(), 1u);
}

TEST_F(Log, BoundsLongValues) {
  std::string text;
  for (int i = 0; i < 100'000; ++i) text += "é";
  log_info("e", {{"v", text}});
  EXPECT_LT(lines().at(0).size(), 9'000u);
  EXPECT_EQ(members_of(lines().at(0)).size(), 4u);
}

TEST_F(Log, CarriesTheIdsOfItsScopes) {
  {
    LogScope request("request_id", "r1");
    {
      LogScope task("task_id", "t1");
      log_info("both");
      LogScope inner("request_id", "r2");
      log_info("inner");
      log_info("field", {{"task_id", "own"}});
    }
    log_info("one");
  }
  log_info("none");
  auto all = lines();
  ASSERT_EQ(all.size(), 5u);
  auto ends = [&](int i, const char* end) { EXPECT_TRUE(all[i].ends_with(end)) << all[i]; };
  ends(0, R"("event":"both","request_id":"r1","task_id":"t1"})");
  ends(1, R"("event":"inner","task_id":"t1","request_id":"r2"})");
  ends(2, R"("event":"field","request_id":"r2","task_id":"own"})");
  ends(3, R"("event":"one","request_id":"r1"})");
  ends(4, R"("event":"none"})");
}

TEST_F(Log, KeepsScopesOfThreadsApart) {
  LogScope scope("request_id", "mine");
  std::thread([] { log_info("other"); }).join();
  EXPECT_EQ(line(), R"({"level":"info","event":"other"})");
}

TEST_F(Log, LeavesOutWhatIsBelowItsLevel) {
  log_debug("hidden");
  set_log_level(LogLevel::error);
  log_warning("hidden");
  log_error("shown");
  EXPECT_EQ(line(), R"({"level":"error","event":"shown"})");
  EXPECT_FALSE(is_logged(LogLevel::warning));
  set_log_level(LogLevel::off);
  EXPECT_FALSE(is_logged(LogLevel::error));
  EXPECT_FALSE(is_logged(LogLevel::off));
}

TEST_F(Log, KeepsLinesOfManyThreadsWhole) {
  std::vector<std::thread> threads;
  const std::string filler(500, 'x');
  for (int t = 0; t < 8; ++t)
    threads.emplace_back([&, t] {
      for (int i = 0; i < 500; ++i) log_info("many", {{"t", t}, {"i", i}, {"filler", filler}});
    });
  for (auto& thread : threads) thread.join();
  auto all = lines();
  ASSERT_EQ(all.size(), 4'000u);
  for (const auto& text : all) ASSERT_EQ(members_of(text)["filler"], filler);
}

TEST_F(Log, WritesTheLinesOfABatchTogether) {
  int wanted = 0;
  Batch batch([&] { ++wanted; });
  log_info("a");
  log_info("b");
  EXPECT_TRUE(lines().empty());
  std::thread([] { log_info("of another thread"); }).join();
  EXPECT_EQ(lines().size(), 1u);
  batch.end();
  EXPECT_EQ(lines().size(), 3u);
  EXPECT_EQ(wanted, 1);
  log_info("before");
  log_error("at once");
  auto all = lines();
  ASSERT_EQ(all.size(), 5u);
  EXPECT_EQ(members_of(all[3])["event"], "before");
  EXPECT_EQ(members_of(all[4])["event"], "at once");
  EXPECT_EQ(wanted, 2);
}

TEST_F(Log, BoundsABatchAndWritesItAtItsEnd) {
  constexpr std::size_t most = 4096;  // PIPE_BUF
  {
    Batch batch([] {});
    std::uintmax_t written = 0;
    for (int i = 0; i < 1'000; ++i) {
      log_info("many", {{"i", i}});
      auto now = std::filesystem::file_size(file);
      ASSERT_LE(now - written, most);
      written = now;
    }
    EXPECT_GT(written, most);
    EXPECT_LT(lines().size(), 1'000u);
    log_info("long", {{"filler", std::string(2 * most, 'x')}});
  }
  auto all = lines();
  ASSERT_EQ(all.size(), 1'001u);
  for (int i = 0; i < 1'000; ++i) ASSERT_TRUE(all[i].ends_with("\"i\":" + std::to_string(i) + "}")) << all[i];
  EXPECT_EQ(members_of(all[1'000])["event"], "long");
}

TEST_F(Log, ExchangesItsFileWhileOthersWrite) {
  std::atomic<bool> stop = false;
  std::atomic<int> written = 0;
  std::thread writer([&] {
    for (; !stop; ++written) log_info("line", {{"n", written.load()}});
  });
  const std::string second = file + ".2";
  for (int i = 0; i < 200; ++i) ASSERT_TRUE(set_log_file(i % 2 ? file : second));
  while (written < 100) std::this_thread::yield();
  stop = true;
  writer.join();
  std::ifstream in(second);
  int count = static_cast<int>(lines().size());
  for (std::string text; std::getline(in, text); ++count) EXPECT_EQ(members_of(text).size(), 4u);
  EXPECT_EQ(count, written);
  std::filesystem::remove(second);
}

TEST_F(Log, SaysWhenAFileCannotBeOpened) {
  EXPECT_FALSE(set_log_file("/nowhere/at/all"));
  log_info("still");
  EXPECT_EQ(line(), R"({"level":"info","event":"still"})");
}

}  // namespace
}  // namespace segments
