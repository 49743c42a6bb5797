"""Values and rules: what an alert says, what proves a target, what an outcome is.

Standard library only, Python 3.8 and later.
"""
