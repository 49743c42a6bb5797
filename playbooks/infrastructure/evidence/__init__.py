"""Collects and stores evidence about a pod."""
