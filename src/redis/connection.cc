#include "redis/connection.h"

#include <poll.h>

#include "base/text.h"
#include "redis/client.h"
#include "redis/error_reply.h"

namespace segments::redis {

namespace {

constexpr std::size_t read_bytes = 64 << 10;

}  // namespace

Connection::Connection(const Url& url, const Patience& patience)
    : stream_(net::connect_stream(peer_of(url), patience)) {
  introduce(url, patience);
}

void Connection::introduce(const Url& url, const Patience& patience) {
  std::string commands;
  std::vector<const char*> names;
  if (!url.user.empty() || !url.password.empty()) {
    Command auth("AUTH");
    if (!url.user.empty()) auth.add(url.user);
    auth.add(url.password).print(commands);
    names.push_back("the user or the password");
  }
  if (url.db != 0) {
    Command("SELECT").add(url.db).print(commands);
    names.push_back("the database");
  }
  auto replies = exchange(commands, names.size(), patience);
  for (std::size_t i = 0; i < names.size(); ++i) {
    if (!replies[i].is_error()) continue;
    // A server that knows no AUTH repeats its arguments.
    bool tells = !url.password.empty() && replies[i].text.find(url.password) != std::string::npos;
    throw unavailable(std::string("did not take ") + names[i] +
                      (tells ? std::string() : ": " + shown_error(replies[i])));
  }
}

std::vector<Reply> Connection::exchange(std::string_view commands, std::size_t count,
                                        const Patience& patience) {
  std::vector<Reply> replies;
  replies.reserve(count);
  // Nothing can have come before all was sent, unless sending had to wait.
  bool may_have_come = false;
  while (true) {
    short wants = 0;
    if (!commands.empty()) {
      auto sent = stream_->write_some(commands);
      commands.remove_prefix(sent.bytes);
      wants = sent.wants;
    }
    if (commands.empty() && replies.size() == count) return replies;
    // Bytes that never end would never let us wait, and so never see the deadline.
    if (steady_ms() >= patience.deadline) throw unavailable("did not answer in time");
    if (!commands.empty() && wants == 0) continue;
    if (!may_have_come && commands.empty())
      net::await_events(stream_->number(), POLLIN, patience, server_name);
    may_have_come = true;
    // Replies are taken even while commands are still to be sent: a server that waits for us to read reads
    // nothing.
    auto came = read_some();
    while (replies.size() < count) {
      auto reply = reader_.read();
      if (!reply) break;
      replies.push_back(std::move(*reply));
    }
    if (commands.empty() && replies.size() == count) return replies;
    if (came.bytes == 0) net::await_events(stream_->number(), wants | came.wants, patience, server_name);
  }
}

std::optional<Reply> Connection::next(const Patience& patience) {
  while (true) {
    if (auto reply = reader_.read()) return reply;
    auto came = read_some();
    // Where bytes came there may be more; only whether to stop is asked then.
    if (came.bytes > 0) net::wait_for_events(-1, 0, {0, patience.stop}, server_name);
    if (came.bytes == 0 && !net::wait_for_events(stream_->number(), came.wants, patience, server_name))
      return std::nullopt;
  }
}

bool Connection::is_quiet() {
  if (!reader_.is_empty()) return false;
  try {
    return read_some().bytes == 0;
  } catch (const Error&) {
    return false;
  }
}

net::Stream::Moved Connection::read_some() {
  char buffer[read_bytes];
  auto came = stream_->read_some(buffer);
  if (came.bytes > 0) reader_.feed({buffer, came.bytes});
  return came;
}

}  // namespace segments::redis
