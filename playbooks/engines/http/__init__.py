"""What engines share to which alerts are posted by HTTP."""
