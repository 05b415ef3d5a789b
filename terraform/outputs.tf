# What scripts/deploy-segments-backend.sh reads.
output "aws_region" {
  description = "Region of everything"
  value       = var.aws_region
}

output "table_name" {
  description = "DynamoDB table"
  value       = aws_dynamodb_table.segments.name
}

output "bucket_name" {
  description = "S3 bucket of the media"
  value       = var.bucket_name
}

output "api_url" {
  description = "Origin of the API"
  value       = var.public_url
}

output "load_balancer_dns_name" {
  description = "What the API's name has to point to"
  value       = aws_lb.api.dns_name
}

output "cluster_name" {
  description = "ECS cluster"
  value       = aws_ecs_cluster.segments.name
}

output "service_names" {
  description = "ECS services"
  value       = [aws_ecs_service.api.name, aws_ecs_service.worker.name]
}

output "admin_task" {
  description = "What `aws ecs run-task --cli-input-json` takes to run a single command, as segments admin table migrate-from"
  value = jsonencode({
    cluster        = aws_ecs_cluster.segments.name
    taskDefinition = aws_ecs_task_definition.admin.arn
    launchType     = "FARGATE"
    networkConfiguration = {
      awsvpcConfiguration = {
        subnets        = var.private_subnet_ids
        securityGroups = [aws_security_group.tasks.id]
        assignPublicIp = var.assign_public_ip ? "ENABLED" : "DISABLED"
      }
    }
  })
}

output "auth_secret_arn" {
  description = "Where the secret of the tokens' signatures is; not the secret"
  value       = local.auth_secret_arn
}

output "log_group_names" {
  description = "Where API, workers and single commands log"
  value       = [aws_cloudwatch_log_group.api.name, aws_cloudwatch_log_group.worker.name, aws_cloudwatch_log_group.admin.name]
}
