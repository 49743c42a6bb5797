"""Which cluster there is to act on, and the way to it.

It is found once, as kubectl finds it, and what is shown of it is what is used: a connection is made
from the target that was found, however often it is made anew.

Source: https://kubernetes.io/docs/tasks/run-application/access-api-from-pod/ and
k8s.io/client-go/tools/clientcmd.
"""

from __future__ import annotations

import base64
import os
import re
import ssl
import time
from dataclasses import dataclass, field
from functools import lru_cache, partial
from pathlib import Path
from typing import Any, Callable, Dict, List, Mapping, Optional, Sequence, Tuple
from urllib.parse import SplitResult, unquote, urlsplit, urlunsplit

import urllib3

from playbooks.core import tls
from playbooks.core.errors import NoCluster
from playbooks.core.instant import Instant
from playbooks.infrastructure.kubernetes import credentials, kubeconfig
from playbooks.infrastructure.kubernetes.credentials import TokenFile, Who
from playbooks.infrastructure.kubernetes.kubeconfig import Entry, Kubeconfig
from playbooks.infrastructure.kubernetes.limits import LIMITS
from playbooks.infrastructure.kubernetes.proxies import proxy_for
from playbooks.infrastructure.kubernetes.wire import THERE, Wire

SERVICE_ACCOUNT = Path("/var/run/secrets/kubernetes.io/serviceaccount")

# Set to 1 to act on the cluster of the kubeconfig instead of the one that the process runs in.
KUBECONFIG_VARIABLE = "KUBERNETES_LOAD_KUBE_CONFIG"

# Connections that are kept at least, for an engine that says nothing about them.
CONNECTIONS = 4


@dataclass(frozen=True)
class Route:
    """``server``: without a slash at its end. ``tls`` makes a context; None for plain HTTP.
    ``server_name``: in the server's certificate, where it is not the URL's host. ``proxy``: a URL
    without credentials, or empty; ``proxy_headers`` have them."""

    server: str
    tls: Optional[Callable[[], ssl.SSLContext]] = None
    server_name: str = ""
    proxy: str = ""
    proxy_headers: Mapping[str, str] = field(default_factory=dict)

    def pool(self) -> urllib3.PoolManager:
        options: Dict[str, Any] = {"maxsize": max(CONNECTIONS, LIMITS.connections)}
        context = self.tls() if self.tls else None
        if context:
            if not hasattr(urllib3, "HTTPHeaderDict"):
                # urllib3 1.26 tells TLS no name where that is an address, and compares it itself.
                context.check_hostname = False
            options["ssl_context"] = context
        if self.server_name:
            options["server_hostname"] = self.server_name
        if not self.proxy:
            return urllib3.PoolManager(**options)
        headers = dict(self.proxy_headers)
        # As Go has it, a proxy of HTTPS is verified as the API server is.
        options["proxy_ssl_context"] = context
        return urllib3.ProxyManager(self.proxy, proxy_headers=headers, **options)

    def wire(self) -> Optional[Wire]:
        """None where it cannot be had, or a proxy stands in between."""
        if not THERE or self.proxy:
            return None
        most = max(CONNECTIONS, LIMITS.connections)
        return Wire(self.server, tls=self.tls, name=self.server_name, most=most)


class Connection:
    """A pool of connections along a route.

    ``authorization`` gives the value of the header, or None, and is asked for every call: tokens
    are renewed. ``headers``: further ones of every call. ``until``: when all of it has to be made
    anew, None for never.
    """

    def __init__(
        self,
        route: Route,
        *,
        authorization: Callable[[], Optional[str]] = lambda: None,
        headers: Sequence[Tuple[str, str]] = (),
        until: Optional[Instant] = None,
    ) -> None:
        self.route = route
        self.pool = route.pool()
        self.wire = route.wire()
        self._authorization = authorization
        self._headers = headers
        self._until = until

    @property
    def server(self) -> str:
        return self.route.server

    @property
    def is_over(self) -> bool:
        return self._until is not None and self._until.nanoseconds <= time.time_ns()

    def headers(self) -> List[Tuple[str, str]]:
        """Some names occur more than once, such as that of the groups to ask as."""
        authorization = self._authorization()
        return [*self._headers, *([("Authorization", authorization)] if authorization else [])]


@dataclass(frozen=True)
class TargetCluster:
    """The cluster that is acted upon.

    ``context`` and ``user``: as the kubeconfig names them, empty in a pod. ``namespace``: the
    context's, or the pod's own. ``source``: where this comes from. ``connect`` reads certificates
    and tokens and runs an exec plugin; it raises NoCluster.
    """

    server: str
    context: str
    namespace: str
    user: str
    source: str
    connect: Callable[[], Connection] = field(repr=False, compare=False)

    def __str__(self) -> str:
        """``the cluster of ~/.kube/config (context prod, server https://..., namespace shop)``."""
        parts = [f"context {self.context}"] if self.context else []
        parts += [f"server {self.server}", f"namespace {self.namespace}"]
        return f"the cluster of {self.source} ({', '.join(parts)})"


