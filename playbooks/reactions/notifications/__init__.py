"""What tells others of an alert, and changes nothing in the cluster."""
