// How many files, sockets among them, this process may have open at once.
#pragma once

namespace segments {

// Raises the limit as far as it goes without privileges (a shell's is often 1,024; each event stream is a
// socket) and gives what it is now. Children inherit it.
int raise_open_files();
// How many connections fit below the limit: the rest is kept for databases, objects and media.
int connections_below(int open_files);

}  // namespace segments
