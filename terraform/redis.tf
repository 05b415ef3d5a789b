# Redis carries tasks and events: ElastiCache, unless var.redis_url names another.
locals {
  makes_redis = toset(var.redis_url == "" ? ["redis"] : [])
  redis_url   = var.redis_url != "" ? var.redis_url : "rediss://${one([for r in aws_elasticache_replication_group.redis : r.primary_endpoint_address])}:6379/0"
}

resource "aws_elasticache_subnet_group" "redis" {
  for_each   = local.makes_redis
  name       = "${local.name}-redis"
  subnet_ids = var.private_subnet_ids
}

resource "aws_elasticache_parameter_group" "redis" {
  for_each = local.makes_redis
  name     = "${local.name}-redis7"
  family   = "redis7"

  # A full Redis has to refuse: one that evicts loses tasks in silence.
  parameter {
    name  = "maxmemory-policy"
    value = "noeviction"
  }
}

resource "aws_elasticache_replication_group" "redis" {
  for_each                   = local.makes_redis
  replication_group_id       = "${local.name}-redis"
  description                = "Tasks and events of ${local.name}"
  engine                     = "redis"
  engine_version             = "7.1"
  node_type                  = var.redis_node_type
  num_cache_clusters         = 2
  automatic_failover_enabled = true
  multi_az_enabled           = true
  port                       = 6379
  parameter_group_name       = aws_elasticache_parameter_group.redis[each.key].name
  subnet_group_name          = aws_elasticache_subnet_group.redis[each.key].name
  security_group_ids         = [aws_security_group.redis[each.key].id]
  at_rest_encryption_enabled = true
  transit_encryption_enabled = true
  auth_token                 = var.redis_auth_token
  snapshot_retention_limit   = 7
  final_snapshot_identifier  = "${local.name}-redis-final"

  lifecycle {
    prevent_destroy = true
  }
}
