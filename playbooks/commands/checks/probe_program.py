"""What runs in a probe pod, given as ``python3 -c``: its image needs nothing but Python 3.8.

``serve`` echoes what it hears. ``talk HOST FILE`` goes on in the background: over one connection
that it opened once, and over a new one each time, and counts in the file what came back, and when
it did so last. ``heard FILE`` prints whether these counts still grow, and since how many seconds
nothing came back.
"""

import json
import os
import socket
import sys
import threading
import time
from pathlib import Path

PORT = 8080

# Seconds: for an answer, between two words, and of looking. A talker ends by itself.
PATIENCE, PAUSE, LOOK, TALK = 1.0, 0.1, 2.0, 300.0

# How often something came back, and the time of the last one.
NOTHING = {"open": 0, "new": 0, "last_open": 0.0, "last_new": 0.0}


def serve() -> None:
    both = socket.has_dualstack_ipv6()
    family = socket.AF_INET6 if both else socket.AF_INET
    with socket.create_server(("", PORT), family=family, dualstack_ipv6=both) as listening:
        while True:
            connection, _ = listening.accept()
            threading.Thread(target=_echo, args=(connection,), daemon=True).start()


def _echo(connection: socket.socket) -> None:
    with connection:
        try:
            while True:
                word = connection.recv(64)
                if not word:
                    return
                connection.sendall(word)
        except OSError:
            return


def talk(host: str, path: str) -> None:
    file, written = Path(path), Path(f"{path}.new")
    file.write_text(json.dumps(NOTHING), encoding="ascii")
    if os.fork():
        return
    os.setsid()
    nowhere = os.open(os.devnull, os.O_RDWR)
    for stream in (0, 1, 2):
        os.dup2(nowhere, stream)
    counts = dict(NOTHING)
    for speak in (_over_one, _over_new_ones):
        threading.Thread(target=speak, args=(host, counts), daemon=True).start()
    end = time.monotonic() + TALK
    while time.monotonic() < end:
        written.write_text(json.dumps(counts), encoding="ascii")
        written.replace(file)
        time.sleep(PAUSE)
    os._exit(0)


def _over_one(host: str, counts: "dict[str, float]") -> None:
    connection = _connected(host)
    try:
        while True:
            # What was sent while nothing came through may come back later.
            _count(counts, "open", connection)
            time.sleep(PAUSE)
    except OSError:
        return


def _connected(host: str) -> socket.socket:
    """Once that is possible."""
    while True:
        try:
            return socket.create_connection((host, PORT), timeout=PATIENCE)
        except OSError:
            time.sleep(PAUSE)


def _over_new_ones(host: str, counts: "dict[str, float]") -> None:
    while True:
        try:
            with socket.create_connection((host, PORT), timeout=PATIENCE) as connection:
                _count(counts, "new", connection)
        except OSError:
            pass
        time.sleep(PAUSE)


def _count(counts: "dict[str, float]", kind: str, connection: socket.socket) -> None:
    if _answers(connection):
        counts[kind] += 1
        counts[f"last_{kind}"] = time.monotonic()


def _answers(connection: socket.socket) -> bool:
    try:
        connection.sendall(b".")
        return bool(connection.recv(64))
    except socket.timeout:
        return False


def heard(path: str) -> None:
    before = _read(path)
    time.sleep(LOOK)
    after, now = _read(path), time.monotonic()
    kinds = ("open", "new")
    found = {kind: after[kind] > before[kind] for kind in kinds}
    ago = {f"{kind}_ago": now - after[f"last_{kind}"] for kind in kinds}
    print(json.dumps({**found, **ago}))


def _read(path: str) -> "dict[str, float]":
    return dict(json.loads(Path(path).read_text(encoding="ascii")))


if __name__ == "__main__":
    {"serve": serve, "talk": talk, "heard": heard}[sys.argv[1]](*sys.argv[2:])  # type: ignore[operator]
