"""What a function on AWS has: a role, a cluster of EKS, and secrets in Secrets Manager."""
