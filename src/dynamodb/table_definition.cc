#include "dynamodb/table_definition.h"

#include "describe/encode.h"

namespace segments::dynamodb {
namespace {

// What lists of a user filter and sort by before they read the segments themselves. All of it is written when
// the segment is made, and seldom again.
const std::vector<std::string> listed = {"segment_number", "duration", "file_size", "title", "filename"};

TableDefinition define() {
  TableDefinition table;
  table.hash_key = "video_id";
  table.range_key = "segment_id";
  for (const char* name : {"video_id", "segment_id", "user_id", "segment_type", "created_at", "upload_date"})
    table.attributes[name] = "S";
  auto with_type = listed, with_time = listed;
  with_type.push_back("created_at");
  with_time.push_back("segment_type");
  // A video's own segments are read from the table: this index is for others who read it.
  table.indexes.push_back({std::string(by_video_type), "video_id", "segment_type", "KEYS_ONLY", {}});
  table.indexes.push_back({std::string(by_user_type), "user_id", "segment_type", "INCLUDE", with_type});
  table.indexes.push_back({std::string(by_user_creation), "user_id", "created_at", "INCLUDE", with_time});
  table.indexes.push_back({std::string(by_user_upload), "user_id", "upload_date", "KEYS_ONLY", {}});
  table.billing_mode = "PAY_PER_REQUEST";
  table.ttl_attribute = "expires_at";
  return table;
}

// As DynamoDB names these things.
struct KeyPart {
  std::string AttributeName, KeyType;
};
BOOST_DESCRIBE_STRUCT(KeyPart, (), (AttributeName, KeyType))
struct KeyAttribute {
  std::string AttributeName, AttributeType;
};
BOOST_DESCRIBE_STRUCT(KeyAttribute, (), (AttributeName, AttributeType))

std::string key_schema(const std::string& hash_key, const std::string& range_key) {
  return encode(std::vector<KeyPart>{{hash_key, "HASH"}, {range_key, "RANGE"}});
}

std::string index_request(const IndexDefinition& index) {
  std::string out = "{\"IndexName\":" + encode(index.name) +
                    ",\"KeySchema\":" + key_schema(index.hash_key, index.range_key) +
                    ",\"Projection\":{\"ProjectionType\":" + encode(index.projection_type);
  // DynamoDB refuses an empty list.
  if (!index.non_key_attributes.empty()) out += ",\"NonKeyAttributes\":" + encode(index.non_key_attributes);
  return out + "}}";
}

std::string table_name_member(std::string_view table_name) {
  return "{\"TableName\":" + encode(std::string(table_name));
}

}  // namespace

const TableDefinition& table_definition() {
  static const TableDefinition table = define();
  return table;
}

std::string create_table_request(std::string_view table_name) {
  const auto& table = table_definition();
  std::vector<KeyAttribute> attributes;
  for (const auto& [name, type] : table.attributes) attributes.push_back({name, type});
  std::string indexes;
  for (const auto& index : table.indexes) indexes += (indexes.empty() ? "" : ",") + index_request(index);
  return table_name_member(table_name) + ",\"KeySchema\":" + key_schema(table.hash_key, table.range_key) +
         ",\"AttributeDefinitions\":" + encode(attributes) + ",\"GlobalSecondaryIndexes\":[" + indexes +
         "],\"BillingMode\":" + encode(table.billing_mode) +
         ",\"SSESpecification\":{\"Enabled\":" + encode(table.server_side_encryption) +
         "},\"DeletionProtectionEnabled\":" + encode(table.deletion_protection) + "}";
}

std::string expiry_request(std::string_view table_name) {
  return table_name_member(table_name) + ",\"TimeToLiveSpecification\":{\"Enabled\":true,\"AttributeName\":" +
         encode(table_definition().ttl_attribute) + "}}";
}

std::string backups_request(std::string_view table_name) {
  return table_name_member(table_name) +
         ",\"PointInTimeRecoverySpecification\":{\"PointInTimeRecoveryEnabled\":" +
         encode(table_definition().point_in_time_recovery) + "}}";
}

std::string print_definition(std::string_view table_name) {
  const auto& table = table_definition();
  std::string out = "{\n  \"table_name\": " + encode(std::string(table_name));
  for_each_member<TableDefinition>([&](const char* name, auto member) {
    out += ",\n  \"" + std::string(name) + "\": ";
    if constexpr (std::is_same_v<decltype(member), std::vector<IndexDefinition> TableDefinition::*>) {
      const char* before = "[\n    ";
      for (const auto& index : table.*member) {
        out += before + encode(index);
        before = ",\n    ";
      }
      out += "\n  ]";
    } else {
      out += encode(table.*member);
    }
  });
  return out + "\n}\n";
}

}  // namespace segments::dynamodb
