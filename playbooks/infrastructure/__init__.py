"""The only place that imports kubernetes and requests: clients behind the ports of core."""
