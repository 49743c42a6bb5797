"""Where the ledger of a playbook is, and ``--ledger``."""

from __future__ import annotations

import functools
from contextlib import suppress
from dataclasses import dataclass
from typing import Any, Callable, Dict, List, Optional, Sequence, TypeVar, cast

import click

from playbooks.commands import tell
from playbooks.commands.options import Selection, Session
from playbooks.commands.targets.deployed import functions
from playbooks.core import catalogue
from playbooks.core.cluster.manifest import KUBELESS_API, LEDGER, Manifest, identity, label, shown
from playbooks.core.cluster.objects import ClusterObjects
from playbooks.core.errors import NotFound, NotPermitted, PlaybookError
from playbooks.core.ledger.limits import function_of, ledger_name, object_name
from playbooks.core.playbook import Playbook
from playbooks.deployment.errors import DeploymentError
from playbooks.deployment.manifests import record
from playbooks.deployment.manifests.record import ledger_of, playbook_of
from playbooks.deployment.removal.client import (
    FunctionLedger,
    Place,
    ledger_of_ours,
    place_of_ours,
    refuse_without_rights,
)
from playbooks.deployment.workers.deployed_function import in_others

F = TypeVar("F", bound=Callable[..., Any])

# Of ``--ledger``: none is read or written.
NONE = "off"

_ADVICE = f"--ledger NAMESPACE/NAME names it, --ledger {NONE} goes without"


def of_function(
    cluster: ClusterObjects, function: str, namespace: str, *, anew: bool = False
) -> Place:
    """The one that it was given, else its own. ``anew``: also one that is gone, where the Function
    is there. Raises DeploymentError where there is none."""
    deployed = None
    with suppress(NotFound, NotPermitted):
        deployed = record.find(cluster, function, namespace)
    name = place_of_ours(deployed)[1] if deployed else ledger_name(function)
    found = cluster.find("v1", "ConfigMap", name, namespace)
    if found:
        usable = label(found, LEDGER) is not None
    else:
        usable = anew and cluster.find(KUBELESS_API, "Function", function, namespace) is not None
    if not usable:
        raise DeploymentError(
            f"there is no ledger {namespace}/{name}: deploying the playbook makes it"
            f"{in_others(cluster, function)}"
        )
    return namespace, name


def everywhere(cluster: ClusterObjects, namespace: str) -> List[Place]:
    """The ledgers of all playbooks, in one namespace or in all. Raises DeploymentError for none."""
    found = cluster.list(("configmaps",), namespace=namespace, selector=LEDGER)
    if not found:
        where = f"in namespace {namespace}" if namespace else "in this cluster"
        raise DeploymentError(f"there is no playbook with a ledger {where}")
    return sorted((m["metadata"]["namespace"], m["metadata"]["name"]) for m in found)


@dataclass(frozen=True)
class ChosenLedgers:
    """What was typed: the value of ``--ledger``, and -A."""

    given: str
    all_namespaces: bool

    def problems(self) -> List[str]:
        try:
            place = object_name("" if self.given == NONE else self.given)
        except ValueError:
            place = ("", self.given)
        if place is None or place[0]:
            return []
        return [f"--ledger is {self.given!r}, expected NAMESPACE/NAME of a ConfigMap, or {NONE}"]

    def of(
        self,
        session: Session,
        which: Selection,
        playbooks: Sequence[Playbook],
        about: Optional[str] = None,
        *,
        first: bool = False,
    ) -> Dict[str, List[FunctionLedger]]:
        """Of each playbook: the ledger that was given, or those of the Functions of the playbook,
        or of a chain with it, that are ours: of the one that -N names, or of all in the namespaces
        of -n and of the kubeconfig. ``about``: the namespace of the object, empty where it is in
        none; those without rights there are left out, and None leaves out none. ``first``: of the
        first of them alone that is deployed.

        What is wrong with a ledger is a warning. Raises DeploymentError where there is no Function.
        """
        if self.given:
            return {each.name: self._given(each) for each in playbooks[: 1 if first else None]}
        cluster, within = session.cluster, self._within(session, which)
        deployed = _functions(cluster, which.named, within)
        found: Dict[str, List[FunctionLedger]] = {}
        missing = []
        for playbook in playbooks:
            leaving = catalogue.leaving(playbook)
            running = [each for each in deployed if playbook_of(each) in leaving]
            if not running:
                missing.append(playbook.name)
            elif not (first and found):
                found[playbook.name] = _ours(cluster, running, about)
        if missing and not (first and found):
            raise DeploymentError(self._none(which, within, missing))
        return found

    def _given(self, playbook: Playbook) -> List[FunctionLedger]:
        named = None if self.given == NONE else object_name(self.given)
        return [FunctionLedger(named, function_of(named[1]), playbook.name)] if named else []

    def _within(self, session: Session, which: Selection) -> Sequence[str]:
        """The namespaces that are looked in; none stands for all."""
        looked_in = (which.namespace, session.cluster.current_namespace())
        return () if self.all_namespaces else tuple(dict.fromkeys(filter(None, looked_in)))

    @staticmethod
    def _none(which: Selection, within: Sequence[str], playbooks: Sequence[str]) -> str:
        of_name = f" named {which.named}" if which.named else ""
        where = f"in namespace {' or '.join(within)}" if within else "in this cluster"
        also = "-A looks in all namespaces, " * bool(within)
        return (
            f"no Function{of_name} of playbook {' or '.join(playbooks)} is deployed {where}, so its"
            f" ledger is unknown: {also}{_ADVICE}"
        )


def _ours(
    cluster: ClusterObjects, deployed: Sequence[Manifest], about: Optional[str]
) -> List[FunctionLedger]:
    found = []
    for each in deployed:
        try:
            if about is not None:
                _, home, name = identity(each)
                refuse_without_rights(cluster, name, home, about)
            ledger_of_ours(cluster, each)
            found.append(
                FunctionLedger(ledger_of(each), each["metadata"]["name"], playbook_of(each))
            )
        except PlaybookError as error:
            tell("warning", [f"the ledger of {shown(each)} is left out: {error}"])
    return found


def chooses_ledgers(use: str) -> Callable[[F], F]:
    """Gives a command its ``ledgers``, from --ledger and -A. ``use``: what a ConfigMap is there
    for."""

    def choosing(command: F) -> F:
        @click.option(
            "-A",
            "--all-namespaces",
            is_flag=True,
            help="Use the ledgers of the playbook's Functions in all namespaces. Default: those in"
            " the namespaces of -n and of the kubeconfig.",
        )
        @click.option(
            "--ledger",
            metavar="NAMESPACE/NAME",
            default="",
            help=f"The ConfigMap {use}, or '{NONE}'. Default: that of each Function of the"
            " playbook.",
        )
        @functools.wraps(command)
        def chosen(*given: Any, ledger: str, all_namespaces: bool, **others: Any) -> Any:
            return command(*given, ledgers=ChosenLedgers(ledger, all_namespaces), **others)

        return cast(F, chosen)

    return choosing


def _functions(cluster: ClusterObjects, function: str, within: Sequence[str]) -> List[Manifest]:
    """``function``: its name; empty for all."""
    try:
        found = [f for p in within or ("",) for f in functions(cluster, p)]
    except PlaybookError as error:
        alone = "without -A only the namespaces of -n and of the kubeconfig are looked in, "
        raise DeploymentError(
            f"Functions cannot be listed: {error}\n{alone * (not within)}{_ADVICE}"
        ) from error
    return [each for each in found if function in ("", each["metadata"]["name"])]
