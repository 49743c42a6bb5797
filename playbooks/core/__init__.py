"""Values and rules: what an alert says, what proves a target, what an outcome is.

Standard library only, Python 3.8 and later.
"""

# Of what is installed, and of what a worker runs.
VERSION = "0.2.0"
