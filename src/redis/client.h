// Redis, as the rest of the program uses it: blocking calls from any thread, each on a pooled connection,
// many commands in one round trip. What was lost on the way is never sent again by itself: the caller knows
// whether its command may be repeated.
#pragma once

#include <cstdint>
#include <initializer_list>
#include <memory>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "base/time.h"
#include "redis/reply.h"
#include "redis/url.h"

namespace segments::redis {

// One command: its name and arguments, any bytes.
class Command {
 public:
  Command(std::initializer_list<std::string_view> words);
  explicit Command(std::string_view name) { add(name); }
  Command& add(std::string_view word);
  Command& add(std::int64_t number);
  std::string_view name() const { return name_; }
  void print(std::string& out) const;  // appended, as RESP

 private:
  std::string words_;  // RESP bulk strings
  std::size_t count_ = 0;
  std::string name_;
};

// A Lua script that runs whole or not at all. Sent by its digest; sent in full where the server does not know
// it.
class Script {
 public:
  explicit Script(std::string_view text);
  const std::string& text() const { return text_; }
  const std::string& sha1() const { return sha1_; }  // 40 lower-case hex digits

 private:
  std::string text_, sha1_;
};

struct Timeouts {
  int connect_ms = 5'000;  // for finding the address, connecting, TLS and AUTH together
  int answer_ms = 10'000;  // for one round trip
  // Firewalls forget quiet connections silently: one that was idle for longer is asked (PING) before it is
  // used.
  int trusted_idle_ms = 15'000;
};

// Not to be used in a forked child, whose sockets are its parent's.
class Client {
 public:
  // Does not connect yet. At most `most_connections` are open; further callers wait for one, at most
  // answer_ms.
  explicit Client(Url, Timeouts = {}, std::size_t most_connections = 16);
  ~Client();

  // Throws Error{unavailable} where the server cannot be reached, is loading, is out of memory, read-only, or
  // did not answer in time (whether it did what was asked is not known then); Error{internal} for an error
  // reply otherwise. What is thrown names neither address nor password: those who asked over HTTP may see it.
  // After a failure to connect, or an answer that did not come in time, further calls fail at once for a
  // back-off of 50 ms to 2 s with jitter.
  Reply ask(const Command&);
  // In one round trip; one reply for each. Error replies are thrown as by ask(), when all have been read.
  std::vector<Reply> ask_all(std::span<const Command>);
  // All of them or none (MULTI/EXEC); one reply for each. Two round trips: a MULTI that was refused must not
  // let the commands run one by one. Where one fails as it runs (WRONGTYPE), the others were done: Redis
  // rolls nothing back.
  std::vector<Reply> transact(std::span<const Command>);
  // Repeats itself only where the server said that it does not know the script.
  Reply run(const Script&, std::span<const std::string> keys, std::span<const std::string> arguments);
  // A command that waits at the server (BLMOVE, BRPOP, XREAD BLOCK) up to wait_ms: its answer may take so
  // much longer.
  Reply wait(const Command&, int wait_ms);

  // For a program that is to end: calls that are made from now on last until that moment of steady_ms() at
  // the longest, and then fail.
  void end_by(Millis);

  const Url& url() const;

 private:
  class Pool;
  std::unique_ptr<Pool> pool_;
};

}  // namespace segments::redis
