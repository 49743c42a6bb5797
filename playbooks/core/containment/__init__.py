"""What isolate and taint leave on an object, and how it comes off again: by a person's undo, or by
itself when its time is over.
"""
