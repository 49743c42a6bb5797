"""Who asks the API server: a token, a token file that is renewed, a password, an exec plugin.

Source: https://kubernetes.io/docs/reference/access-authn-authz/authentication/ and
k8s.io/client-go/plugin/pkg/client/auth/exec.
"""

from __future__ import annotations

import base64
import contextlib
import json
import os
import shutil
import subprocess
import sys
import threading
import time
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Callable, Dict, List, Mapping, Optional, Sequence, Tuple
from urllib.parse import quote

from playbooks.core.errors import NoCluster
from playbooks.core.instant import Instant
from playbooks.infrastructure.kubernetes.kubeconfig import Entry

# Seconds for which a token that was read from a file holds: it is renewed long before its end.
FRESH = 60.0

# Seconds that an exec plugin has, and one that may talk to a person.
TIMEOUT, PATIENCE = 60.0, 600.0

# Characters of a plugin's complaint that an error shows: the last ones.
SHOWN = 1000

# The header that names somebody else to ask as.
IMPERSONATED = "Impersonate-User"

API = "client.authentication.k8s.io"


def bearer(token: str, name: str) -> str:
    """The value of the header Authorization. Raises ValueError for what no header may hold."""
    if not all("\x20" < character < "\x7f" for character in token):
        raise ValueError(f"{name} has a line end, a blank or another character that no token has")
    return f"Bearer {token}"


def basic(username: str, password: str) -> str:
    return "Basic " + base64.b64encode(f"{username}:{password}".encode()).decode()


class TokenFile:
    """Raises OSError or ValueError where there is no token to begin with."""

    def __init__(self, path: Path, clock: Callable[[], float] = time.monotonic) -> None:
        self._path = path
        self._clock = clock
        self._header = self._read()
        self._until = clock() + FRESH

    def header(self) -> str:
        """The value of the header Authorization. A token that cannot be read leaves the old."""
        if self._clock() >= self._until:
            self._until = self._clock() + FRESH
            with contextlib.suppress(OSError, ValueError):
                self._header = self._read()
        return self._header

    def _read(self) -> str:
        token = self._path.read_text(encoding="utf-8").strip()
        if not token:
            raise ValueError(f"{self._path} is empty")
        return bearer(token, str(self._path))


@dataclass(frozen=True)
class Credential:
    """What an exec plugin answers. ``until``: when it has to be asked again, None for never."""

    token: str = ""
    certificate: bytes = b""
    key: bytes = b""
    until: Optional[Instant] = None


@dataclass(frozen=True)
class ExecPlugin:
    """``cluster``: what it is told about the cluster where it wants to know."""

    user: Entry
    cluster: Callable[[], Mapping[str, Any]]
    environ: Mapping[str, str]

    def credential(self) -> Credential:
        """Runs it. Raises NoCluster with its own words: nobody asks without credentials instead."""
        self._check()
        done = self._run()
        try:
            answer = json.loads(done)
            status = answer["status"]
            api, kind = answer.get("apiVersion"), answer.get("kind")
        except (ValueError, RecursionError, TypeError, KeyError, AttributeError) as error:
            raise self._fails("decoding stdout: it is no ExecCredential") from error
        if kind != "ExecCredential":
            raise self._fails(f"decoding stdout: its kind is {kind}, not ExecCredential")
        if api != self._api:
            raise self._fails(f"plugin is configured to use API version {self._api}, got {api}")
        return self._credential(status)

    @property
    def _exec(self) -> Entry:
        return self.user.part("exec")

    @property
    def _api(self) -> str:
        return self._exec.text("apiVersion")

    def _check(self) -> None:
        if self._api not in (f"{API}/v1", f"{API}/v1beta1"):
            raise self._fails(f"invalid apiVersion {self._api!r}")
        mode = self._exec.text("interactiveMode")
        if mode not in ("Never", "IfAvailable", "Always") and (mode or self._api.endswith("/v1")):
            raise self._fails(
                f"interactiveMode {mode!r} is expected to be Never, IfAvailable or Always"
            )
        if mode == "Always" and not sys.stdin.isatty():
            raise self._fails("it wants a terminal (interactiveMode: Always), and there is none")

    def _interactive(self) -> bool:
        return self._exec.text("interactiveMode") != "Never" and sys.stdin.isatty()

    def _run(self) -> str:
        """What it prints. What it says on standard error goes to the person, as with kubectl."""
        command = [self._command(), *map(str, self._exec.values.get("args") or ())]
        interactive = self._interactive()
        seconds = PATIENCE if interactive else TIMEOUT
        said = bytearray()
        ours, its = os.pipe()
        reader = threading.Thread(target=_pass_on, args=(ours, said), daemon=True)
        reader.start()
        try:
            done = subprocess.run(
                command,
                stdin=None if interactive else subprocess.DEVNULL,
                stdout=subprocess.PIPE,
                stderr=its,
                env=self._environ(interactive),
                timeout=seconds,
                check=False,
            )
        except subprocess.TimeoutExpired:
            raise self._fails(f"{command[0]} did not end within {seconds:.0f} s") from None
        except (OSError, ValueError) as error:
            raise self._fails(f"{command[0]}: {error}") from error
        finally:
            os.close(its)
            # It ends with the plugin, unless a process that the plugin started goes on.
            reader.join(1.0)
        if done.returncode:
            words = said.decode("utf-8", "replace").strip()[-SHOWN:]
            ended = f"executable {command[0]} failed with exit code {done.returncode}"
            raise self._fails(f"{ended}: {words}".rstrip(": "))
        return done.stdout.decode("utf-8", "replace")

    def _command(self) -> str:
        command = self._exec.text("command")
        if "/" in command:
            return str(self.user.directory / command)
        found = shutil.which(command, path=self.environ.get("PATH"))
        if found:
            return found
        hint = self._exec.text("installHint").strip()
        raise self._fails(f"executable {command!r} is not on the PATH. {hint}".rstrip())

    def _environ(self, interactive: bool) -> Dict[str, str]:
        spec: Dict[str, Any] = {"interactive": interactive}
        if self._exec.flag("provideClusterInfo"):
            spec["cluster"] = self.cluster()
        info = {"kind": "ExecCredential", "apiVersion": self._api, "spec": spec}
        added = self._exec.values.get("env") or ()
        try:
            own = {str(each["name"]): str(each["value"]) for each in added}
        except (TypeError, KeyError) as error:
            raise self._fails("env is expected to be a list of names and values") from error
        return {**self.environ, "KUBERNETES_EXEC_INFO": json.dumps(info), **own}

    def _credential(self, status: Any) -> Credential:
        given = Entry(f"the plugin's status, {self.user.name}", status or {}, self.user.directory)
        token, until = given.text("token"), given.text("expirationTimestamp")
        certificate, key = (given.text(f"client{part}Data") for part in ("Certificate", "Key"))
        if bool(certificate) != bool(key):
            raise self._fails("plugin returned only certificate or key, not both")
        if not token and not certificate:
            raise self._fails("plugin didn't return a token or cert/key pair")
        try:
            ends = Instant.parse(until) if until else None
        except ValueError as error:
            raise self._fails(f"decoding stdout: expirationTimestamp {until!r}") from error
        return Credential(token, certificate.encode(), key.encode(), ends)

    def _fails(self, why: str) -> NoCluster:
        return NoCluster(f"getting credentials of {self.user.name}: exec: {why}")


