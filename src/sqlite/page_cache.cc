#include "sqlite/page_cache.h"

#include <sqlite3.h>

namespace segments::sqlite {

namespace {

// The page at the byte of SQLite's locks, in files whose pages have 4 KiB; there it holds nothing. In other
// files it may, and is the last but in name.
constexpr unsigned borrowed = 0x40000000 / 4096 + 1;
constexpr unsigned hidden = 0;  // no page's number

sqlite3_pcache_methods2 default_cache{};

unsigned key_of(unsigned page) {
  return page == borrowed ? hidden : page;
}

sqlite3_pcache_page* fetch(sqlite3_pcache* cache, unsigned page, int how) {
  return default_cache.xFetch(cache, key_of(page), how);
}

void rekey(sqlite3_pcache* cache, sqlite3_pcache_page* which, unsigned from, unsigned to) {
  default_cache.xRekey(cache, which, key_of(from), key_of(to));
}

void truncate(sqlite3_pcache* cache, unsigned from) {
  if (from <= borrowed)
    if (auto* page = default_cache.xFetch(cache, hidden, 0))
      default_cache.xRekey(cache, page, hidden, borrowed);
  default_cache.xTruncate(cache, from);
}

}  // namespace

const sqlite3_pcache_methods2* use_page_cache() {
  static sqlite3_pcache_methods2 methods{};
  static const bool is_used = [] {
    if (sqlite3_config(SQLITE_CONFIG_GETPCACHE2, &default_cache) != SQLITE_OK) return false;
    methods = default_cache;
    methods.xFetch = fetch;
    methods.xRekey = rekey;
    methods.xTruncate = truncate;
    return sqlite3_config(SQLITE_CONFIG_PCACHE2, &methods) == SQLITE_OK;
  }();
  return is_used ? &methods : nullptr;
}

}  // namespace segments::sqlite
