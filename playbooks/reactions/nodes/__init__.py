"""Reactions that change the node of a pod."""
