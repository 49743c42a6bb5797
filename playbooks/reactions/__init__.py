"""One pure class a file: collaborators and settings in, ``run(alert) -> Outcome``."""

from pkgutil import extend_path

__path__ = extend_path(__path__, __name__)
