"""Playbooks that answer a Falco alert with one prescribed action.

Every module at this level is a playbook, and nothing else is: ``-p delete`` is
``playbooks/delete.py``. Directories ``playbooks`` elsewhere on the path, without an ``__init__.py``
of their own, are parts of it: your own playbooks need not lie in this one.
"""

from pkgutil import extend_path

from playbooks.core import VERSION as __version__  # noqa: F401, N811

__path__ = extend_path(__path__, __name__)
