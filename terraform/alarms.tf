# What the operators of the earlier service watched, and what a queue needs besides. Counts come out of the JSON lines
# of the log; docs/operations.md says what to do about each alarm.
locals {
  metrics = "${local.name}/segments"

  # name = where it is logged, which lines, what is counted
  log_metrics = {
    segments_made       = { group = "worker", pattern = "{ $.event = \"task.ended\" && $.name = \"tasks.create_segments_from_video_task\" && $.ending = \"success\" }", value = "1" }
    segments_failed     = { group = "worker", pattern = "{ $.event = \"task.given_up\" && $.name = \"tasks.create_segments_from_video_task\" }", value = "1" }
    tasks_given_up      = { group = "worker", pattern = "{ $.event = \"task.given_up\" }", value = "1" }
    messages_unreadable = { group = "worker", pattern = "{ $.event = \"celery.message_undecodable\" }", value = "1" }
    beat_failed         = { group = "worker", pattern = "{ $.event = \"beat.failed\" }", value = "1" }
    sync_milliseconds   = { group = "worker", pattern = "{ $.event = \"task.ended\" && $.name = \"tasks.sync_social_media_metrics_task\" && $.ms = * }", value = "$.ms" }
    syncs_rate_limited  = { group = "worker", pattern = "{ $.event = \"social.sync\" && $.outcome = \"rate_limited\" }", value = "1" }
    syncs_failed        = { group = "worker", pattern = "{ $.event = \"social.sync\" && $.level = \"warning\" && $.outcome != \"rate_limited\" }", value = "1" }
    auth_rejected       = { group = "api", pattern = "{ $.event = \"auth.rejected\" }", value = "1" }
    requests_failed     = { group = "api", pattern = "{ $.event = \"http.failed\" }", value = "1" }
    aws_calls_failed    = { group = "api", pattern = "{ $.event = \"aws.call_failed\" }", value = "1" }
  }

  log_groups = { api = aws_cloudwatch_log_group.api.name, worker = aws_cloudwatch_log_group.worker.name }

  # Alarms of those: at how much within how long.
  log_alarms = {
    tasks_given_up      = { about = "A task failed for good: segments admin dead-letters", over = 0, minutes = 5 }
    messages_unreadable = { about = "A message that no worker can read: segments admin dead-letters", over = 0, minutes = 5 }
    beat_failed         = { about = "Periodic work fails again and again", over = 3, minutes = 15 }
    syncs_rate_limited  = { about = "Social sync: a platform limits us", over = 50, minutes = 15 }
    syncs_failed        = { about = "Social sync: platforms fail or refuse", over = 100, minutes = 15 }
    auth_rejected       = { about = "Unusual activity: many requests without valid credentials", over = 500, minutes = 5 }
    requests_failed     = { about = "Requests ended in an error of ours", over = 0, minutes = 5 }
  }
}

resource "aws_cloudwatch_log_metric_filter" "count" {
  for_each       = local.log_metrics
  name           = each.key
  log_group_name = local.log_groups[each.value.group]
  pattern        = each.value.pattern

  metric_transformation {
    namespace = local.metrics
    name      = each.key
    value     = each.value.value
  }
}

resource "aws_cloudwatch_metric_alarm" "log" {
  for_each            = local.log_alarms
  alarm_name          = "${local.name}-${replace(each.key, "_", "-")}"
  alarm_description   = each.value.about
  namespace           = local.metrics
  metric_name         = aws_cloudwatch_log_metric_filter.count[each.key].name
  statistic           = "Sum"
  period              = each.value.minutes * 60
  evaluation_periods  = 1
  comparison_operator = "GreaterThanThreshold"
  threshold           = each.value.over
  treat_missing_data  = "notBreaching"
  alarm_actions       = var.alarm_topic_arns
  ok_actions          = var.alarm_topic_arns
}

# --- Segment creation ---

resource "aws_cloudwatch_metric_alarm" "segment_creation" {
  alarm_name          = "${local.name}-segment-creation"
  alarm_description   = "Segment creation: fewer than 95 % of create_segments_from_video_task succeed"
  evaluation_periods  = 2
  comparison_operator = "LessThanThreshold"
  threshold           = 95
  treat_missing_data  = "notBreaching"
  alarm_actions       = var.alarm_topic_arns
  ok_actions          = var.alarm_topic_arns

  metric_query {
    id          = "rate"
    expression  = "100 * FILL(made, 0) / (FILL(made, 0) + FILL(failed, 0))"
    label       = "Success rate in percent"
    return_data = true
  }

  metric_query {
    id = "made"

    metric {
      namespace   = local.metrics
      metric_name = aws_cloudwatch_log_metric_filter.count["segments_made"].name
      stat        = "Sum"
      period      = 900
    }
  }

  metric_query {
    id = "failed"

    metric {
      namespace   = local.metrics
      metric_name = aws_cloudwatch_log_metric_filter.count["segments_failed"].name
      stat        = "Sum"
      period      = 900
    }
  }
}

