"""``-f FILE``: playbooks that are described by a file, and the file of what is deployed."""
