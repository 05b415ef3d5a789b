// Whose turn it is to write, among the writers of one SQLite file. SQLite's own lock goes to whoever tries at
// the right moment, so that a busy process can starve another; here the one who waits is next. Held by record
// locks on a file beside the database, which the operating system releases when a process dies.
#pragma once

#include <filesystem>

#include "base/time.h"

namespace segments::sqlite {

class Turnstile {
 public:
  // Where the file cannot be made, every turn is granted at once and SQLite's own lock has to do.
  explicit Turnstile(const std::filesystem::path& database);
  ~Turnstile();
  Turnstile(const Turnstile&) = delete;
  Turnstile& operator=(const Turnstile&) = delete;

  // The right to begin a checkpoint, for the scope, where nobody else has it now. Whoever waits for a turn
  // with it must have had it before.
  class CheckpointRight {
   public:
    explicit CheckpointRight(Turnstile&);
    ~CheckpointRight();
    CheckpointRight(const CheckpointRight&) = delete;
    CheckpointRight& operator=(const CheckpointRight&) = delete;
    explicit operator bool() const { return is_granted_; }

   private:
    int file_;
    bool is_granted_;
  };

  // One turn, for the scope. Waits until `deadline` (of steady_ms()) and then throws Error{unavailable}.
  class Turn {
   public:
    Turn(Turnstile&, Millis deadline);
    ~Turn();
    Turn(const Turn&) = delete;
    Turn& operator=(const Turn&) = delete;

   private:
    int file_;
  };

 private:
  int file_ = -1;
};

}  // namespace segments::sqlite
