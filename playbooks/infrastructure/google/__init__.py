"""What a function on Google Cloud has: a service account, and secrets in Secret Manager."""