# --- Social sync ---

resource "aws_cloudwatch_metric_alarm" "sync_time" {
  alarm_name          = "${local.name}-sync-time"
  alarm_description   = "Social sync: one in twenty syncs takes longer than 30 s"
  namespace           = local.metrics
  metric_name         = aws_cloudwatch_log_metric_filter.count["sync_milliseconds"].name
  extended_statistic  = "p95"
  period              = 900
  evaluation_periods  = 2
  comparison_operator = "GreaterThanThreshold"
  threshold           = 30000
  treat_missing_data  = "notBreaching"
  alarm_actions       = var.alarm_topic_arns
  ok_actions          = var.alarm_topic_arns
}

# --- Database ---

resource "aws_cloudwatch_metric_alarm" "table_latency" {
  for_each            = toset(["GetItem", "PutItem", "UpdateItem", "Query", "BatchGetItem"])
  alarm_name          = "${local.name}-table-latency-${lower(each.value)}"
  alarm_description   = "Database: ${each.value} is slow${each.value == "Query" ? "; queries are those of the indexes" : ""}"
  namespace           = "AWS/DynamoDB"
  metric_name         = "SuccessfulRequestLatency"
  dimensions          = { TableName = aws_dynamodb_table.segments.name, Operation = each.value }
  extended_statistic  = "p99"
  period              = 300
  evaluation_periods  = 3
  comparison_operator = "GreaterThanThreshold"
  threshold           = 200
  treat_missing_data  = "notBreaching"
  alarm_actions       = var.alarm_topic_arns
  ok_actions          = var.alarm_topic_arns
}

resource "aws_cloudwatch_metric_alarm" "table_errors" {
  for_each            = toset(["GetItem", "PutItem", "UpdateItem", "DeleteItem", "Query", "BatchGetItem", "BatchWriteItem"])
  alarm_name          = "${local.name}-table-errors-${lower(each.value)}"
  alarm_description   = "Database: DynamoDB fails at ${each.value}"
  namespace           = "AWS/DynamoDB"
  metric_name         = "SystemErrors"
  dimensions          = { TableName = aws_dynamodb_table.segments.name, Operation = each.value }
  statistic           = "Sum"
  period              = 300
  evaluation_periods  = 2
  comparison_operator = "GreaterThanThreshold"
  threshold           = 10
  treat_missing_data  = "notBreaching"
  alarm_actions       = var.alarm_topic_arns
  ok_actions          = var.alarm_topic_arns
}

# An index that is throttled holds up the table's writes.
resource "aws_cloudwatch_metric_alarm" "index_throttled" {
  for_each            = toset([for index in aws_dynamodb_table.segments.global_secondary_index : index.name])
  alarm_name          = "${local.name}-throttled-${replace(each.value, "_", "-")}"
  alarm_description   = "Database: the index ${each.value} is throttled"
  namespace           = "AWS/DynamoDB"
  metric_name         = "WriteThrottleEvents"
  dimensions          = { TableName = aws_dynamodb_table.segments.name, GlobalSecondaryIndexName = each.value }
  statistic           = "Sum"
  period              = 300
  evaluation_periods  = 2
  comparison_operator = "GreaterThanThreshold"
  threshold           = 0
  treat_missing_data  = "notBreaching"
  alarm_actions       = var.alarm_topic_arns
  ok_actions          = var.alarm_topic_arns
}

resource "aws_cloudwatch_metric_alarm" "table_throttled" {
  for_each            = toset(["ReadThrottleEvents", "WriteThrottleEvents"])
  alarm_name          = "${local.name}-table-${each.value == "ReadThrottleEvents" ? "reads" : "writes"}-throttled"
  alarm_description   = "Database: the table is throttled"
  namespace           = "AWS/DynamoDB"
  metric_name         = each.value
  dimensions          = { TableName = aws_dynamodb_table.segments.name }
  statistic           = "Sum"
  period              = 300
  evaluation_periods  = 2
  comparison_operator = "GreaterThanThreshold"
  threshold           = 0
  treat_missing_data  = "notBreaching"
  alarm_actions       = var.alarm_topic_arns
  ok_actions          = var.alarm_topic_arns
}

