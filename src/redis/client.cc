#include "redis/client.h"

#include "base/error.h"
#include "redis/error_reply.h"
#include "redis/pool.h"

namespace segments::redis {

namespace {

void check(std::span<const Command> commands, const std::vector<Reply>& replies) {
  for (std::size_t i = 0; i < commands.size(); ++i)
    if (replies[i].is_error()) throw error_of(replies[i], commands[i].name());
}

std::string printed(std::span<const Command> commands) {
  std::string out;
  for (const auto& command : commands) command.print(out);
  return out;
}

Command call_of(std::string_view name, std::string_view script, std::span<const std::string> keys,
                std::span<const std::string> arguments) {
  Command command(name);
  command.add(script).add(static_cast<std::int64_t>(keys.size()));
  for (const auto& key : keys) command.add(key);
  for (const auto& argument : arguments) command.add(argument);
  return command;
}

}  // namespace

Client::Client(Url url, Timeouts timeouts, std::size_t most_connections)
    : pool_(std::make_unique<Pool>(std::move(url), timeouts, most_connections)) {}

Client::~Client() = default;

Reply Client::ask(const Command& command) {
  return wait(command, 0);
}

std::vector<Reply> Client::ask_all(std::span<const Command> commands) {
  if (commands.empty()) return {};
  auto replies = pool_->exchange(printed(commands), commands.size());
  check(commands, replies);
  return replies;
}

std::vector<Reply> Client::transact(std::span<const Command> commands) {
  if (commands.empty()) return {};
  const Command multi("MULTI"), exec("EXEC");
  auto leased = pool_->lease();
  auto begun = leased.exchange(printed({&multi, 1}), 1);
  if (begun[0].is_error()) {
    leased.give_back(begun);
    throw error_of(begun[0], multi.name());
  }
  auto text = printed(commands);
  exec.print(text);
  auto replies = leased.exchange(text, commands.size() + 1);
  leased.give_back(replies);
  // Why a command was not queued says more than that nothing was done for it.
  check(commands, replies);
  auto done = std::move(replies.back());
  if (done.is_error()) throw error_of(done, exec.name());
  if (done.kind != Reply::Kind::array || done.items.size() != commands.size())
    throw Error(ErrorKind::internal,
                "Redis answered EXEC with something other than a reply for each command.");
  check(commands, done.items);
  return std::move(done.items);
}

Reply Client::run(const Script& script, std::span<const std::string> keys,
                  std::span<const std::string> arguments) {
  auto command = call_of("EVALSHA", script.sha1(), keys, arguments);
  auto reply = std::move(pool_->exchange(printed({&command, 1}), 1)[0]);
  if (!reply.is_error()) return reply;
  if (!reply.text.starts_with("NOSCRIPT")) throw error_of(reply, command.name());
  return ask(call_of("EVAL", script.text(), keys, arguments));
}

Reply Client::wait(const Command& command, int wait_ms) {
  auto reply = std::move(pool_->exchange(printed({&command, 1}), 1, wait_ms)[0]);
  if (reply.is_error()) throw error_of(reply, command.name());
  return reply;
}

void Client::end_by(Millis moment) {
  pool_->end_by(moment);
}

const Url& Client::url() const {
  return pool_->url();
}

}  // namespace segments::redis
