"""One process loads all specs, and starts some three hundred others."""

import atexit
import gc
import os
import sys
import tempfile
from pathlib import Path

MEMORY = "/dev/shm"


def _usable(directory: str, wanted: int = 1 << 30) -> bool:
    """Whether programs can be written there and run, and there are so many bytes."""
    try:
        found = os.statvfs(directory)
    except OSError:
        return False
    free = found.f_bavail * found.f_frsize
    return free > wanted and not found.f_flag & os.ST_NOEXEC and os.access(directory, os.W_OK)


# What specs load stays until they end: looking for garbage takes seconds, and finds 50 MB. Nor does
# Python need to look for it when it ends.
gc.set_threshold(0)
atexit.register(gc.freeze)

# mamba has the checkout on the path only while it loads files of examples.
sys.path.append(str(Path(__file__).resolve().parents[1]))

# Processes that import the package would each compile it again.
sys.dont_write_bytecode = False
os.environ.pop("PYTHONDONTWRITEBYTECODE", None)

# Functions are written out as they are deployed, hundreds of files each: making one on a disk takes
# twenty times as long. The nodes of a cluster may not have that directory.
if not {"TMPDIR", "KUBERNETES_LOAD_KUBE_CONFIG"} & {*os.environ} and _usable(MEMORY):
    os.environ["TMPDIR"] = tempfile.tempdir = MEMORY
