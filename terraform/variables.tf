# aws_region, project_name, environment and bucket_name are named as in the earlier service's terraform.tfvars.

variable "aws_region" {
  description = "Region of everything"
  type        = string
  default     = "us-east-1"
}

variable "project_name" {
  description = "Beginning of every name that is made here"
  type        = string
  default     = "easy-video-share"

  validation {
    condition     = can(regex("^[a-z][a-z0-9-]{1,19}$", var.project_name))
    error_message = "project_name is 2 to 20 of a-z, 0-9 and -, with a letter first."
  }
}

variable "environment" {
  description = "Which of several installations: dev, staging, prod"
  type        = string
  default     = "dev"
}

# --- What records and media are kept in ---

variable "table_name" {
  description = "DynamoDB table that is made here. Not the earlier service's: that one's key differs and cannot be changed"
  type        = string
  default     = "easy-video-share-segments"

  validation {
    condition     = var.table_name != var.old_table_name
    error_message = "table_name is a new table's; the earlier service's is old_table_name."
  }
}

variable "adopt_table" {
  description = "The table is there already, made by `segments admin table create`: it is taken into the state instead of made"
  type        = bool
  default     = false
}

variable "old_table_name" {
  description = "The earlier service's table, as easy-video-share-video-metadata, while `segments admin table migrate-from` reads it; empty: none"
  type        = string
  default     = ""
}

variable "bucket_name" {
  description = "S3 bucket of the media"
  type        = string

  validation {
    condition     = can(regex("^[a-z0-9][a-z0-9.-]{1,61}[a-z0-9]$", var.bucket_name))
    error_message = "bucket_name is 3 to 63 of a-z, 0-9, . and -."
  }
}

variable "bucket_exists" {
  description = "The bucket is there already, as the earlier service's is: it is used as it is, and nothing about it is changed"
  type        = bool
  default     = false
}

variable "kms_key_arn" {
  description = "KMS key that objects are encrypted with; empty: S3's own encryption"
  type        = string
  default     = ""
}

variable "cors_origins" {
  description = "Origins whose pages may call the API and the bucket, as https://app.example.org"
  type        = list(string)
  default     = ["*"]
}

# --- Network ---

variable "vpc_id" {
  description = "VPC of the load balancer, the services and Redis"
  type        = string
}

variable "public_subnet_ids" {
  description = "Subnets of the load balancer, in at least two availability zones"
  type        = list(string)
}

variable "private_subnet_ids" {
  description = "Subnets of the services and Redis, with a way to AWS's services: NAT, endpoints, or public with assign_public_ip"
  type        = list(string)
}

variable "assign_public_ip" {
  description = "Gives tasks public addresses: needed where their subnets have no NAT"
  type        = bool
  default     = false
}

variable "allowed_cidrs" {
  description = "Who may reach the load balancer"
  type        = list(string)
  default     = ["0.0.0.0/0"]
}

variable "certificate_arn" {
  description = "ACM certificate of the API's name"
  type        = string
}

variable "public_url" {
  description = "Origin that clients reach the API by, as https://clips.example.org; its name points to the output load_balancer_dns_name"
  type        = string

  validation {
    condition     = can(regex("^https://[^/]+$", var.public_url))
    error_message = "public_url is an https:// address without a slash at its end."
  }
}

# --- Services ---

variable "image" {
  description = "Container image made by the Dockerfile, by digest: 123456789012.dkr.ecr.us-east-1.amazonaws.com/segments@sha256:…"
  type        = string
}

variable "image_repository_arn" {
  description = "ARN of the ECR repository that the image is in; empty: it is public"
  type        = string
  default     = ""
}

variable "api_count" {
  description = "Least and most API tasks; two survive the loss of a zone"
  type        = object({ min = number, max = number })
  default     = { min = 2, max = 6 }
}

variable "worker_count" {
  description = "Least and most worker tasks"
  type        = object({ min = number, max = number })
  default     = { min = 1, max = 8 }
}

variable "api_size" {
  description = "CPU units and MiB of an API task, as Fargate has them"
  type        = object({ cpu = number, memory = number })
  default     = { cpu = 512, memory = 1024 }
}

variable "worker_size" {
  description = "CPU units and MiB of a worker task; a task of its own may take media_memory_mb and 256 MiB"
  type        = object({ cpu = number, memory = number })
  default     = { cpu = 2048, memory = 6144 }
}

variable "worker_concurrency" {
  description = "Tasks that one worker runs at once"
  type        = number
  default     = 2
}

variable "worker_disk_gib" {
  description = "Disk of a worker task, from 21 to 200: the videos being cut, with their pieces"
  type        = number
  default     = 50

  validation {
    condition     = var.worker_disk_gib >= 21 && var.worker_disk_gib <= 200
    error_message = "worker_disk_gib is from 21 to 200."
  }
}

variable "settings" {
  description = "Further settings of API and workers: environment variables of the README's table, as SEGMENTS_EXTRA_TYPES"
  type        = map(string)
  default     = {}
}

variable "auth_secret_arn" {
  description = "Secrets Manager secret with the secret of the tokens' signatures, to keep tokens valid; empty: one is made, its value only in Secrets Manager"
  type        = string
  default     = ""
}

# --- Redis ---

variable "redis_url" {
  description = "A Redis that is there already, without its password, as rediss://redis.example.org:6379/0; empty: ElastiCache is made"
  type        = string
  default     = ""
}

variable "redis_password_secret_arn" {
  description = "Secrets Manager secret with the password of redis_url; empty: it has none"
  type        = string
  default     = ""
}

variable "redis_auth_token" {
  description = "Password of the ElastiCache that is made: 16 to 128 letters and digits. It stands in the state too"
  type        = string
  default     = ""
  sensitive   = true

  validation {
    condition     = var.redis_url != "" || can(regex("^[A-Za-z0-9]{16,128}$", var.redis_auth_token))
    error_message = "redis_auth_token is 16 to 128 letters and digits; without redis_url it is needed."
  }
}

variable "redis_node_type" {
  description = "Size of ElastiCache's nodes, a primary and a replica"
  type        = string
  default     = "cache.t4g.small"
}

# --- Watching ---

variable "alarm_topic_arns" {
  description = "SNS topics that alarms, and their ends, are told to"
  type        = list(string)
  default     = []
}

variable "log_days" {
  description = "Days that logs are kept: one of CloudWatch's numbers"
  type        = number
  default     = 30
}

variable "capacity_alarm" {
  description = "Read and write units in 5 minutes on the table from which an alarm is told: about what a month may cost"
  type        = object({ read = number, write = number })
  default     = { read = 150000, write = 75000 }
}
