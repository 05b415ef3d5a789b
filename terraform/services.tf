# API, workers and single commands: the same image, the same settings, on Fargate.
data "aws_partition" "current" {}

locals {
  name = "${var.project_name}-${var.environment}"
  port = 8000
  # A stop lets requests end within 10 s and tasks within 27; serve with a worker of its own takes 40 at most.
  stop_seconds = 45
  data_folder  = "/var/lib/segments"

  settings = merge(
    {
      SEGMENTS_STORE        = "dynamodb"
      SEGMENTS_OBJECTS      = "s3"
      SEGMENTS_QUEUE        = "redis"
      SEGMENTS_AUTH         = "token"
      SEGMENTS_PUBLIC_URL   = var.public_url
      SEGMENTS_CORS_ORIGINS = join(",", var.cors_origins)
      SEGMENTS_DATA_DIR     = local.data_folder
      SEGMENTS_S3_KMS_KEY   = var.kms_key_arn
      AWS_REGION            = var.aws_region
      AWS_BUCKET_NAME       = var.bucket_name
      DYNAMODB_TABLE_NAME   = var.table_name
      REDIS_URL             = local.redis_url
    },
    var.settings,
  )

  secrets = merge(
    { SEGMENTS_AUTH_SECRET = local.auth_secret_arn },
    local.redis_secret_arn == "" ? {} : { REDIS_PASSWORD = local.redis_secret_arn },
  )

  container = {
    image                  = var.image
    essential              = true
    readonlyRootFilesystem = true
    stopTimeout            = local.stop_seconds
    # Something has to take the ends of what a killed process leaves behind.
    linuxParameters = { initProcessEnabled = true }
    mountPoints     = [{ sourceVolume = "data", containerPath = local.data_folder, readOnly = false }]
    secrets         = [for name in sort(keys(local.secrets)) : { name = name, valueFrom = local.secrets[name] }]
  }

  api_environment    = merge(local.settings, { HOST = "0.0.0.0", PORT = tostring(local.port), SEGMENTS_WORKERS = "0" })
  worker_environment = merge(local.settings, { SEGMENTS_WORKERS = tostring(var.worker_concurrency) })
}

resource "aws_ecs_cluster" "segments" {
  name = local.name

  setting {
    name  = "containerInsights"
    value = "enabled"
  }
}

resource "aws_cloudwatch_log_group" "api" {
  name              = "/${local.name}/api"
  retention_in_days = var.log_days
}

resource "aws_cloudwatch_log_group" "worker" {
  name              = "/${local.name}/worker"
  retention_in_days = var.log_days
}

resource "aws_cloudwatch_log_group" "admin" {
  name              = "/${local.name}/admin"
  retention_in_days = var.log_days
}

resource "aws_ecs_task_definition" "api" {
  family                   = "${local.name}-api"
  requires_compatibilities = ["FARGATE"]
  network_mode             = "awsvpc"
  cpu                      = var.api_size.cpu
  memory                   = var.api_size.memory
  execution_role_arn       = aws_iam_role.execution.arn
  task_role_arn            = aws_iam_role.task.arn
  # Earlier revisions stay: ECS goes back to them where a new one does not come up.
  skip_destroy = true

  volume {
    name = "data"
  }

  container_definitions = jsonencode([merge(local.container, {
    name         = "api"
    command      = ["serve"]
    environment  = [for name in sort(keys(local.api_environment)) : { name = name, value = local.api_environment[name] }]
    portMappings = [{ containerPort = local.port, protocol = "tcp" }]
    healthCheck = {
      command     = ["CMD", "curl", "-fsS", "--max-time", "4", "-o", "/dev/null", "http://127.0.0.1:${local.port}/health"]
      interval    = 15
      timeout     = 5
      retries     = 3
      startPeriod = 30
    }
    logConfiguration = {
      logDriver = "awslogs"
      options = {
        awslogs-group         = aws_cloudwatch_log_group.api.name
        awslogs-region        = var.aws_region
        awslogs-stream-prefix = "api"
      }
    }
  })])
}

