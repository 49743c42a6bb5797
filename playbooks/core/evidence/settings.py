"""Where evidence is kept, how much of it, and what a function needs for that."""

from __future__ import annotations

import json
from typing import List, Mapping, Tuple
from urllib.parse import urlsplit

from playbooks.core.instant import duration
from playbooks.core.settings import (
    Setting,
    http_url,
    names,
    or_nothing,
    whole_number,
    yes_or_no,
)

# Files that are read of a container.
MOST_PATHS = 20

# What serves a scheme, for which deploying has a pinned list of distributions.
_SERVED_BY = {"s3": "s3fs", "gs": "gcsfs", "file": "fsspec"}


def place(value: str) -> str:
    """A URL without a slash at its end; empty for none."""
    try:
        parts = urlsplit(value)
        bucket = bool(parts.hostname) and parts.netloc == parts.hostname
        usable = bucket if parts.scheme in ("s3", "gs") else _is_directory(value)
        usable = usable and not parts.query and not parts.fragment and ".." not in value
    except ValueError:
        usable = False
    if value and not (usable and value.isprintable() and " " not in value):
        raise ValueError("s3://BUCKET/PREFIX, gs://BUCKET/PREFIX, file:///DIRECTORY or nothing")
    return value.rstrip("/")


def a_place(value: str) -> str:
    if not value:
        raise ValueError("s3://BUCKET/PREFIX, gs://BUCKET/PREFIX or file:///DIRECTORY")
    return place(value)


def paths(value: str) -> Tuple[str, ...]:
    found = names(value)
    usable = all(
        path.startswith("/") and path.isprintable() and len(path) <= 1000 for path in found
    )
    if not usable or len(found) > MOST_PATHS:
        raise ValueError(
            f"at most {MOST_PATHS} absolute paths such as /etc/passwd or /tmp/, comma-separated"
        )
    return tuple(dict.fromkeys(found))


def text_or_nothing(value: str) -> str:
    return value.strip()


def json_key(value: str) -> str:
    """A JSON object, or nothing."""
    try:
        usable = not value.strip() or isinstance(json.loads(value), dict)
    except (ValueError, RecursionError):
        usable = False
    if not usable:
        raise ValueError("a JSON key")
    return value.strip()


URL = Setting(
    "EVIDENCE_URL",
    place,
    "",
    "Where evidence is stored before a pod is deleted: `s3://BUCKET/PREFIX`, `gs://BUCKET/PREFIX`"
    " or `file:///DIRECTORY`",
)
REQUIRED = Setting(
    "EVIDENCE_REQUIRED",
    yes_or_no,
    "false",
    "Do not delete a pod whose evidence could not be stored, and try again",
)
LOG_BYTES = Setting(
    "EVIDENCE_LOG_BYTES",
    whole_number(1024, 16 * 1024 * 1024),
    "524288",
    "Bytes of each log, at most; of a longer log its end is kept",
)
BYTES = Setting(
    "EVIDENCE_BYTES",
    whole_number(1024, 256 * 1024 * 1024),
    "8388608",
    "Bytes of all logs of a pod together, at most",
)
TIME = Setting(
    "EVIDENCE_TIME",
    duration(1, 60),
    "10s",
    "How long it may take to store the evidence; reading ends after two thirds of this time",
)
ENDPOINT = Setting(
    "AWS_ENDPOINT_URL",
    or_nothing(http_url),
    "",
    "The address of an S3 that is not Amazon's, such as `https://minio.example:9000`",
)
KEY_ID = Setting(
    "AWS_ACCESS_KEY_ID",
    text_or_nothing,
    "",
    "The key for s3://; without it the pod's own identity, such as a role of its service account",
    secret=True,
)
KEY = Setting(
    "AWS_SECRET_ACCESS_KEY", text_or_nothing, "", "The secret of `AWS_ACCESS_KEY_ID`", secret=True
)
TOKEN = Setting(
    "AWS_SESSION_TOKEN", text_or_nothing, "", "The session token of a temporary key", secret=True
)
GOOGLE = Setting(
    "GOOGLE_CREDENTIALS",
    json_key,
    "",
    "The JSON key of a service account for gs://; without it the pod's own identity",
    secret=True,
)
FILES = Setting(
    "EVIDENCE_FILES",
    paths,
    "",
    "Files, or directories with a slash at their end, that are read out of the alert's container:"
    " absolute paths, comma-separated, at most 20",
)
FILE_BYTES = Setting(
    "EVIDENCE_FILE_BYTES",
    whole_number(1024, 64 * 1024 * 1024),
    "1048576",
    "Bytes of each of these files, or of a directory as a tar file, at most; they count towards"
    " `EVIDENCE_BYTES`",
)
PROCESSES = Setting(
    "EVIDENCE_PROCESSES",
    yes_or_no,
    "false",
    "List the processes of the alert's container with its own `ps`",
)
SNAPSHOTS = Setting(
    "EVIDENCE_SNAPSHOTS",
    yes_or_no,
    "false",
    "Make a VolumeSnapshot of each of the pod's PersistentVolumeClaims, where the cluster serves"
    " that",
)
OF_STEPS = (FILES, FILE_BYTES, PROCESSES, SNAPSHOTS)
SETTINGS = (URL, REQUIRED, LOG_BYTES, BYTES, TIME, ENDPOINT, KEY_ID, KEY, TOKEN, GOOGLE)


def packages(values: Mapping[str, str]) -> Tuple[str, ...]:
    """The distributions for these settings, as they were written."""
    served_by = _SERVED_BY.get(urlsplit(values.get(URL.name, "")).scheme)
    runs = values.get(FILES.name) or values.get(PROCESSES.name, "").lower() == "true"
    return (*((served_by,) if served_by else ()), *(("websocket-client",) if runs else ()))


def problems(values: Mapping[str, str]) -> List[str]:
    """What does not fit together in settings, as they were written."""
    found = []
    if values.get(REQUIRED.name, "").lower() == "true" and not values.get(URL.name):
        found.append(f"{URL.name} is not set, expected the place that {REQUIRED.name}=true needs")
    given = [setting.name for setting in (KEY_ID, KEY) if setting.is_given(values)]
    if len(given) == 1:
        found.append(f"of {KEY_ID.name} and {KEY.name} only {given[0]} is set, expected both")
    return found


def _is_directory(value: str) -> bool:
    path = value[len("file://") :]
    return value.startswith("file:///") and len(path.rstrip("/")) > 1
