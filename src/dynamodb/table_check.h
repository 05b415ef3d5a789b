// Whether a table that is there is the one we need, from what DynamoDB says of it.
#pragma once

#include <optional>
#include <string>
#include <string_view>
#include <vector>

namespace segments::dynamodb {

// The bodies of AWS's answers to DescribeTable, DescribeTimeToLive and DescribeContinuousBackups; the latter
// two absent where the server does not know those calls, which no AWS does.
struct TableAnswers {
  std::string table;
  std::optional<std::string> expiry, backups;
};

struct Difference {
  std::string sentence;
  bool is_needed = true;  // else the program works all the same, but dearer, or less safely
  bool operator==(const Difference&) const = default;
};

// Every difference from table_definition(), what is needed first. Throws Error{malformed} where an answer is
// not JSON.
std::vector<Difference> differences(const TableAnswers&);

}  // namespace segments::dynamodb
