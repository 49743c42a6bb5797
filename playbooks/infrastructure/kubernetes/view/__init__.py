"""What is remembered of the cluster, kept by watches, so that not every alert has to read it."""
