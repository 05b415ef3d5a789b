// The one table that everything is kept in: its keys, indexes and settings. `segments admin table` makes and
// checks it by this, and Terraform's table is compared with it.
#pragma once

#include <boost/describe.hpp>
#include <map>
#include <string>
#include <string_view>
#include <vector>

namespace segments::dynamodb {

// What an index holds besides its own and the table's keys costs a write there whenever it changes, so
// counters, posts, descriptions and progress are in none. A projection cannot be changed later.
struct IndexDefinition {
  std::string name;
  std::string hash_key, range_key;
  std::string projection_type;  // INCLUDE or KEYS_ONLY
  std::vector<std::string> non_key_attributes;
};
BOOST_DESCRIBE_STRUCT(IndexDefinition, (), (name, hash_key, range_key, projection_type, non_key_attributes))

struct TableDefinition {
  std::string hash_key, range_key;
  std::map<std::string, std::string> attributes;  // of all keys, with their types
  std::vector<IndexDefinition> indexes;
  std::string billing_mode;
  bool server_side_encryption = true;  // by AWS's own key for DynamoDB
  bool deletion_protection = true;
  bool point_in_time_recovery = true;
  std::string ttl_attribute;  // seconds since 1970
};
BOOST_DESCRIBE_STRUCT(TableDefinition, (),
                      (hash_key, range_key, attributes, indexes, billing_mode, server_side_encryption,
                       deletion_protection, point_in_time_recovery, ttl_attribute))

const TableDefinition& table_definition();

// By video: segments of one type.
inline constexpr std::string_view by_video_type = "video_id-segment_type-index";
// By user: segments of one type, in no order; segments by creation; videos by upload.
inline constexpr std::string_view by_user_type = "user_id-segment_type-index";
inline constexpr std::string_view by_user_creation = "user_id-created_at-index";
inline constexpr std::string_view by_user_upload = "user_id-upload_date-index";

// The bodies of CreateTable, UpdateTimeToLive and UpdateContinuousBackups.
std::string create_table_request(std::string_view table_name);
std::string expiry_request(std::string_view table_name);
std::string backups_request(std::string_view table_name);

// The definition as one JSON document, with lines for people.
std::string print_definition(std::string_view table_name);

}  // namespace segments::dynamodb