resource "aws_ecs_task_definition" "worker" {
  family                   = "${local.name}-worker"
  requires_compatibilities = ["FARGATE"]
  network_mode             = "awsvpc"
  cpu                      = var.worker_size.cpu
  memory                   = var.worker_size.memory
  execution_role_arn       = aws_iam_role.execution.arn
  task_role_arn            = aws_iam_role.task.arn
  skip_destroy             = true

  ephemeral_storage {
    size_in_gib = var.worker_disk_gib
  }

  volume {
    name = "data"
  }

  container_definitions = jsonencode([merge(local.container, {
    name = "worker"
    # Any number may have --beat: one of them at a time does the periodic work.
    command     = ["worker", "--beat", "-E"]
    environment = [for name in sort(keys(local.worker_environment)) : { name = name, value = local.worker_environment[name] }]
    logConfiguration = {
      logDriver = "awslogs"
      options = {
        awslogs-group         = aws_cloudwatch_log_group.worker.name
        awslogs-region        = var.aws_region
        awslogs-stream-prefix = "worker"
      }
    }
  })])
}

# For one command at a time, by the output admin_task; no service runs it.
resource "aws_ecs_task_definition" "admin" {
  family                   = "${local.name}-admin"
  requires_compatibilities = ["FARGATE"]
  network_mode             = "awsvpc"
  cpu                      = 512
  memory                   = 1024
  execution_role_arn       = aws_iam_role.execution.arn
  task_role_arn            = aws_iam_role.admin.arn

  volume {
    name = "data"
  }

  container_definitions = jsonencode([merge(local.container, {
    name        = "admin"
    command     = ["admin", "table", "verify"]
    environment = [for name in sort(keys(local.settings)) : { name = name, value = local.settings[name] }]
    logConfiguration = {
      logDriver = "awslogs"
      options = {
        awslogs-group         = aws_cloudwatch_log_group.admin.name
        awslogs-region        = var.aws_region
        awslogs-stream-prefix = "admin"
      }
    }
  })])
}

resource "aws_ecs_service" "api" {
  name                               = "api"
  cluster                            = aws_ecs_cluster.segments.id
  task_definition                    = aws_ecs_task_definition.api.arn
  desired_count                      = var.api_count.min
  launch_type                        = "FARGATE"
  deployment_minimum_healthy_percent = 100
  deployment_maximum_percent         = 200
  health_check_grace_period_seconds  = 60
  propagate_tags                     = "SERVICE"
  wait_for_steady_state              = true

  deployment_circuit_breaker {
    enable   = true
    rollback = true
  }

  network_configuration {
    subnets          = var.private_subnet_ids
    security_groups  = [aws_security_group.tasks.id]
    assign_public_ip = var.assign_public_ip
  }

  load_balancer {
    target_group_arn = aws_lb_target_group.api.arn
    container_name   = "api"
    container_port   = local.port
  }

  depends_on = [aws_lb_listener.https, aws_iam_role_policy.task, aws_iam_role_policy.execution]

  lifecycle {
    ignore_changes = [desired_count] # scaling.tf's
  }
}

resource "aws_ecs_service" "worker" {
  name                               = "worker"
  cluster                            = aws_ecs_cluster.segments.id
  task_definition                    = aws_ecs_task_definition.worker.arn
  desired_count                      = var.worker_count.min
  launch_type                        = "FARGATE"
  deployment_minimum_healthy_percent = 100
  deployment_maximum_percent         = 200
  propagate_tags                     = "SERVICE"
  wait_for_steady_state              = true

  deployment_circuit_breaker {
    enable   = true
    rollback = true
  }

  network_configuration {
    subnets          = var.private_subnet_ids
    security_groups  = [aws_security_group.tasks.id]
    assign_public_ip = var.assign_public_ip
  }

  depends_on = [aws_iam_role_policy.task, aws_iam_role_policy.execution]

  lifecycle {
    ignore_changes = [desired_count]
  }
}
