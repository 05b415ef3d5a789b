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
  bool is_needed = true;    // else the program works all the same, but dearer, or less safely
  bool is_passing = false;  // the table or an index is being made: it will be well by and by
  bool operator==(const Difference&) const = default;
};

// Every difference from table_definition(), what is needed first. Throws Error{malformed} where an answer is
// not JSON.
std::vector<Difference> differences(const TableAnswers&);

// Parts of it, of the answers to DescribeTimeToLive and DescribeContinuousBackups.
bool is_expiry_on(std::string_view answer);  // by whatever attribute
bool are_backups_on(std::string_view answer);

}  // namespace segments::dynamodb
