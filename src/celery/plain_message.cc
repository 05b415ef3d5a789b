#include "celery/plain_message.h"

namespace segments::celery {

std::optional<PlainNames> cut_plain(std::string_view raw) {
  if (!raw.starts_with(plain_begin) || !raw.ends_with(plain_end)) return std::nullopt;
  auto quote = raw.find('"', plain_begin.size());
  auto text_after = [&](std::string_view words) -> std::string_view {
    if (quote == raw.npos || raw.substr(quote, words.size()) != words) return quote = raw.npos, "";
    auto begin = quote + words.size();
    quote = raw.find('"', begin);
    return raw.substr(begin, quote - begin);
  };
  text_after(plain_headers);
  PlainNames names;
  names.task = text_after(plain_task);
  names.id = text_after(plain_id);
  if (quote == raw.npos || raw.substr(quote, plain_rest.size()) != plain_rest) return std::nullopt;
  // Each quotation mark up to there is one of JSON's own.
  if (raw.substr(0, quote).find('\\') != raw.npos) return std::nullopt;
  return names;
}

}  // namespace segments::celery
