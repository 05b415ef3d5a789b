// DynamoDB's answers are outside bytes: whatever they are, an item is read or refused, and what was read is
// written again without loss.
#include <boost/json/parse.hpp>
#include <cstdint>
#include <cstdlib>

#include "base/error.h"
#include "dynamodb/segment_item.h"

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  using namespace segments;
  boost::json::error_code fault;
  boost::json::parse_options options;
  options.max_depth = 256;
  auto json = boost::json::parse({reinterpret_cast<const char*>(data), size}, fault, {}, options);
  if (fault) return 0;
  dynamodb::Item item;
  try {
    item = dynamodb::decode_item(json);
  } catch (const Error&) {
    return 0;
  }
  std::string text;
  dynamodb::encode_item(text, item);
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
