// DynamoDB's answers are outside bytes: whatever they are, an item is read or refused, and what was read is
// written again without loss.
#include <boost/json/parse.hpp>
#include <cstdint>
#include <cstdlib>
#include <string>

#include "base/error.h"
#include "dynamodb/item_parser.h"
#include "dynamodb/segment_item.h"

namespace {

// Read straight from an answer it is the same; names that come twice are refused there.
void check_straight(const std::string& text, const segments::dynamodb::Item* expected, bool may_refuse) {
  using namespace segments;
  const auto answer = R"({"ConsumedCapacity":{"a":[1,{"b":null}]},"Item":)" + text + R"(,"Count":1} )";
  try {
    const auto found = dynamodb::parse_item_in(answer, "Item");
    if (!expected || found != *expected) std::abort();
  } catch (const Error&) {
    if (!may_refuse) std::abort();
  }
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  using namespace segments;
  boost::json::error_code fault;
  boost::json::parse_options options;
  options.max_depth = 256;
  auto json = boost::json::parse({reinterpret_cast<const char*>(data), size}, fault, {}, options);
  if (fault) return 0;
  const std::string given(reinterpret_cast<const char*>(data), size);
  dynamodb::Item item;
  try {
    item = dynamodb::decode_item(json);
  } catch (const Error&) {
    check_straight(given, nullptr, true);
    return 0;
  }
  check_straight(given, &item, true);
  std::string text;
  dynamodb::encode_item(text, item);
  check_straight(text, &item, false);
  if (dynamodb::decode_item(boost::json::parse(text, {}, options)) != item) std::abort();
  dynamodb::read_listed(item);
  auto stored = dynamodb::read_segment(item);
  try {
    if (stored) dynamodb::make_item(*stored);
  } catch (const Error&) {
    // A number of a size that DynamoDB never gives.
  }
  return 0;
}
