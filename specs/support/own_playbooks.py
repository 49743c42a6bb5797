"""Playbooks outside of the package, in a directory that Python looks for modules in."""

import re
import sys
import tempfile
from contextlib import contextmanager
from pathlib import Path
from unittest.mock import patch

from playbooks.core import catalogue

PAGE = (Path(__file__).resolve().parents[2] / "docs" / "extending.md").read_text(encoding="utf-8")

# The section about a repository of one's own, and the files that it shows.
SECTION = PAGE[PAGE.index("## A repository of your own") : PAGE.index("### What specs can use")]
SHOWN = dict(re.findall(r"`([\w/]+\.\w+)`:\n\n```\w+\n(.*?)```", SECTION, re.DOTALL))

DECLARED = '''\
"""Do what is done about it here."""

from dataclasses import replace

from playbooks.delete import playbook as another
from playbooks.engines import kubeless

playbook = replace(another, name="{name}")
handler = kubeless.handler(playbook)
'''


def declared(name):
    """A module that declares a playbook of this name."""
    return DECLARED.format(name=name)


@contextmanager
def a_directory(**files):
    """Files by their names without ``.py``. What is imported from it is forgotten afterwards."""
    with tempfile.TemporaryDirectory() as name:
        directory = Path(name)
        for stem, text in files.items():
            (directory / f"{stem}.py").write_text(text)
        known = set(sys.modules)
        with patch.object(sys, "path", [*sys.path]), patch.dict(catalogue._files):
            try:
                yield directory
            finally:
                for module in set(sys.modules) - known:
                    if str(getattr(sys.modules[module], "__file__", "")).startswith(name):
                        del sys.modules[module]


def install(directory, distribution="acme-playbooks", **entry_points):
    """What pip leaves of a package whose modules lie in the directory; ``entry_points`` by name,
    with '_' for '-'."""
    info = directory / f"{distribution.replace('-', '_')}-1.2.dist-info"
    info.mkdir()
    (info / "METADATA").write_text(f"Metadata-Version: 2.1\nName: {distribution}\nVersion: 1.2\n")
    lines = [f"{name.replace('_', '-')} = {value}\n" for name, value in entry_points.items()]
    if lines:
        (info / "entry_points.txt").write_text("".join(["[falco_playbooks]\n", *lines]))
    if str(directory) not in sys.path:
        sys.path.append(str(directory))
