// What the supervisor asks of the queue.
#include <algorithm>
#include <utility>

#include "base/log.h"
#include "worker/ask_queue.h"
#include "worker/run_folder.h"
#include "worker/supervisor.h"

namespace segments {

namespace {

constexpr Millis beat_ms = 1000;
constexpr Millis sweep_ms = 10'000;
constexpr Millis revoked_ms = 200;
constexpr Millis tell_ms = 200;
constexpr int told_at_once = 8;

// Calls `f` for each run that has no ending yet and for which it may be that stop_run() follows.
template <class F>
void for_each_going(std::list<Slot>& slots, F&& f) {
  for (auto& slot : slots)
    for (auto& run : slot.runs)
      if (!run.ending) f(slot, run);
}

}  // namespace

void Supervisor::note_answer(const char* what) {
  now_ = steady_ms();  // it may have been waited for
  if (std::exchange(queue_has_failed_, false)) log_info("worker.queue_works", {{"during", what}});
}

void Supervisor::note_refusal(const char* what, const std::exception& error) {
  constexpr Millis rest_ms = 1000;
  now_ = steady_ms();
  queue_rests_until_ = now_ + rest_ms;
  if (!std::exchange(queue_has_failed_, true))
    log_error("worker.queue_failed", {{"during", what}, {"error", error.what()}});
  // Leases may have come to their ends meanwhile: the first thing that it is asked again.
  renew_at_once_ = true;
}

bool Supervisor::note_end_of(Errand& errand, const char* what) {
  try {
    if (auto fault = errand.take_end()) std::rethrow_exception(fault);
    note_answer(what);
    return true;
  } catch (const std::exception& error) {
    note_refusal(what, error);
    return false;
  }
}

void Supervisor::beat_and_sweep() {
  if (now_ >= beat_at_ && ask("beat", [&] { queue_.beat(options_.name); })) beat_at_ = now_ + beat_ms;
  if (now_ < sweep_at_ || !ask("sweep", [&] { queue_.sweep(); })) return;
  sweep_at_ = now_ + sweep_ms;
  ask("clean", [&] { remove_old_run_folders(options_.work_dir, queue_); });
}

// How many tasks the slots could take. To ask for few at a time costs more than to wait until it is many: a
// slot with nothing to do is never kept waiting.
int Supervisor::wanted() const {
  int room = 0, usable = 0;
  bool is_one_free = false;
  for (const auto& slot : slots_) {
    if (!slot.is_usable()) continue;
    ++usable;
    is_one_free = is_one_free || slot.runs.empty();
    if (slot.runs.empty() || flows(slot)) room += std::max(reach_ - static_cast<int>(slot.runs.size()), 0);
  }
  // What the queue has not taken yet fills a place.
  room -= static_cast<int>(ended_.size());
  return room > 0 && (is_one_free || room * 2 >= usable * reach_) ? room : 0;
}

// While each slot does one run that takes its time there is little to ask for at once: two threads that wake
// each other for it cost more than the answer. Where much is asked for, and slots would run dry meanwhile,
// the others ask.
bool Supervisor::asks_itself() const {
  return reach_ == 1 && !leasing_.is_given() && !telling_.is_given();
}

// Not while what may come out again at once goes back: it is told of in its order.
bool Supervisor::may_lease() const {
  auto waits = [&](const Run& run) { return waits_for_leases(run); };
  return !leasing_.is_given() && std::none_of(ended_.begin(), ended_.end(), waits) &&
         std::none_of(told_.runs.begin(), told_.runs.end(), waits);
}

void Supervisor::lease() {
  if (!may_lease() || now_ < lease_at_ || now_ < queue_rests_until_) return;
  int most = wanted();
  if (!most) return;
  leased_since_ = now_;
  auto lease = [this, most] {
    leased_ = queue_.lease_tasks(options_.name, most, options_.lease_ms);
    is_more_leased_ = queue_.is_more_waiting();
  };
  if (!asks_itself()) return leasing_.begin(lease);
  if (ask("lease", lease)) place_leased();
}

void Supervisor::take_leased() {
  if (leasing_.is_done() && note_end_of(leasing_, "lease")) place_leased();
}

void Supervisor::place_leased() {
  auto tasks = std::exchange(leased_, {});
  lease_at_ = tasks.empty() && !is_more_leased_ ? now_ + options_.poll_ms : 0;
  if (tasks.empty()) return;
  obey();  // a limit that was set before the task was queued holds for it
  // Twice as many the next time, so that few are leased in vain when something long comes between.
  int reach = std::min(2 * reach_, TaskPace::longest_queue);
  for (auto& task : tasks) {
    reach = std::min(reach, paces_.of(task.name).depth());
    take(std::move(task));
  }
  reach_ = reach;
}

void Supervisor::take(LeasedTask task) {
  if (auto limits = time_limits_.find(task.name); limits != time_limits_.end()) {
    task.time_limit_s = limits->second.hard_s.value_or(task.time_limit_s);
    task.soft_time_limit_s = limits->second.soft_s.value_or(task.soft_time_limit_s);
  }
  auto& pace = paces_.of(task.name);
  place({.task = std::make_shared<const LeasedTask>(std::move(task)),
         .pace = &pace,
         .leased_at = now_ms(),
         .renew_at = leased_since_ + options_.lease_ms / 3});
}

void Supervisor::check_revoked() {
  if (now_ < revoked_at_) return;
  std::vector<std::string> running;
  for_each_going(slots_, [&](Slot&, Run& run) { running.push_back(run.task->id); });
  std::vector<std::string> revoked;
  if (running.empty() || !ask("revoked_tasks", [&] { revoked = queue_.revoked_tasks(running); })) return;
  revoked_at_ = now_ + revoked_ms;
  std::vector<std::pair<Slot*, std::uint64_t>> stopped;
  if (revoked.empty()) return;
  for_each_going(slots_, [&](Slot& slot, Run& run) {
    if (std::count(revoked.begin(), revoked.end(), run.task->id)) stopped.emplace_back(&slot, run.order);
  });
  for (auto [slot, order] : stopped) stop_run(*slot, order, Ending::revoked);
}

void Supervisor::renew() {
  std::vector<LeasedTask> due;
  std::vector<std::pair<Slot*, std::uint64_t>> orders;
  auto is_due = [&](const Run& run) { return renew_at_once_ || now_ >= run.renew_at; };
  for_each_going(slots_, [&](Slot& slot, Run& run) {
    if (!is_due(run)) return;
    due.push_back(*run.task);
    orders.emplace_back(&slot, run.order);
  });
  // Those that the queue has yet to be told of, too: another worker would do them again.
  for (auto* runs : {&ended_, &told_.runs})
    for (auto& run : *runs) {
      if (!is_due(run)) continue;
      due.push_back(*run.task);
      run.renew_at = now_ + options_.lease_ms / 3;
    }
  std::vector<bool> kept;
  if (!due.empty() && !ask("renew", [&] { kept = queue_.renew_all(due, options_.lease_ms); })) return;
  renew_at_once_ = false;
  for (std::size_t i = 0; i < orders.size(); ++i) {
    auto [slot, order] = orders[i];
    if (!kept.at(i)) {
      stop_run(*slot, order, Ending::lost);
      continue;
    }
    for (auto& run : slot->runs)
      if (run.order == order) run.renew_at = now_ + options_.lease_ms / 3;
  }
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
