"""One process loads all specs, and starts some three hundred others."""

import gc
import os
import sys

# What specs load stays until they end: looking for garbage after every 700 objects finds none.
gc.set_threshold(100_000, 20, 20)

# Processes that import the package would each compile it again.
sys.dont_write_bytecode = False
os.environ.pop("PYTHONDONTWRITEBYTECODE", None)
