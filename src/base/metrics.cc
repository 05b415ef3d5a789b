#include "base/metrics.h"

#include <algorithm>
#include <array>
#include <charconv>
#include <cmath>

namespace segments {

namespace {

template <class Number>
std::string number_text(Number number) {
  if constexpr (std::is_floating_point_v<Number>) {
    if (std::isnan(number)) return "NaN";
    if (std::isinf(number)) return number > 0 ? "+Inf" : "-Inf";
  }
  std::array<char, 32> digits;
  char* end = digits.data() + digits.size();
  // Bucket bounds are read by people: 0.0001, not 1e-04.
  if constexpr (std::is_floating_point_v<Number>)
    if (number > 1e-6 && number < 1)
      return {digits.data(), std::to_chars(digits.data(), end, number, std::chars_format::fixed).ptr};
  return {digits.data(), std::to_chars(digits.data(), end, number).ptr};
}

std::string escape(std::string_view text, bool quotes) {
  std::string out;
  for (char c : text) {
    if (c == '\n') {
      out += "\\n";
      continue;
    }
    if (c == '\\' || (quotes && c == '"')) out += '\\';
    out += c;
  }
  return out;
}

// `a="1",b="2"`, sorted by name: the same labels in another order are the same metric.
std::string label_text(Labels labels) {
  std::sort(labels.begin(), labels.end());
  std::string out;
  for (const auto& [name, value] : labels) {
    if (!out.empty()) out += ',';
    out += name + "=\"" + escape(value, true) + '"';
  }
  return out;
}

std::string braced(const std::string& labels) {
  return labels.empty() ? "" : "{" + labels + "}";
}

void print_value(std::string& out, const std::string& name, const std::string& labels,
                 const Counter& counter) {
  out += name + braced(labels) + " " + number_text(counter.value()) + "\n";
}

void print_value(std::string& out, const std::string& name, const std::string& labels, const Gauge& gauge) {
  out += name + braced(labels) + " " + number_text(gauge.value()) + "\n";
}

void print_value(std::string& out, const std::string& name, const std::string& labels,
                 const Histogram& histogram) {
  std::string before = labels.empty() ? "" : labels + ",";
  std::uint64_t below = 0;
  const auto& bounds = Histogram::bounds();
  for (std::size_t i = 0; i < bounds.size(); ++i) {
    below += histogram.bucket(i);
    out += name + "_bucket{" + before + "le=\"" + number_text(bounds[i]) + "\"} " + number_text(below) + "\n";
  }
  // Observations go on meanwhile; a total below its buckets would be refused by readers.
  auto total = number_text(std::max(below, histogram.count()));
  out += name + "_bucket{" + before + "le=\"+Inf\"} " + total + "\n";
  out += name + "_sum" + braced(labels) + " " + number_text(histogram.sum()) + "\n";
  out += name + "_count" + braced(labels) + " " + total + "\n";
}

template <class Families>
void print_families(std::string& out, const Families& families, const char* type) {
  for (const auto& [name, family] : families) {
    print_metric_head(out, name, family.help, type);
    for (const auto& [labels, metric] : family.by_labels) print_value(out, name, labels, *metric);
  }
}

template <class Families>
auto& find_or_make(Families& families, std::string_view name, std::string_view help, const Labels& labels) {
  auto& family = families[std::string(name)];
  if (family.help.empty()) family.help = help;
  auto& metric = family.by_labels[label_text(labels)];
  using Metric = typename std::remove_reference_t<decltype(metric)>::element_type;
  if (!metric) metric = std::make_unique<Metric>();
  return *metric;
}

}  // namespace

void print_metric_head(std::string& out, std::string_view name, std::string_view help,
                       std::string_view type) {
  out.append("# HELP ").append(name).append(" ").append(escape(help, false)).append("\n");
  out.append("# TYPE ").append(name).append(" ").append(type).append("\n");
}

const std::vector<double>& Histogram::bounds() {
  static const std::vector<double> seconds = {0.0001, 0.00025, 0.0005, 0.001, 0.0025, 0.005,
                                              0.01,   0.025,   0.05,   0.1,   0.25,   0.5,
                                              1,      2.5,     5,      10,    30,     60};
  return seconds;
}

void Histogram::observe(double seconds) {
  const auto& limits = bounds();
  auto i = static_cast<std::size_t>(std::lower_bound(limits.begin(), limits.end(), seconds) - limits.begin());
  if (i < limits.size()) buckets_[i].fetch_add(1, std::memory_order_relaxed);
  count_.fetch_add(1, std::memory_order_relaxed);
  sum_.fetch_add(seconds, std::memory_order_relaxed);
}

Counter& Metrics::counter(std::string_view name, std::string_view help, const Labels& labels) {
  std::lock_guard lock(mutex_);
  return find_or_make(counters_, name, help, labels);
}

Gauge& Metrics::gauge(std::string_view name, std::string_view help, const Labels& labels) {
  std::lock_guard lock(mutex_);
  return find_or_make(gauges_, name, help, labels);
}

Histogram& Metrics::histogram(std::string_view name, std::string_view help, const Labels& labels) {
  std::lock_guard lock(mutex_);
  return find_or_make(histograms_, name, help, labels);
}

void Metrics::before_print(std::function<void(Metrics&)> function) {
  std::lock_guard lock(mutex_);
  before_print_.push_back(std::move(function));
}

std::string Metrics::print() {
  std::vector<std::function<void(Metrics&)>> functions;
  {
    std::lock_guard lock(mutex_);
    functions = before_print_;
  }
  for (const auto& function : functions) function(*this);  // without the lock: they look metrics up
  std::string out;
  std::lock_guard lock(mutex_);
  print_families(out, counters_, "counter");
  print_families(out, gauges_, "gauge");
  print_families(out, histograms_, "histogram");
  return out;
}

}  // namespace segments
