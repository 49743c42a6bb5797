"""What the objects of a Kubernetes cluster mean to playbooks."""
