// Any bytes as a query string: decoded into the filters of a list and made a query of, or refused with
// faults.
#include <cstdlib>

#include "describe/query.h"
#include "model/segment_query.h"

namespace {

void require(bool holds) {
  if (!holds) std::abort();
}

segments::QueryParameters parameters_of(std::string_view text) {
  segments::QueryParameters parameters;
  for (const auto& pair : segments::split(text, '&')) {
    auto equals = std::min(pair.find('='), pair.size());
    auto name = segments::percent_decode(pair.substr(0, equals), true);
    auto value = segments::percent_decode(pair.substr(std::min(equals + 1, pair.size())), true);
    if (name && value) parameters.emplace_back(*name, *value);
  }
  return parameters;
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const unsigned char* data, std::size_t size) {
  try {
    auto filters = segments::decode_query<segments::SegmentFilters>(
        parameters_of({reinterpret_cast<const char*>(data), size}));
    auto query = segments::make_segment_query(filters);
    require(query.limit >= 1 && query.limit <= 200 && query.offset >= 0);
    require(!filters.cursor || query.offset == 0);
    for (const auto* time : {&query.created_after, &query.created_before})
      require(!*time || (*time)->size() == 24);
    require(!query.search || segments::is_utf8(*query.search));
  } catch (const segments::Error& error) {
    require(!error.faults().empty());
  }
  return 0;
}
