#include "sqlite/log_index.h"

#include <sqlite3.h>

#include <atomic>

namespace segments::sqlite {

namespace {

constexpr int index_bytes = 32'768;
constexpr std::size_t pages_in_log = 4, pages_moved = 24;  // places of 32 bits each

}  // namespace

LogIndex::LogIndex(sqlite3* connection) {
  sqlite3_file* file = nullptr;
  void volatile* index = nullptr;
  if (sqlite3_file_control(connection, "main", SQLITE_FCNTL_FILE_POINTER, &file) != SQLITE_OK || !file ||
      !file->pMethods || file->pMethods->iVersion < 2 ||
      file->pMethods->xShmMap(file, 0, index_bytes, 0, &index) != SQLITE_OK)
    return;
  numbers_ = static_cast<std::uint32_t*>(const_cast<void*>(index));
}

// Others write there at any time.
std::uint32_t LogIndex::number(std::size_t place) const {
  return std::atomic_ref(numbers_[place]).load(std::memory_order_acquire);
}

// What is half written belongs to a commit that has not returned, and differs from all that was seen before.
LogIndex::State LogIndex::state() const {
  State state;
  for (std::size_t i = 0; i < state.size(); ++i) state[i] = number(i);
  return state;
}

bool LogIndex::has_pages_to_move() const {
  // In this order: what is moved goes back to 0 when a writer starts the log anew.
  const std::uint32_t in_log = number(pages_in_log);
  return in_log > number(pages_moved);
}

}  // namespace segments::sqlite
