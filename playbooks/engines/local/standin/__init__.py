"""A stand-in for a cluster: the part of the Kubernetes API that playbooks call, kept in memory."""
