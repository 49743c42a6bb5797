"""What a playbook leaves on an object for a time, and how it comes off again: by a person's undo,
or by itself when its time is over.
"""
