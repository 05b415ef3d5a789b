#include "http/balance.h"

#include <algorithm>

#include "http/loop.h"

namespace segments::http {

namespace {

constexpr double least_gap = 0.15;        // of the time
constexpr double least_gap_share = 0.25;  // of what the busier one has
constexpr int most_periods = 4;           // a time longer than this was mostly quiet, and says nothing of now

bool differ(const LoopUse& busier, const LoopUse& other) {
  return busier.busy - other.busy > std::max(least_gap, least_gap_share * busier.busy);
}

}  // namespace

std::optional<ConnectionMove> move_to_balance(std::span<const LoopUse> before, std::span<const LoopUse> now) {
  if (now.size() < 2 || before.size() != now.size()) return std::nullopt;
  const auto [least, most] = std::ranges::minmax_element(now, {}, &LoopUse::busy);
  ConnectionMove move{static_cast<std::size_t>(most - now.begin()),
                      static_cast<std::size_t>(least - now.begin())};
  // One connection that asks for all of it is no better off elsewhere.
  if (!differ(*most, *least) || !differ(before[move.from], before[move.to]) || most->active < 2)
    return std::nullopt;
  const double to_be_even = most->active * (most->busy - least->busy) / (2 * most->busy);
  move.count = std::clamp(static_cast<int>(to_be_even / 2), 1, most->active - 1);
  return move;
}

void Balance::join(Loop& loop) {
  ProcessorUse processor;
  const auto times = processor.read();
  if (!times) return;
  std::lock_guard lock(mutex_);
  members_.push_back({&loop, std::move(processor), *times});
  before_.clear();
}

void Balance::leave(Loop& loop) {
  std::lock_guard lock(mutex_);
  std::erase_if(members_, [&](const Member& member) { return member.loop == &loop; });
  before_.clear();
}

std::vector<LoopUse> Balance::measure(double ns) {
  std::vector<LoopUse> uses;
  for (auto& member : members_) {
    const auto times = member.processor.read().value_or(member.times);
    const auto busy = times.ran_ns - member.times.ran_ns + times.waited_ns - member.times.waited_ns;
    uses.push_back({std::clamp(static_cast<double>(busy) / ns, 0.0, 1.0), member.loop->begin_look()});
    member.times = times;
  }
  return uses;
}

void Balance::look(Clock::time_point now) {
  std::unique_lock lock(mutex_, std::try_to_lock);
  if (!lock || members_.size() < 2 || now - looked_ < period) return;
  const auto passed = now - std::exchange(looked_, now);
  const auto uses = measure(std::chrono::duration<double, std::nano>(passed).count());
  for (auto& member : members_) member.loop->give(0, nullptr);
  if (passed > most_periods * period) return before_.clear();
  const auto move = move_to_balance(before_, uses);
  if (move) members_[move->from].loop->give(move->count, members_[move->to].loop);
  before_ = uses;
}

}  // namespace segments::http
