// The operating system's files as SQLite's default VFS has them, but that what is appended to a write-ahead
// log is gathered and handed to the system in large pieces when it is to be on the disk, not in two calls a
// page. For writers: a commit with synchronous=FULL syncs the log before anybody is shown what is in it.
#pragma once

struct sqlite3;

namespace segments::sqlite {

// The name to open a connection with; makes the VFS at the first call. Any thread may call.
const char* gathering_vfs();
// Before anything else is asked of a connection that was opened so: what a transaction has gathered goes with
// it when it is rolled back. Its place in the log is free then, and another process may commit there.
void forget_with_rollback(sqlite3*);

}  // namespace segments::sqlite
