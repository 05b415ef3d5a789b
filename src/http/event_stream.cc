#include "http/event_stream.h"

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
  for (std::size_t i = 0; i < data.size(); ++i) {
    if (data[i] != '\n' && data[i] != '\r') {
      out += data[i];
      continue;
    }
    // The format ends a line at \n, \r or \r\n; each becomes one further data line.
    if (data[i] == '\r' && i + 1 < data.size() && data[i + 1] == '\n') ++i;
    out += "\ndata: ";
  }
  out += "\n\n";
  return out;
}

}  // namespace segments
