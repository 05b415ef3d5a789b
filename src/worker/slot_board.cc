#include "worker/slot_board.h"

#include <sys/mman.h>
#include <unistd.h>

#include <cerrno>
#include <cstring>
#include <string>

#include "base/error.h"

namespace segments {

namespace {

constexpr std::uint64_t waiting = 1, begun = 2, taken_back = 3;
constexpr std::size_t bytes = SlotBoard::capacity * sizeof(std::uint64_t);

// A cell is used again by later orders: it says which one it is about.
constexpr std::uint64_t entry(std::uint64_t order, std::uint64_t state) {
  return order << 2 | state;
}

[[noreturn]] void fail() {
  throw Error(ErrorKind::unavailable, std::string("A slot's board cannot be had: ") + std::strerror(errno));
}

}  // namespace

SlotBoard::SlotBoard() : descriptor_(memfd_create("slot-board", MFD_CLOEXEC)) {
  if (descriptor_ < 0) fail();
  if (ftruncate(descriptor_, bytes)) {
    close(descriptor_);
    fail();
  }
  map();
}

SlotBoard::SlotBoard(int descriptor) : descriptor_(descriptor) {
  map();
  close(descriptor_);
  descriptor_ = -1;
}

SlotBoard::~SlotBoard() {
  munmap(cells_, bytes);
  if (descriptor_ >= 0) close(descriptor_);
}

void SlotBoard::map() {
  void* memory = mmap(nullptr, bytes, PROT_READ | PROT_WRITE, MAP_SHARED, descriptor_, 0);
  if (memory == MAP_FAILED) {
    close(descriptor_);
    fail();
  }
  cells_ = static_cast<Cell*>(memory);
}

void SlotBoard::offer(std::uint64_t order) {
  cells_[order % capacity].store(entry(order, waiting));
}

bool SlotBoard::change(std::uint64_t order, std::uint64_t state) {
  auto expected = entry(order, waiting);
  return cells_[order % capacity].compare_exchange_strong(expected, entry(order, state));
}

bool SlotBoard::begin(std::uint64_t order) {
  return change(order, begun);
}

bool SlotBoard::take_back(std::uint64_t order) {
  return change(order, taken_back);
}

bool SlotBoard::waits(std::uint64_t order) const {
  return cells_[order % capacity].load() == entry(order, waiting);
}

}  // namespace segments
