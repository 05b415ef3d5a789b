# Where this is run on the earlier service's state (README.md advises a state of its own): what holds data or users
# there is forgotten, never destroyed. The deploy script refuses every plan that destroys anything else.
removed {
  from = aws_dynamodb_table.video_metadata
  lifecycle {
    destroy = false
  }
}

removed {
  from = aws_s3_bucket.video_bucket
  lifecycle {
    destroy = false
  }
}

removed {
  from = aws_s3_bucket_versioning.video_bucket_versioning
  lifecycle {
    destroy = false
  }
}

removed {
  from = aws_s3_bucket_server_side_encryption_configuration.video_bucket_encryption
  lifecycle {
    destroy = false
  }
}

removed {
  from = aws_s3_bucket_public_access_block.video_bucket_pab
  lifecycle {
    destroy = false
  }
}

removed {
  from = aws_s3_bucket_policy.video_bucket_policy
  lifecycle {
    destroy = false
  }
}

removed {
  from = aws_s3_bucket_cors_configuration.video_bucket_cors
  lifecycle {
    destroy = false
  }
}

removed {
  from = aws_s3_bucket_lifecycle_configuration.video_bucket_lifecycle
  lifecycle {
    destroy = false
  }
}

removed {
  from = aws_s3_bucket_website_configuration.video_bucket_website
  lifecycle {
    destroy = false
  }
}

removed {
  from = aws_s3_bucket_accelerate_configuration.video_bucket_accelerate
  lifecycle {
    destroy = false
  }
}

removed {
  from = aws_cognito_user_pool.video_app_users
  lifecycle {
    destroy = false
  }
}

removed {
  from = aws_cognito_user_pool_client.video_app_client
  lifecycle {
    destroy = false
  }
}

removed {
  from = aws_cognito_user_group.admin_group
  lifecycle {
    destroy = false
  }
}

removed {
  from = aws_cognito_user_group.user_group
  lifecycle {
    destroy = false
  }
}
