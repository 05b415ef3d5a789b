#include "celery/unacked.h"

#include <algorithm>

#include "celery/json.h"
#include "celery/keys.h"
#include "celery/message.h"

namespace segments::celery {

namespace {

// The last `, "text"` of `value`, taken off it; empty where there is none, or where it has escapes.
std::optional<std::string_view> take_last_text(std::string_view& value) {
  if (!value.ends_with('"')) return std::nullopt;
  auto begin = value.rfind('"', value.size() - 2);
  if (value.size() < 2 || begin == value.npos || !value.substr(0, begin).ends_with(", ")) return std::nullopt;
  auto text = value.substr(begin + 1, value.size() - begin - 2);
  if (text.find('\\') != text.npos) return std::nullopt;
  value.remove_suffix(value.size() - begin + 2);
  return text;
}

// As Python and we write it: cut, not parsed, for a message may be large.
std::optional<UnackedEntry> cut_unacked(std::string_view value) {
  if (!value.starts_with('[') || !value.ends_with(']')) return std::nullopt;
  value = value.substr(1, value.size() - 2);
  auto routing_key = take_last_text(value);
  auto exchange = routing_key ? take_last_text(value) : std::nullopt;
  if (!exchange || !value.starts_with('{') || !value.ends_with('}')) return std::nullopt;
  return UnackedEntry{std::string(value), std::string(*exchange), std::string(*routing_key)};
}

}  // namespace

std::optional<UnackedEntry> read_unacked(std::string_view value) {
  constexpr std::size_t most_besides = 4'096;
  if (value.size() > max_restored_bytes + most_besides) return std::nullopt;
  if (auto entry = cut_unacked(value)) return entry;
  auto json = read_json(value);
  if (!json || json->items().size() != 3 || !json->items()[0].is_object()) return std::nullopt;
  const auto& parts = json->items();
  return UnackedEntry{print_json(parts[0]), parts[1].text(), parts[2].text()};
}

void for_each_unacked(redis::Client& redis, std::span<const std::string> tags,
                      const std::function<bool(std::size_t, const redis::Reply&)>& visit) {
  constexpr std::size_t measured_at_once = 500;
  constexpr std::int64_t most_bytes = 16 << 20;
  for (std::size_t first = 0; first < tags.size(); first += measured_at_once) {
    auto part = tags.subspan(first, std::min(measured_at_once, tags.size() - first));
    std::vector<redis::Command> commands;
    for (const auto& tag : part) commands.push_back({"HSTRLEN", keys::unacked, tag});
    auto sizes = redis.ask_all(commands);
    for (std::size_t begin = 0, end = 0; begin < part.size(); begin = end) {
      redis::Command get("HMGET");
      get.add(keys::unacked);
      std::int64_t bytes = 0;
      do bytes += sizes[end].integer, get.add(part[end++]);
      while (end < part.size() && bytes + sizes[end].integer <= most_bytes);
      auto values = redis.ask(get);
      for (std::size_t i = begin; i < end && i - begin < values.items.size(); ++i)
        if (!visit(first + i, values.items[i - begin])) return;
    }
  }
}

}  // namespace segments::celery
