#include "sqlite/gathering_vfs.h"

#include <sqlite3.h>

#include <algorithm>
#include <new>
#include <string>

namespace segments::sqlite {

namespace {

// More than this is written early; a commit of 256 changes has about as much.
constexpr std::size_t most_gathered = 4 << 20;
constexpr std::size_t most_a_call = 64 << 10;  // SQLite's own files take less than 128 KiB at once

sqlite3_vfs* default_vfs() {
  return sqlite3_vfs_find(nullptr);
}

// The system's file lies behind it.
struct Log {
  sqlite3_file base;
  std::string* bytes;        // not yet written
  sqlite3_int64 offset = 0;  // where they belong

  sqlite3_int64 end() const { return offset + static_cast<sqlite3_int64>(bytes->size()); }
};

constexpr std::size_t log_size = (sizeof(Log) + 15) / 16 * 16;

Log& log_of(sqlite3_file* file) {
  return *reinterpret_cast<Log*>(file);
}
sqlite3_file* system_file(sqlite3_file* file) {
  return reinterpret_cast<sqlite3_file*>(reinterpret_cast<char*>(file) + log_size);
}

int write_gathered(sqlite3_file* file) {
  Log& log = log_of(file);
  if (log.bytes->empty()) return SQLITE_OK;
  auto* system = system_file(file);
  int code = SQLITE_OK;
  for (std::size_t written = 0; written < log.bytes->size() && code == SQLITE_OK; written += most_a_call)
    code = system->pMethods->xWrite(system, log.bytes->data() + written,
                                    static_cast<int>(std::min(most_a_call, log.bytes->size() - written)),
                                    log.offset + static_cast<sqlite3_int64>(written));
  // SQLite gives up the transaction where it fails, and writes anew at the same place.
  log.bytes->clear();
  return code;
}

// What was committed has been synced: what is left was given up.
int close_log(sqlite3_file* file) {
  auto* system = system_file(file);
  delete log_of(file).bytes;
  return system->pMethods->xClose(system);
}

int read_log(sqlite3_file* file, void* into, int size, sqlite3_int64 offset) {
  if (int code = write_gathered(file); code != SQLITE_OK) return code;
  auto* system = system_file(file);
  return system->pMethods->xRead(system, into, size, offset);
}

int write_log(sqlite3_file* file, const void* bytes, int size, sqlite3_int64 offset) {
  Log& log = log_of(file);
  if (!log.bytes->empty() && (offset != log.end() || log.bytes->size() >= most_gathered))
    if (int code = write_gathered(file); code != SQLITE_OK) return code;
  if (log.bytes->empty()) log.offset = offset;
  try {
    log.bytes->append(static_cast<const char*>(bytes), static_cast<std::size_t>(size));
  } catch (const std::bad_alloc&) {
    log.bytes->clear();
    return SQLITE_IOERR_NOMEM;
  }
  return SQLITE_OK;
}

int truncate_log(sqlite3_file* file, sqlite3_int64 size) {
  if (int code = write_gathered(file); code != SQLITE_OK) return code;
  auto* system = system_file(file);
  return system->pMethods->xTruncate(system, size);
}

int sync_log(sqlite3_file* file, int flags) {
  if (int code = write_gathered(file); code != SQLITE_OK) return code;
  auto* system = system_file(file);
  return system->pMethods->xSync(system, flags);
}

int log_bytes(sqlite3_file* file, sqlite3_int64* size) {
  if (int code = write_gathered(file); code != SQLITE_OK) return code;
  auto* system = system_file(file);
  return system->pMethods->xFileSize(system, size);
}

int lock_log(sqlite3_file* file, int level) {
  auto* system = system_file(file);
  return system->pMethods->xLock(system, level);
}
int unlock_log(sqlite3_file* file, int level) {
  auto* system = system_file(file);
  return system->pMethods->xUnlock(system, level);
}
int check_lock_of_log(sqlite3_file* file, int* is_reserved) {
  auto* system = system_file(file);
  return system->pMethods->xCheckReservedLock(system, is_reserved);
}
int control_log(sqlite3_file* file, int operation, void* argument) {
  auto* system = system_file(file);
  return system->pMethods->xFileControl(system, operation, argument);
}
int sector_of_log(sqlite3_file* file) {
  auto* system = system_file(file);
  return system->pMethods->xSectorSize(system);
}
int traits_of_log(sqlite3_file* file) {
  auto* system = system_file(file);
  return system->pMethods->xDeviceCharacteristics(system);
}

constexpr sqlite3_io_methods log_methods{
    .iVersion = 1,
    .xClose = close_log,
    .xRead = read_log,
    .xWrite = write_log,
    .xTruncate = truncate_log,
    .xSync = sync_log,
    .xFileSize = log_bytes,
    .xLock = lock_log,
    .xUnlock = unlock_log,
    .xCheckReservedLock = check_lock_of_log,
    .xFileControl = control_log,
    .xSectorSize = sector_of_log,
    .xDeviceCharacteristics = traits_of_log,
    // Of version 1 the file has no more: SQLite shares memory and maps by the database's file.
    .xShmMap = nullptr,
    .xShmLock = nullptr,
    .xShmBarrier = nullptr,
    .xShmUnmap = nullptr,
    .xFetch = nullptr,
    .xUnfetch = nullptr,
};

// All files but logs are the system's own.
int open_file(sqlite3_vfs*, sqlite3_filename name, sqlite3_file* file, int flags, int* got_flags) {
  auto* vfs = default_vfs();
  if (!(flags & SQLITE_OPEN_WAL)) return vfs->xOpen(vfs, name, file, flags, got_flags);
  file->pMethods = nullptr;
  auto* bytes = new (std::nothrow) std::string;
  if (!bytes) return SQLITE_NOMEM;
  const int code = vfs->xOpen(vfs, name, system_file(file), flags, got_flags);
  if (code != SQLITE_OK) {
    delete bytes;
    return code;
  }
  new (file) Log{{&log_methods}, bytes};
  return SQLITE_OK;
}

}  // namespace

const char* gathering_vfs() {
  static sqlite3_vfs vfs = [] {
    sqlite3_vfs made = *default_vfs();
    made.pNext = nullptr;
    made.zName = "gathering";
    made.szOsFile += static_cast<int>(log_size);
    made.xOpen = open_file;
    return made;
  }();
  static const int code = sqlite3_vfs_register(&vfs, 0);
  return code == SQLITE_OK ? vfs.zName : nullptr;
}

void forget_with_rollback(sqlite3* connection) {
  auto forget = [](void* of) {
    sqlite3_file* file = nullptr;
    const int code =
        sqlite3_file_control(static_cast<sqlite3*>(of), "main", SQLITE_FCNTL_JOURNAL_POINTER, &file);
    if (code == SQLITE_OK && file && file->pMethods == &log_methods) log_of(file).bytes->clear();
  };
  sqlite3_rollback_hook(connection, forget, connection);
}

}  // namespace segments::sqlite