resource "aws_cloudwatch_metric_alarm" "capacity" {
  for_each            = { Read = var.capacity_alarm.read, Write = var.capacity_alarm.write }
  alarm_name          = "${local.name}-${lower(each.key)}-capacity"
  alarm_description   = "Database: unusually many ${lower(each.key)} units are consumed, and paid for"
  namespace           = "AWS/DynamoDB"
  metric_name         = "Consumed${each.key}CapacityUnits"
  dimensions          = { TableName = aws_dynamodb_table.segments.name }
  statistic           = "Sum"
  period              = 300
  evaluation_periods  = 3
  comparison_operator = "GreaterThanThreshold"
  threshold           = each.value
  treat_missing_data  = "notBreaching"
  alarm_actions       = var.alarm_topic_arns
  ok_actions          = var.alarm_topic_arns
}

# --- The services ---

resource "aws_cloudwatch_metric_alarm" "api_errors" {
  alarm_name          = "${local.name}-api-errors"
  alarm_description   = "The API answers 5xx"
  namespace           = "AWS/ApplicationELB"
  metric_name         = "HTTPCode_Target_5XX_Count"
  dimensions          = { LoadBalancer = aws_lb.api.arn_suffix }
  statistic           = "Sum"
  period              = 60
  evaluation_periods  = 3
  comparison_operator = "GreaterThanThreshold"
  threshold           = 5
  treat_missing_data  = "notBreaching"
  alarm_actions       = var.alarm_topic_arns
  ok_actions          = var.alarm_topic_arns
}

# Event streams count when they end: a high percentile would be theirs.
resource "aws_cloudwatch_metric_alarm" "api_time" {
  alarm_name          = "${local.name}-api-time"
  alarm_description   = "Half of the requests take longer than 500 ms"
  namespace           = "AWS/ApplicationELB"
  metric_name         = "TargetResponseTime"
  dimensions          = { LoadBalancer = aws_lb.api.arn_suffix }
  extended_statistic  = "p50"
  period              = 300
  evaluation_periods  = 3
  comparison_operator = "GreaterThanThreshold"
  threshold           = 0.5
  treat_missing_data  = "notBreaching"
  alarm_actions       = var.alarm_topic_arns
  ok_actions          = var.alarm_topic_arns
}

resource "aws_cloudwatch_metric_alarm" "api_unhealthy" {
  alarm_name          = "${local.name}-api-unhealthy"
  alarm_description   = "An API task does not answer"
  namespace           = "AWS/ApplicationELB"
  metric_name         = "UnHealthyHostCount"
  dimensions          = { LoadBalancer = aws_lb.api.arn_suffix, TargetGroup = aws_lb_target_group.api.arn_suffix }
  statistic           = "Maximum"
  period              = 60
  evaluation_periods  = 5
  comparison_operator = "GreaterThanThreshold"
  threshold           = 0
  alarm_actions       = var.alarm_topic_arns
  ok_actions          = var.alarm_topic_arns
}

resource "aws_cloudwatch_metric_alarm" "tasks_running" {
  for_each            = { api = aws_ecs_service.api.name, worker = aws_ecs_service.worker.name }
  alarm_name          = "${local.name}-${each.key}-running"
  alarm_description   = "No task of the service ${each.key} runs"
  namespace           = "ECS/ContainerInsights"
  metric_name         = "RunningTaskCount"
  dimensions          = { ClusterName = aws_ecs_cluster.segments.name, ServiceName = each.value }
  statistic           = "Minimum"
  period              = 60
  evaluation_periods  = 5
  comparison_operator = "LessThanThreshold"
  threshold           = 1
  treat_missing_data  = "breaching"
  alarm_actions       = var.alarm_topic_arns
  ok_actions          = var.alarm_topic_arns
}

resource "aws_cloudwatch_metric_alarm" "redis_memory" {
  for_each            = aws_elasticache_replication_group.redis
  alarm_name          = "${local.name}-redis-memory"
  alarm_description   = "Redis is nearly full; a full one refuses tasks"
  namespace           = "AWS/ElastiCache"
  metric_name         = "DatabaseMemoryUsagePercentage"
  dimensions          = { CacheClusterId = "${each.value.replication_group_id}-001" }
  statistic           = "Maximum"
  period              = 300
  evaluation_periods  = 2
  comparison_operator = "GreaterThanThreshold"
  threshold           = 75
  treat_missing_data  = "notBreaching"
  alarm_actions       = var.alarm_topic_arns
  ok_actions          = var.alarm_topic_arns
}
