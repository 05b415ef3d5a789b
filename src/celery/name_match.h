// Whether a node's name fits a pattern that a client sent. Both take a bounded time whatever the pattern is;
// where it or the name is longer than 1,000 bytes it does not fit.
#pragma once

#include <string_view>

namespace segments::celery {

// Python's fnmatch on the whole name: * ? [abc] [!a-z].
bool matches_glob(std::string_view name, std::string_view pattern);
// Python's re.match: at the start of the name. By RE2: false for what is no such expression, and for
// references and look-around, which have no bound; "{,n}" stands for itself.
bool matches_regex(std::string_view name, std::string_view pattern);

}  // namespace segments::celery
