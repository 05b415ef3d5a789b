# The table as `segments admin table create` makes it, and no other way: tests/cloud/test_terraform.py compares this
# with `segments admin table show`. Change src/dynamodb/table_definition.cc first.
resource "aws_dynamodb_table" "segments" {
  name                        = var.table_name
  billing_mode                = "PAY_PER_REQUEST"
  hash_key                    = "video_id"
  range_key                   = "segment_id"
  deletion_protection_enabled = true

  attribute {
    name = "created_at"
    type = "S"
  }

  attribute {
    name = "segment_id"
    type = "S"
  }

  attribute {
    name = "segment_type"
    type = "S"
  }

  attribute {
    name = "upload_date"
    type = "S"
  }

  attribute {
    name = "user_id"
    type = "S"
  }

  attribute {
    name = "video_id"
    type = "S"
  }

  global_secondary_index {
    name            = "video_id-segment_type-index"
    hash_key        = "video_id"
    range_key       = "segment_type"
    projection_type = "KEYS_ONLY"
  }

  global_secondary_index {
    name               = "user_id-segment_type-index"
    hash_key           = "user_id"
    range_key          = "segment_type"
    projection_type    = "INCLUDE"
    non_key_attributes = ["segment_number", "duration", "file_size", "title", "filename", "created_at"]
  }

  global_secondary_index {
    name               = "user_id-created_at-index"
    hash_key           = "user_id"
    range_key          = "created_at"
    projection_type    = "INCLUDE"
    non_key_attributes = ["segment_number", "duration", "file_size", "title", "filename", "segment_type"]
  }

  global_secondary_index {
    name            = "user_id-upload_date-index"
    hash_key        = "user_id"
    range_key       = "upload_date"
    projection_type = "KEYS_ONLY"
  }

  ttl {
    attribute_name = "expires_at"
    enabled        = true
  }

  point_in_time_recovery {
    enabled = true
  }

  server_side_encryption {
    enabled = true
  }

  lifecycle {
    prevent_destroy = true
  }
}

import {
  for_each = toset(var.adopt_table ? [var.table_name] : [])
  to       = aws_dynamodb_table.segments
  id       = each.value
}