def _pass_on(descriptor: int, said: bytearray) -> None:
    """To our standard error, as it comes: a question has no line end."""
    with open(descriptor, "rb", buffering=0) as stream:
        for part in iter(lambda: stream.read(4096), b""):
            said += part
            with contextlib.suppress(OSError, ValueError):
                sys.stderr.write(part.decode("utf-8", "replace"))
                sys.stderr.flush()


@dataclass(frozen=True)
class Who:
    """``certificate``, ``key``: PEM, or empty. The rest as a Connection has it."""

    authorization: Callable[[], Optional[str]] = lambda: None
    certificate: bytes = b""
    key: bytes = b""
    headers: Sequence[Tuple[str, str]] = ()
    until: Optional[Instant] = None


def of_user(
    user: Entry, cluster: Callable[[], Mapping[str, Any]], environ: Mapping[str, str]
) -> Who:
    """Raises NoCluster, OSError or ValueError, also for who has no credentials at all."""
    certificate, key = user.content("client-certificate"), user.content("client-key")
    if bool(certificate) != bool(key):
        raise ValueError("client-certificate and client-key are a pair, and only one is there")
    authorization = _authorization(user)
    until = None
    if not authorization and user.mapping("exec"):
        answered = ExecPlugin(user, cluster, environ).credential()
        authorization = _always(answered.token) if answered.token else None
        certificate, key = answered.certificate or certificate, answered.key or key
        until = answered.until
    if not authorization and not certificate:
        raise ValueError(
            "the kubeconfig user has no credentials (interactive login is not supported)"
        )
    return Who(authorization or (lambda: None), certificate, key, _impersonated(user), until)


def _authorization(user: Entry) -> Optional[Callable[[], Optional[str]]]:
    token, path = user.text("token"), user.path("tokenFile")
    username, password = user.text("username"), user.text("password")
    if (token or path) and (username or password):
        raise ValueError(
            "more than one authentication method found: a token and a password, and only one is"
            " allowed"
        )
    if path:
        return TokenFile(path).header
    if token:
        return _always(token)
    if username or password:
        value = basic(username, password)
        return lambda: value
    return _of_provider(user)


def _of_provider(user: Entry) -> Optional[Callable[[], Optional[str]]]:
    """Of the identity provider's token that kubectl keeps in the kubeconfig while it holds."""
    provider = user.part("auth-provider")
    name, token = provider.text("name"), provider.mapping("config").get("id-token")
    if not name:
        return None
    if name != "oidc" or not isinstance(token, str):
        raise ValueError(f"no Auth Provider found for name {name!r}: an exec plugin does its work")
    try:
        payload = token.split(".")[1]
        ends = float(
            json.loads(base64.urlsafe_b64decode(payload + "=" * (-len(payload) % 4)))["exp"]
        )
    except (ValueError, LookupError, TypeError) as error:
        raise ValueError("the id-token of auth-provider oidc is malformed") from error
    if ends <= time.time():
        raise ValueError("the id-token of auth-provider oidc is over: any kubectl get renews it")
    return _always(token)


def _always(token: str) -> Callable[[], Optional[str]]:
    value = bearer(token, "the token")
    return lambda: value


def _impersonated(user: Entry) -> List[Tuple[str, str]]:
    """Source: https://kubernetes.io/docs/reference/access-authn-authz/user-impersonation/"""
    names = {"as": IMPERSONATED, "as-uid": "Impersonate-Uid"}
    found = [(header, user.text(key)) for key, header in names.items() if user.text(key)]
    found += [("Impersonate-Group", str(each)) for each in user.values.get("as-groups") or ()]
    for key, values in user.mapping("as-user-extra").items():
        found += [(f"Impersonate-Extra-{quote(str(key))}", str(value)) for value in values]
    return found
