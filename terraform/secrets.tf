# The secret of the tokens' signatures. Where it is made here, its value goes to Secrets Manager without ever being
# in a plan or in the state: ephemeral values are made anew at every run, and written only when the version changes.
locals {
  makes_auth_secret = toset(var.auth_secret_arn == "" ? ["auth"] : [])
  auth_secret_arn   = var.auth_secret_arn != "" ? var.auth_secret_arn : one([for s in aws_secretsmanager_secret.auth : s.arn])
  redis_secret_arn  = var.redis_url != "" ? var.redis_password_secret_arn : one([for s in aws_secretsmanager_secret.redis : s.arn])
}

ephemeral "aws_secretsmanager_random_password" "auth" {
  for_each            = local.makes_auth_secret
  password_length     = 64
  exclude_punctuation = true
}

resource "aws_secretsmanager_secret" "auth" {
  for_each    = local.makes_auth_secret
  name        = "${local.name}/auth-secret"
  description = "Signs the API's tokens: whoever has it can be any user"

  lifecycle {
    prevent_destroy = true
  }
}

resource "aws_secretsmanager_secret_version" "auth" {
  for_each                 = local.makes_auth_secret
  secret_id                = aws_secretsmanager_secret.auth[each.key].id
  secret_string_wo         = ephemeral.aws_secretsmanager_random_password.auth[each.key].random_password
  secret_string_wo_version = 1
}

resource "aws_secretsmanager_secret" "redis" {
  for_each    = local.makes_redis
  name        = "${local.name}/redis-password"
  description = "Whoever has it and reaches Redis can run tasks"
}

resource "aws_secretsmanager_secret_version" "redis" {
  for_each                 = local.makes_redis
  secret_id                = aws_secretsmanager_secret.redis[each.key].id
  secret_string_wo         = var.redis_auth_token
  secret_string_wo_version = parseint(substr(sha256(var.redis_auth_token), 0, 8), 16)
}
