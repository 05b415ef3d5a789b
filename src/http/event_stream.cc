#include "http/event_stream.h"

#include <algorithm>

namespace segments {

namespace {

// A line break in an id or a name would begin a field of the sender's choosing.
void append_line(std::string& out, std::string_view field, std::string_view text) {
  out += field;
  for (char c : text)
    if (c != '\n' && c != '\r' && c != '\0') out += c;
  out += '\n';
}

}  // namespace

std::string format_event(std::string_view id, std::string_view event, std::string_view data) {
  std::string out;
  out.reserve(id.size() + event.size() + data.size() + 32);
  if (!id.empty()) append_line(out, "id: ", id);
  if (!event.empty()) append_line(out, "event: ", event);
  out += "data: ";
  // The format ends a line at \n, \r or \r\n; each becomes one further data line. Data seldom has any.
  auto end_of_line = [&] { return std::min(data.find('\n'), data.find('\r')); };
  for (auto end = end_of_line(); end != data.npos; end = end_of_line()) {
    out += data.substr(0, end);
    out += "\ndata: ";
    data.remove_prefix(data.substr(end).starts_with("\r\n") ? end + 2 : end + 1);
  }
  out += data;
  out += "\n\n";
  return out;
}

}  // namespace segments
