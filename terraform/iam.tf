# What each role may do: the calls that the program makes and no other. tests/cloud/test_permissions.py runs it and compares.

# API and workers have one role: they differ in two calls, and have the same secret anyhow.
data "aws_iam_policy_document" "task" {
  statement {
    sid = "Records"
    actions = [
      "dynamodb:BatchGetItem",
      "dynamodb:BatchWriteItem",
      "dynamodb:DeleteItem",
      "dynamodb:GetItem",
      "dynamodb:PutItem",
      "dynamodb:Query",
      "dynamodb:UpdateItem",
    ]
    resources = [aws_dynamodb_table.segments.arn]
  }

  statement {
    sid       = "RecordsByIndex"
    actions   = ["dynamodb:Query"]
    resources = ["${aws_dynamodb_table.segments.arn}/index/*"]
  }

  # Where every caller is trusted, the list of everybody's videos reads that index as a whole.
  dynamic "statement" {
    for_each = local.settings.SEGMENTS_AUTH == "none" ? ["user_id-upload_date-index"] : []

    content {
      sid       = "EverybodysVideos"
      actions   = ["dynamodb:Scan"]
      resources = ["${aws_dynamodb_table.segments.arn}/index/${statement.value}"]
    }
  }

  # Whoever has a presigned URL does what this role may.
  statement {
    sid = "Media"
    actions = [
      "s3:AbortMultipartUpload",
      "s3:DeleteObject",
      "s3:GetObject",
      "s3:ListMultipartUploadParts",
      "s3:PutObject",
    ]
    resources = ["${local.bucket_arn}/*"]
  }

  # Without it an object that is not there is "forbidden" and not "absent".
  statement {
    sid       = "MediaList"
    actions   = ["s3:ListBucket"]
    resources = [local.bucket_arn]
  }

  dynamic "statement" {
    for_each = var.kms_key_arn == "" ? [] : [var.kms_key_arn]

    content {
      sid       = "MediaKey"
      actions   = ["kms:Decrypt", "kms:GenerateDataKey"]
      resources = [statement.value]
    }
  }
}

# What single commands may do (`segments admin …` in a task of their own): look at the table's settings, which API and
# workers have no need of, and copy the earlier service's records. Media are none of theirs.
data "aws_iam_policy_document" "admin" {
  statement {
    sid = "Table"
    actions = [
      "dynamodb:DescribeContinuousBackups",
      "dynamodb:DescribeTable",
      "dynamodb:DescribeTimeToLive",
    ]
    resources = [aws_dynamodb_table.segments.arn]
  }

  # While the earlier service's records are being copied. Its table is never written.
  dynamic "statement" {
    for_each = var.old_table_name == "" ? [] : [var.old_table_name]

    content {
      sid       = "OldRecords"
      actions   = ["dynamodb:DescribeTable", "dynamodb:Scan"]
      resources = ["arn:${data.aws_partition.current.partition}:dynamodb:${var.aws_region}:*:table/${statement.value}"]
    }
  }

  dynamic "statement" {
    for_each = var.old_table_name == "" ? [] : [aws_dynamodb_table.segments.arn]

    content {
      sid = "CopiedRecords"
      actions = [
        "dynamodb:BatchGetItem",
        "dynamodb:DeleteItem",
        "dynamodb:GetItem",
        "dynamodb:PutItem",
        "dynamodb:UpdateItem",
      ]
      resources = [statement.value]
    }
  }
}

data "aws_iam_policy_document" "ecs_tasks" {
  statement {
    actions = ["sts:AssumeRole"]

    principals {
      type        = "Service"
      identifiers = ["ecs-tasks.amazonaws.com"]
    }
  }
}

resource "aws_iam_role" "task" {
  name               = "${local.name}-task"
  description        = "API and workers"
  assume_role_policy = data.aws_iam_policy_document.ecs_tasks.json
}

resource "aws_iam_role_policy" "task" {
  name   = "task"
  role   = aws_iam_role.task.id
  policy = data.aws_iam_policy_document.task.json
}

resource "aws_iam_role" "admin" {
  name               = "${local.name}-admin"
  description        = "Single commands"
  assume_role_policy = data.aws_iam_policy_document.ecs_tasks.json
}

resource "aws_iam_role_policy" "admin" {
  name   = "admin"
  role   = aws_iam_role.admin.id
  policy = data.aws_iam_policy_document.admin.json
}

# What ECS does before a task runs: fetch its image, its secrets, and open its log.
data "aws_iam_policy_document" "execution" {
  statement {
    sid     = "Logs"
    actions = ["logs:CreateLogStream", "logs:PutLogEvents"]
    resources = [
      "${aws_cloudwatch_log_group.admin.arn}:*",
      "${aws_cloudwatch_log_group.api.arn}:*",
      "${aws_cloudwatch_log_group.worker.arn}:*",
    ]
  }

  statement {
    sid       = "Secrets"
    actions   = ["secretsmanager:GetSecretValue"]
    resources = values(local.secrets)
  }

  dynamic "statement" {
    for_each = var.image_repository_arn == "" ? [] : [var.image_repository_arn]

    content {
      sid       = "Image"
      actions   = ["ecr:BatchCheckLayerAvailability", "ecr:BatchGetImage", "ecr:GetDownloadUrlForLayer"]
      resources = [statement.value]
    }
  }

  dynamic "statement" {
    for_each = var.image_repository_arn == "" ? [] : ["*"]

    content {
      sid       = "ImageLogin"
      actions   = ["ecr:GetAuthorizationToken"]
      resources = [statement.value]
    }
  }
}

resource "aws_iam_role" "execution" {
  name               = "${local.name}-execution"
  description        = "ECS, before a task runs"
  assume_role_policy = data.aws_iam_policy_document.ecs_tasks.json
}

resource "aws_iam_role_policy" "execution" {
  name   = "execution"
  role   = aws_iam_role.execution.id
  policy = data.aws_iam_policy_document.execution.json
}