def of_playbook(environ: Mapping[str, str] = os.environ) -> TargetCluster:
    """That of the pod, as its service account; with KUBERNETES_LOAD_KUBE_CONFIG that of the
    kubeconfig. Raises NoCluster."""
    if environ.get(KUBECONFIG_VARIABLE):
        return of_kubeconfig(environ)
    try:
        return of_pod(environ)
    except NoCluster as error:
        raise NoCluster(
            f"{error} (in a pod its service account is used; elsewhere"
            f" {KUBECONFIG_VARIABLE}=1 uses the kubeconfig)"
        ) from error


def as_kubectl(environ: Mapping[str, str] = os.environ, context: str = "") -> TargetCluster:
    """The one that kubectl would take: that of the kubeconfig, and of the pod where there is none.
    ``context``: another one than the kubeconfig's current context. Raises NoCluster."""
    config = kubeconfig.load(kubeconfig.files(environ))
    if config.is_empty and not context and (SERVICE_ACCOUNT / "token").exists():
        return of_pod(environ)
    return of_kubeconfig(environ, context)


@lru_cache(maxsize=None)
def of_context(context: str = "", kubeconfig: str = "") -> TargetCluster:
    """The one that kubectl would take with ``--context`` and ``--kubeconfig``, found once in a
    process: all that a program does is on the cluster that it found first."""
    if kubeconfig:
        return of_kubeconfig({**os.environ, "KUBECONFIG": kubeconfig}, context)
    return as_kubectl(context=context)


def if_any(environ: Mapping[str, str] = os.environ) -> Optional[TargetCluster]:
    """The one that a playbook on this machine would act on: of_playbook's in a pod, else that of
    the kubeconfig; None where there is neither. An empty KUBECONFIG asks for none."""
    given = all(environ.get(f"KUBERNETES_SERVICE_{part}") for part in ("HOST", "PORT"))
    if given and not environ.get(KUBECONFIG_VARIABLE):
        return of_pod(environ)
    if environ.get("KUBECONFIG") == "" or not kubeconfig.files(environ):
        return None
    return of_kubeconfig(environ)


def connecting(find: Callable[[], TargetCluster]) -> Callable[[], Connection]:
    """Finds the cluster at the first call, and connects to this one each time."""
    found = lru_cache(maxsize=None)(find)
    return lambda: found().connect()


def of_pod(environ: Mapping[str, str], account: Optional[Path] = None) -> TargetCluster:
    """``account``: the directory of the service account."""
    account = account or SERVICE_ACCOUNT
    host, port = environ.get("KUBERNETES_SERVICE_HOST"), environ.get("KUBERNETES_SERVICE_PORT")
    if not host or not port:
        raise _no_cluster("KUBERNETES_SERVICE_HOST and KUBERNETES_SERVICE_PORT are not set")
    server = f"https://{f'[{host}]' if ':' in host else host}:{port}"

    def connect() -> Connection:
        try:
            context = partial(tls.context, cafile=str(account / "ca.crt"))
            token = TokenFile(account / "token")
            route = _route(server, context, proxy=proxy_for(urlsplit(server), environ))
            return Connection(route, authorization=token.header)
        except (OSError, ValueError) as error:
            raise _no_cluster(error) from error

    namespace = environ.get("POD_NAMESPACE") or _text(account / "namespace") or "default"
    return TargetCluster(server, "", namespace, "", "this pod's service account", connect)


def of_kubeconfig(environ: Mapping[str, str], context: str = "") -> TargetCluster:
    paths = kubeconfig.files(environ)
    if not paths:
        named = environ.get("KUBECONFIG") or kubeconfig.DEFAULT
        raise _no_cluster(f"there is no kubeconfig: {named} is not there")
    return of_config(kubeconfig.load(paths), environ, context)


def renewing(
    target: Callable[[], TargetCluster], renew: Callable[[], None]
) -> Callable[[], Connection]:
    """How KubernetesApi connects to ``target`` with a token of ours: it connects again once the
    API server refused the credentials, so the token is another one from the second time on."""
    first = True

    def connecting() -> Connection:
        nonlocal first
        if not first:
            renew()
        first = False
        return target().connect()

    return connecting


