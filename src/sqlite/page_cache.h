// SQLite's own page cache, without its dearest habit. Where a B-tree splits a page, SQLite gives pages
// another number for a moment, that of the page which no file has; at the commit it then looks at every page
// of the cache for some that lie behind the file's end. With 64 MB of cache that took a quarter of a
// creation's time.
#pragma once

struct sqlite3_pcache_methods2;

namespace segments::sqlite {

// For the whole process, before its first connection. Returns its methods; null where SQLite was used before.
const sqlite3_pcache_methods2* use_page_cache();

}  // namespace segments::sqlite
