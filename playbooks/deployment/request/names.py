"""Which names Kubernetes, Kubeless and registries of images take."""

from __future__ import annotations

import re
from typing import List, Optional

from playbooks.core.cluster.manifest import function_name
from playbooks.core.settings import DNS_LABEL

_RUNTIME = re.compile(r"python3\.([1-9][0-9]?|0)", re.ASCII)
_OLDEST_MINOR = 8
_LONGEST = 63


def name_problems(name: str, topics: int = 1) -> List[str]:
    """Why falco-<name> and its triggers cannot have these names."""
    if not name:
        return []
    if not DNS_LABEL.fullmatch(name):
        return [f"{name!r} cannot be a name: lowercase letters, digits and '-' (RFC 1123 label)"]
    longest = f"{function_name(name)}-trigger-{max(topics - 1, 0)}"
    if len(longest) > _LONGEST:
        return [f"{name!r} is too long a name: {longest} has {len(longest)} of {_LONGEST} letters"]
    return []


def namespace_problems(namespace: str) -> List[str]:
    if DNS_LABEL.fullmatch(namespace):
        return []
    return [
        f"{namespace!r} cannot be a namespace: lowercase letters, digits and '-' (RFC 1123 label)"
    ]


def place_problems(name: str, namespace: Optional[str], topics: int = 1) -> List[str]:
    """The same of both. ``namespace`` None: the kubeconfig's, which is one."""
    where = [] if namespace is None else namespace_problems(namespace)
    return name_problems(name, topics) + where


def image_problems(image: Optional[str], option: str = "-i") -> List[str]:
    """``image`` None: none is given."""
    if image is None or image.split() == [image]:
        return []
    return [f"{option} is {image!r}, expected the name of an image"]


def runtime_minor(runtime: str) -> Optional[int]:
    """10 of python3.10; None of what is no runtime."""
    match = _RUNTIME.fullmatch(runtime)
    return int(match[1]) if match else None


def runtime_problems(runtime: str) -> List[str]:
    """``runtime``: a Python of Kubeless, such as python3.8."""
    minor = runtime_minor(runtime)
    if minor is None:
        return [f"runtime {runtime!r} is none of Kubeless' Pythons, such as python3.8"]
    if minor < _OLDEST_MINOR:
        return [f"runtime {runtime} is too old: playbooks need Python 3.{_OLDEST_MINOR} or later"]
    return []
