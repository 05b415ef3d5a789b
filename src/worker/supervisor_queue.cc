// What the supervisor asks of the queue.
#include <algorithm>
#include <cmath>

#include "base/log.h"
#include "worker/run_folder.h"
#include "worker/supervisor.h"

namespace segments {

namespace {

constexpr Millis beat_ms = 1000;
constexpr Millis sweep_ms = 10'000;
constexpr Millis revoked_ms = 200;
constexpr Millis tell_ms = 200;
constexpr Millis rest_ms = 1000;
constexpr double longest_back_off_ms = 300'000;
constexpr int told_at_once = 8;

const char* name_of_ending(int ending) {
  constexpr const char* names[] = {"reported", "crashed", "timed_out", "revoked", "lost", "stopped"};
  return names[ending];
}

}  // namespace

// False when the queue could not do it, or is not asked because it could not a moment ago.
template <class F>
bool Supervisor::ask(const char* what, F&& f) {
  if (now_ < queue_rests_until_) return false;
  try {
    f();
    return true;
  } catch (const std::exception& error) {
    log_error("worker.queue_failed", {{"during", what}, {"error", error.what()}});
    queue_rests_until_ = now_ + rest_ms;
    return false;
  }
}

void Supervisor::clean() {
  ask("clean", [&] { remove_old_run_folders(options_.work_dir, queue_); });
}

void Supervisor::beat_and_sweep() {
  if (now_ >= beat_at_ && ask("beat", [&] { queue_.beat(options_.name); })) beat_at_ = now_ + beat_ms;
  if (now_ < sweep_at_ || !ask("sweep", [&] { queue_.sweep(); })) return;
  sweep_at_ = now_ + sweep_ms;
  clean();
}

void Supervisor::lease() {
  auto free = std::count_if(slots_.begin(), slots_.end(), [this](const Slot& slot) { return is_free(slot); });
  if (!free || now_ < lease_at_) return;
  std::vector<LeasedTask> tasks;
  ask("lease", [&] { tasks = queue_.lease_tasks(options_.name, static_cast<int>(free), options_.lease_ms); });
  lease_at_ = tasks.empty() ? now_ + options_.poll_ms : 0;
  auto slot = slots_.begin();
  for (auto& task : tasks) {
    while (!is_free(*slot)) ++slot;
    begin(*slot, std::move(task));
  }
}

void Supervisor::begin(Slot& slot, LeasedTask task) {
  LogScope scope("task_id", task.id);
  log_info("task.started", {{"name", task.name}, {"retries", task.retries}});
  auto& run = slot.run.emplace();
  run.task = std::move(task);
  run.begun = now_;
  run.renew_at = now_ + options_.lease_ms / 3;
  run.deadline = now_ + Millis{1000} * run.task.time_limit_s;
  try {
    run.folder = make_run_folder(options_.work_dir, run.task);
  } catch (const std::exception& error) {
    run.outcome = {.ending = TaskEnding::retry, .error = error.what()};
    return end(slot, Ending::reported);
  }
  if (!slot.process->send(make_order(run.task, run.folder))) end(slot, Ending::crashed);
}

void Supervisor::check_revoked() {
  if (now_ < revoked_at_) return;
  std::vector<std::string> running;
  for (const auto& slot : slots_)
    if (slot.run && !slot.run->ending) running.push_back(slot.run->task.id);
  std::vector<std::string> revoked;
  if (running.empty() || !ask("revoked_tasks", [&] { revoked = queue_.revoked_tasks(running); })) return;
  revoked_at_ = now_ + revoked_ms;
  for (auto& slot : slots_)
    if (slot.run && !slot.run->ending && std::count(revoked.begin(), revoked.end(), slot.run->task.id))
      end(slot, Ending::revoked);
}

void Supervisor::renew() {
  for (auto& slot : slots_) {
    if (!slot.run || slot.run->ending || now_ < slot.run->renew_at) continue;
    bool is_ours = true;
    if (!ask("renew", [&] { is_ours = queue_.renew(slot.run->task, options_.lease_ms); })) return;
    slot.run->renew_at = now_ + options_.lease_ms / 3;
    if (!is_ours) end(slot, Ending::lost);
  }
}

// Tells the queue how a run ended, once nothing of it is left; the slot is free afterwards.
void Supervisor::record(Slot& slot) {
  if (!slot.run || !slot.run->ending || slot.ending) return;
  auto& run = *slot.run;
  remove_run_folder(run.folder);
  run.folder.clear();
  bool is_taken = false;
  auto tell = [&] {
    is_taken = record_outcome(run);
    // An outcome that lost to a revoke: the lease goes back, so that its owner is told without waiting for
    // it.
    if (!is_taken && *run.ending != Ending::lost) queue_.hand_back(run.task);
  };
  if (!ask("record", tell)) return;
  LogScope scope("task_id", run.task.id);
  auto ending = run.ending == Ending::reported ? name_of(run.outcome.ending)
                                               : name_of_ending(static_cast<int>(*run.ending));
  log_info("task.ended", {{"name", run.task.name},
                          {"ending", ending},
                          {"error", run.outcome.error},
                          {"ms", now_ - run.begun},
                          {"recorded", is_taken}});
  slot.run.reset();
  lease_at_ = tell_at_ = 0;
}

bool Supervisor::record_outcome(const Run& run) {
  switch (*run.ending) {
    case Ending::reported:
      if (run.outcome.ending == TaskEnding::success) return queue_.finish(run.task, run.outcome.result);
      if (run.outcome.ending == TaskEnding::failure) return queue_.fail(run.task, run.outcome.error);
      return retry_or_fail(run.task, run.outcome.error, run.outcome.retry_after_s);
    case Ending::crashed:
      return retry_or_fail(run.task, "The worker process running it died.", 0);
    case Ending::timed_out:
      return queue_.fail(run.task,
                         "The task ran longer than its " + std::to_string(run.task.time_limit_s) + " s.");
    // Of a run that was revoked this gives back the lease, of one that was lost nothing: its fence is an old
    // one.
    case Ending::revoked:
    case Ending::lost:
    case Ending::stopped:
      return queue_.hand_back(run.task);
  }
  return false;
}

bool Supervisor::retry_or_fail(const LeasedTask& task, const std::string& error, int retry_after_s) {
  if (task.retries >= task.max_retries) return queue_.fail(task, error);
  double longest =
      std::min(longest_back_off_ms, options_.retry_base_ms * std::exp2(std::min(task.retries, 30)));
  // Full jitter: what failed together is not to come back together.
  Millis delay = retry_after_s > 0
                     ? Millis{1000} * retry_after_s
                     : std::uniform_int_distribution<Millis>(0, static_cast<Millis>(longest))(random_);
  return queue_.retry(task, error, now_ms() + delay);
}

void Supervisor::tell_given_up() {
  if (now_ < tell_at_) return;
  std::vector<GivenUpTask> ended;
  if (!ask("lease_given_up", [&] { ended = queue_.lease_given_up(told_at_once, options_.lease_ms); })) return;
  tell_at_ = ended.size() == told_at_once ? 0 : now_ + tell_ms;
  for (const auto& given_up : ended) {
    const auto& task = given_up.task;  // no structured binding: clang 14 cannot capture one
    LogScope scope("task_id", task.id);
    log_warning("task.given_up",
                {{"name", task.name}, {"error", given_up.error}, {"revoked", given_up.revoked}});
    try {
      give_up_(task, given_up.error, given_up.revoked);
    } catch (const std::exception& fault) {
      // Not settled: it is told again when this lease has ended.
      log_warning("task.give_up_unfinished", {{"name", task.name}, {"error", fault.what()}});
      continue;
    }
    ask("settle_given_up", [&] { queue_.settle_given_up(task); });
  }
}

}  // namespace segments
