// Whether a node's name fits a pattern that a client sent. Both take a bounded time whatever the pattern is.
#pragma once

#include <string_view>

namespace segments::celery {

// Python's fnmatch on the whole name: * ? [abc] [!a-z].
bool matches_glob(std::string_view name, std::string_view pattern);
// Python's re.match: at the start of the name. Literals, . [] [^] \d \w \s \b and their opposites, ( ) (?: )
// | * + ? {m,n} (also lazy), ^ $. False for what is no such expression (references, look-around, flags), and
// where it or the name is longer than 1,000 characters.
bool matches_regex(std::string_view name, std::string_view pattern);

}  // namespace segments::celery