def of_config(
    config: Kubeconfig,
    environ: Mapping[str, str],
    context: str = "",
    *,
    who: Callable[[Entry], Optional[Who]] = lambda _: None,
) -> TargetCluster:
    """``who``: whom a user of the kubeconfig stands for, where that is not what it says itself."""
    chosen = config.context(context)
    cluster = config.clusters.get(chosen.text("cluster"))
    if cluster is None:
        raise NoCluster(f"{chosen.name} names cluster {chosen.text('cluster')!r}: not in {config}")
    nobody = Entry(f"user {chosen.text('user')}", {}, cluster.directory)
    user = config.users.get(chosen.text("user"), nobody)
    server = _server(cluster)

    def connect() -> Connection:
        try:
            return _connection(server, cluster, user, environ, who)
        except (OSError, ValueError, urllib3.exceptions.HTTPError) as error:
            raise _no_cluster(f"{cluster.name}, {user.name}: {error}") from error

    return TargetCluster(
        server,
        chosen.name.partition(" ")[2],
        chosen.text("namespace") or "default",
        chosen.text("user"),
        str(config),
        connect,
    )


def _connection(
    server: str,
    cluster: Entry,
    user: Entry,
    environ: Mapping[str, str],
    known: Callable[[Entry], Optional[Who]],
) -> Connection:
    # One that the cluster has is asked whatever NO_PROXY says.
    proxy = cluster.text("proxy-url") or proxy_for(urlsplit(server), environ)
    if not server.startswith("https:"):
        # kubectl, too, presents credentials over TLS only.
        return Connection(_route(server, None, proxy=proxy))
    insecure = cluster.flag("insecure-skip-tls-verify")
    authorities = cluster.content("certificate-authority")
    if insecure and authorities:
        raise ValueError(
            "specifying a root certificates file with the insecure flag is not allowed"
        )
    if insecure:
        # It was asked for.
        urllib3.disable_warnings(urllib3.exceptions.InsecureRequestWarning)
    who = known(user) or credentials.of_user(
        user, lambda: _told(server, cluster, authorities), environ
    )

    def context() -> ssl.SSLContext:
        made = tls.context(
            cadata=authorities.decode("ascii", "ignore") or None, verify=not insecure
        )
        if who.certificate:
            tls.present(made, who.certificate, who.key)
        return made

    route = _route(server, context, cluster.text("tls-server-name"), proxy)
    return Connection(route, authorization=who.authorization, headers=who.headers, until=who.until)


def _route(
    server: str,
    context: Optional[Callable[[], ssl.SSLContext]],
    name: str = "",
    proxy: Optional[str] = None,
) -> Route:
    if not proxy:
        return Route(server, context, name)
    parts = _parsed(proxy)
    if parts is None:
        raise ValueError(
            f"the proxy {_shown(proxy)} is expected to be a URL with http:// or https://"
        )
    headers = {}
    if parts.username is not None:
        given = unquote(parts.username), unquote(parts.password or "")
        headers["Proxy-Authorization"] = credentials.basic(*given)
    return Route(server, context, name, _shown(proxy), headers)


def _server(cluster: Entry) -> str:
    """A URL, of HTTPS where it has no scheme and anything is said of certificates."""
    given = cluster.text("server")
    if not given:
        raise NoCluster(f"{cluster.name} has no server")
    secure = {"certificate-authority", "certificate-authority-data", "insecure-skip-tls-verify"}
    scheme = "https" if secure & set(cluster.values) else "http"
    parts = _parsed(given if "://" in given else f"{scheme}://{given}")
    if parts is None or "@" in parts.netloc:
        raise NoCluster(f"server of {cluster.name} is expected to be a URL: {_shown(given)}")
    return urlunsplit((parts.scheme, parts.netloc, parts.path.rstrip("/"), "", ""))


def _told(server: str, cluster: Entry, authorities: bytes) -> Dict[str, Any]:
    """What an exec plugin is told of the cluster. Source: client.authentication.k8s.io/v1."""
    found: Dict[str, Any] = {"server": server}
    if authorities:
        found["certificate-authority-data"] = base64.b64encode(authorities).decode()
    for key in ("tls-server-name", "proxy-url"):
        if cluster.text(key):
            found[key] = cluster.text(key)
    if cluster.flag("insecure-skip-tls-verify"):
        found["insecure-skip-tls-verify"] = True
    for extension in cluster.values.get("extensions") or ():
        if extension.get("name") == f"{credentials.API}/exec":
            found["config"] = extension.get("extension")
    return found


def _parsed(url: str) -> Optional[SplitResult]:
    """None for what has no host, no usable port, or another scheme than those of HTTP."""
    try:
        parts = urlsplit(url)
        usable = parts.scheme in ("http", "https") and parts.hostname and parts.port != 0
    except ValueError:
        return None
    return parts if usable else None


def _shown(url: str) -> str:
    """Without credentials."""
    return re.sub(r"(?<=//)[^/]*@", "", url)


def _text(path: Path) -> str:
    try:
        return path.read_text("utf-8").strip()
    except (OSError, ValueError):
        return ""


def _no_cluster(why: object) -> NoCluster:
    return NoCluster(f"no cluster to act on: {why}")
