// A message as Celery prints it, of a task that may begin at once and belongs to no group: by far the most
// are. Its task and its id can be cut out where they stand, which the script that hands messages out does
// because it costs a tenth of decoding them.
#pragma once

#include <optional>
#include <string_view>

namespace segments::celery {

inline constexpr std::string_view plain_begin = R"({"body": ")";
inline constexpr std::string_view plain_headers =
    R"(", "content-encoding": "utf-8", "content-type": "application/json", "headers": {"lang": ")";
inline constexpr std::string_view plain_task = R"(", "task": ")";
inline constexpr std::string_view plain_id = R"(", "id": ")";
inline constexpr std::string_view plain_rest =
    R"(", "shadow": null, "eta": null, "expires": null, "group": null, "group_index": null, "retries": 0, ")";
inline constexpr std::string_view plain_end = R"("}})";

struct PlainNames {
  std::string_view task, id;
  bool operator==(const PlainNames&) const = default;
};
// Of a message that looks like that, as the script sees it. JSON may say otherwise behind it: a name that is
// given again counts there.
std::optional<PlainNames> cut_plain(std::string_view raw);

}  // namespace segments::celery
