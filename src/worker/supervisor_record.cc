// How runs ended: told to the queue, the log and the observer.
#include <algorithm>
#include <cmath>
#include <utility>

#include "base/log.h"
#include "worker/ask_queue.h"
#include "worker/run_folder.h"
#include "worker/supervisor.h"

namespace segments {

namespace {

constexpr double longest_back_off_ms = 300'000;
constexpr Millis longest_refusal_ms = 30'000;

RunEnding run_ending_of(Ending ending, LeaseEnding told) {
  switch (ending) {
    case Ending::revoked:
      return RunEnding::revoked;
    case Ending::terminated:
      return RunEnding::terminated;
    case Ending::lost:
      return RunEnding::lost;
    default:
      break;
  }
  switch (told) {
    case LeaseEnding::finish:
      return RunEnding::success;
    case LeaseEnding::retry:
      return RunEnding::retry;
    case LeaseEnding::fail:
      return RunEnding::failure;
    case LeaseEnding::time_limit:
      return RunEnding::time_limit;
    case LeaseEnding::soft_time_limit:
      return RunEnding::soft_time_limit;
    case LeaseEnding::worker_lost:
      return RunEnding::worker_lost;
    case LeaseEnding::hand_back:
      break;
  }
  return RunEnding::handed_back;
}

}  // namespace

const char* name_of(RunEnding ending) {
  constexpr const char* names[] = {"success",     "retry",   "failure",    "time_limit", "soft_time_limit",
                                   "worker_lost", "revoked", "terminated", "lost",       "handed_back"};
  return names[static_cast<int>(ending)];
}

// Whether the queue is told of it only while it hands out nothing: it may go back, and who watches is not to
// see it received again before he sees how this run ended.
bool Supervisor::waits_for_leases(const Run& run) const {
  if (now_ < run.record_at) return false;
  bool is_over = run.ending == Ending::reported && run.outcome.ending != TaskEnding::retry;
  return !is_over || run.refusals;
}

// Tells the queue how runs ended, once nothing of them is left. What it cannot take now is kept.
void Supervisor::record() {
  if (telling_.is_given() || ended_.empty() || now_ < queue_rests_until_) return;
  std::vector<std::string> folders;
  for (auto& run : ended_)
    if (!run.folder.empty()) folders.push_back(std::exchange(run.folder, {}));
  remove_run_folders(options_.work_dir, folders);
  std::vector<Run> fresh, refused, later;
  for (auto& run : ended_) {
    bool is_later = now_ < run.record_at || (leasing_.is_given() && waits_for_leases(run));
    (is_later ? later : run.refusals ? refused : fresh).push_back(std::move(run));
  }
  ended_ = std::move(later);
  record_singly(std::move(refused));
  if (fresh.empty()) return;
  told_ = telling_of(std::move(fresh));
  auto tell = [this] { this->tell(told_); };
  if (!asks_itself()) return telling_.begin(tell);
  end_telling(ask("record", tell));
}

void Supervisor::take_told() {
  if (telling_.is_done()) end_telling(note_end_of(telling_, "record"));
}

void Supervisor::end_telling(bool is_told) {
  auto told = std::exchange(told_, {});
  note_told(told, is_told);
}

// One of those that were refused together may be what the queue cannot take, and the others, and all else
// that it is asked, are not to wait for that one.
void Supervisor::record_singly(std::vector<Run> runs) {
  int failures = 0;
  for (auto& run : runs) {
    Millis rests_until = queue_rests_until_;
    if (record_one(std::move(run))) continue;
    if (now_ < rests_until) continue;  // it was not asked
    Run& last = ended_.back();
    last.record_at = now_ + std::min<Millis>(longest_refusal_ms, 500 << std::min(last.refusals, 6));
    // Two in a row mean that it takes nothing now.
    if (++failures == 1) queue_rests_until_ = rests_until;
  }
}

bool Supervisor::record_one(Run run) {
  std::vector<Run> one;
  one.push_back(std::move(run));
  auto telling = telling_of(std::move(one));
  bool is_told = ask("record", [&] { tell(telling); });
  note_told(telling, is_told);
  return is_told;
}

Supervisor::Telling Supervisor::telling_of(std::vector<Run> runs) {
  Telling telling{.runs = std::move(runs)};
  telling.ends.reserve(telling.runs.size());
  for (const auto& run : telling.runs) telling.ends.push_back(lease_end_of(run));
  return telling;
}

void Supervisor::note_told(Telling& told, bool is_told) {
  if (!is_told) {
    for (auto& run : told.runs) {
      ++run.refusals;
      ended_.push_back(std::move(run));
    }
    return;
  }
  for (std::size_t i = 0; i < told.runs.size(); ++i) note_end(told.runs[i], told.ends[i], told.taken.at(i));
  if (told.has_losers) tell_at_ = 0;
  lease_at_ = 0;
}

// Perhaps on another thread than all else.
void Supervisor::tell(Telling& telling) const {
  auto& [runs, ends, taken, has_losers] = telling;
  for (auto& run : runs) {
    if (run.ending != Ending::terminated || run.revocation_is_told) continue;
    queue_.revoke(run.task->id);
    run.revocation_is_told = true;
  }
  taken = queue_.end_leases(ends);
  // An outcome that lost to a revoke: the lease goes back, so that its owner is told without waiting for it.
  std::vector<LeaseEnd> losers;
  for (std::size_t i = 0; i < runs.size(); ++i)
    if (!taken.at(i) && ends[i].ending != LeaseEnding::hand_back)
      losers.push_back({.task = ends[i].task, .ending = LeaseEnding::hand_back});
  has_losers = !losers.empty();
  if (!losers.empty()) queue_.end_leases(losers);
}

LeaseEnd Supervisor::lease_end_of(const Run& run) {
  const LeasedTask& task = *run.task;
  auto retry_or = [&](LeaseEnding last, std::string error, int retry_after_s) -> LeaseEnd {
    if (task.retries >= task.max_retries) return {.task = task, .ending = last, .text = std::move(error)};
    double longest =
        std::min(longest_back_off_ms, options_.retry_base_ms * std::exp2(std::min(task.retries, 30)));
    // Full jitter: what failed together is not to come back together.
    Millis delay = retry_after_s > 0
                       ? Millis{1000} * retry_after_s
                       : std::uniform_int_distribution<Millis>(0, static_cast<Millis>(longest))(random_);
    return {
        .task = task, .ending = LeaseEnding::retry, .text = std::move(error), .not_before = now_ms() + delay};
  };
  switch (*run.ending) {
    case Ending::reported:
      if (run.outcome.ending == TaskEnding::success)
        return {.task = task, .ending = LeaseEnding::finish, .text = run.outcome.result};
      if (run.outcome.ending == TaskEnding::failure)
        return {.task = task, .ending = LeaseEnding::fail, .text = run.outcome.error};
      return retry_or(LeaseEnding::fail, run.outcome.error, run.outcome.retry_after_s);
    case Ending::crashed:
      return retry_or(LeaseEnding::worker_lost, "The worker process running it died.", 0);
    case Ending::timed_out:
      return {.task = task,
              .ending = LeaseEnding::time_limit,
              .text = "The task ran longer than its " + std::to_string(task.time_limit_s) + " s."};
    case Ending::soft_timed_out:
      return {.task = task,
              .ending = LeaseEnding::soft_time_limit,
              .text = "The task ran longer than its soft limit of " + std::to_string(task.soft_time_limit_s) +
                      " s."};
    // Of a run that was revoked this gives back the lease, of one that was lost nothing: its fence is an old
    // one.
    case Ending::revoked:
    case Ending::terminated:
    case Ending::lost:
    case Ending::stopped:
    case Ending::not_begun:
      break;
  }
  return {.task = task, .ending = LeaseEnding::hand_back};
}

void Supervisor::note_end(const Run& run, const LeaseEnd& end, bool is_taken) {
  RunEnding ending = run_ending_of(*run.ending, end.ending);
  bool is_success = ending == RunEnding::success;
  // Where an owner may have to be told, he is at once.
  if (!is_success && ending != RunEnding::retry && ending != RunEnding::handed_back) tell_at_ = 0;
  if (is_logged(LogLevel::info)) {
    LogScope scope("task_id", run.task->id);
    log_info("task.ended", {{"name", run.task->name},
                            {"ending", name_of(ending)},
                            {"error", is_success ? std::string_view() : std::string_view(end.text)},
                            {"ms", run.runtime_s * 1000},
                            {"recorded", is_taken}});
  }
  if (!options_.observer) return;
  RunEnd told{.ending = ending,
              .runtime_s = run.runtime_s,
              .signal = ending == RunEnding::terminated ? run.signal : 0,
              .recorded = is_taken};
  (is_success ? told.result : told.error) = end.text;
  options_.observer->run_ended(*run.task, told);
}

}  // namespace segments
