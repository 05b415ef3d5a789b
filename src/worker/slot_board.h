// A page of memory that a worker shares with one slot: which of the orders sent to it the slot has begun. It
// lets the worker take back an order that waits in the slot, without asking the slot and without a doubt who
// has it. Orders are counted from 1 in the order of their sending.
#pragma once

#include <atomic>
#include <cstdint>

namespace segments {

class SlotBoard {
 public:
  static constexpr std::uint64_t capacity = 128;  // orders that may be on their way at once

  SlotBoard();  // a new one. Throws Error{unavailable}
  explicit SlotBoard(
      int descriptor);  // one that another process made; closes the descriptor. Throws as above
  ~SlotBoard();
  SlotBoard(const SlotBoard&) = delete;
  SlotBoard& operator=(const SlotBoard&) = delete;

  int descriptor() const { return descriptor_; }  // of a new one

  void offer(std::uint64_t order);      // the worker, before it sends the order
  bool begin(std::uint64_t order);      // the slot; false: it was taken back and must not run
  bool take_back(std::uint64_t order);  // the worker; false: the slot has begun it
  bool waits(std::uint64_t order) const;

 private:
  using Cell = std::atomic<std::uint64_t>;
  static_assert(Cell::is_always_lock_free);

  bool change(std::uint64_t order, std::uint64_t state);
  void map();

  int descriptor_ = -1;
  Cell* cells_ = nullptr;
};

}  // namespace segments
