#include "base/metrics.h"

#include <gtest/gtest.h>

#include <thread>

namespace segments {
namespace {

TEST(Metrics, PrintsCountersAndGauges) {
  Metrics metrics;
  metrics.counter("requests_total", "Requests answered", {{"route", "/a"}, {"code", "200"}}).add(3);
  metrics.counter("requests_total", "Requests answered", {{"code", "404"}, {"route", "/a"}}).add();
  metrics.gauge("depth", "Waiting").set(2.5);
  EXPECT_EQ(metrics.print(),
            "# HELP requests_total Requests answered\n"
            "# TYPE requests_total counter\n"
            "requests_total{code=\"200\",route=\"/a\"} 3\n"
            "requests_total{code=\"404\",route=\"/a\"} 1\n"
            "# HELP depth Waiting\n"
            "# TYPE depth gauge\n"
            "depth 2.5\n");
}

TEST(Metrics, EscapesLabelsAndHelp) {
  Metrics metrics;
  metrics.counter("c", "a\\b\nc \"q\"", {{"l", "x\"y\\z\nw"}}).add();
  EXPECT_EQ(metrics.print(), "# HELP c a\\\\b\\nc \"q\"\n# TYPE c counter\nc{l=\"x\\\"y\\\\z\\nw\"} 1\n");
}

TEST(Metrics, FindsTheSameMetricAgain) {
  Metrics metrics;
  auto& counter = metrics.counter("c", "h", {{"a", "1"}, {"b", "2"}});
  EXPECT_EQ(&counter, &metrics.counter("c", "", {{"b", "2"}, {"a", "1"}}));
  EXPECT_NE(&counter, &metrics.counter("c", "h", {{"a", "1"}}));
}

TEST(Metrics, PrintsSpecialValues) {
  Metrics metrics;
  metrics.gauge("a", "h").set(std::numeric_limits<double>::infinity());
  metrics.gauge("b", "h").set(std::numeric_limits<double>::quiet_NaN());
  auto text = metrics.print();
  EXPECT_NE(text.find("\na +Inf\n"), text.npos);
  EXPECT_NE(text.find("\nb NaN\n"), text.npos);
}

TEST(Histogram, CountsIntoCumulativeBuckets) {
  Metrics metrics;
  auto& histogram = metrics.histogram("t_seconds", "Time", {{"route", "/a"}});
  for (double seconds : {0.00005, 0.0001, 0.0002, 1.0, 59.0, 1000.0}) histogram.observe(seconds);
  auto text = metrics.print();
  auto has = [&](const std::string& line) {
    EXPECT_NE(text.find(line + "\n"), text.npos) << line << "\n" << text;
  };
  has("# TYPE t_seconds histogram");
  has("t_seconds_bucket{route=\"/a\",le=\"0.0001\"} 2");
  has("t_seconds_bucket{route=\"/a\",le=\"0.00025\"} 3");
  has("t_seconds_bucket{route=\"/a\",le=\"0.5\"} 3");
  has("t_seconds_bucket{route=\"/a\",le=\"1\"} 4");
  has("t_seconds_bucket{route=\"/a\",le=\"60\"} 5");
  has("t_seconds_bucket{route=\"/a\",le=\"+Inf\"} 6");
  has("t_seconds_count{route=\"/a\"} 6");
  EXPECT_NEAR(histogram.sum(), 1060.00035, 1e-9);
  EXPECT_EQ(Histogram::bounds().size(), 18u);
}

TEST(Metrics, AsksBeforeItPrints) {
  Metrics metrics;
  int calls = 0;
  metrics.before_print([&](Metrics& m) { m.gauge("asked", "h").set(++calls); });
  metrics.print();
  EXPECT_NE(metrics.print().find("asked 2\n"), std::string::npos);
}

TEST(Metrics, LosesNothingAmongThreads) {
  Metrics metrics;
  std::vector<std::thread> threads;
  for (int t = 0; t < 4; ++t)
    threads.emplace_back([&, t] {
      for (int i = 0; i < 5'000; ++i) {
        metrics.counter("c", "h").add();
        metrics.gauge("g", "h").add(1);
        metrics.histogram("s", "h", {{"t", std::to_string(t)}}).observe(0.5);
        if (i % 1'000 == 0) metrics.print();
      }
    });
  for (auto& thread : threads) thread.join();
  EXPECT_EQ(metrics.counter("c", "h").value(), 20'000u);
  EXPECT_EQ(metrics.gauge("g", "h").value(), 20'000);
  EXPECT_EQ(metrics.histogram("s", "h", {{"t", "3"}}).count(), 5'000u);
}

}  // namespace
}  // namespace segments
