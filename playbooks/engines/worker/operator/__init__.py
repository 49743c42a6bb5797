"""What an operator's commands run inside a worker's pod."""
