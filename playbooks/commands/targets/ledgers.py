"""Where the ledger of a playbook is, and ``--ledger``."""

from __future__ import annotations

import functools
from contextlib import suppress
from dataclasses import dataclass
from typing import Any, Callable, List, Sequence, TypeVar, cast

import click

from playbooks.commands import tell
from playbooks.commands.options import Selection, Session
from playbooks.commands.targets.deployed import functions
from playbooks.core import catalogue
from playbooks.core.cluster.manifest import KUBELESS_API, LEDGER, Manifest, label, reference, shown
from playbooks.core.cluster.objects import ClusterObjects
from playbooks.core.errors import NotFound, NotPermitted, PlaybookError
from playbooks.core.ledger.limits import function_of, ledger_name, object_name
from playbooks.core.playbook import Playbook
from playbooks.deployment.errors import DeploymentError
from playbooks.deployment.manifests import record
from playbooks.deployment.manifests.record import ledger_of, playbook_of
from playbooks.deployment.removal.client import FunctionLedger, Place, ledger_of_ours, place_of_ours
from playbooks.deployment.workers.deployed_function import in_others

F = TypeVar("F", bound=Callable[..., Any])

# Of ``--ledger``: none is read or written.
NONE = "off"

_ADVICE = f"--ledger NAMESPACE/NAME names it, --ledger {NONE} goes without"


def of_function(
    cluster: ClusterObjects, namespace: str, function: str, *, anew: bool = False
) -> Place:
    """The one that it was given, else its own. ``anew``: also one that is gone, where the Function
    is there. Raises DeploymentError where there is none."""
    deployed = None
    with suppress(NotFound, NotPermitted):
        deployed = record.find(cluster, namespace, function)
    name = place_of_ours(deployed)[1] if deployed else ledger_name(function)
    found = cluster.get([reference("v1", "ConfigMap", name, namespace)])
    ours = found and label(found[0], LEDGER) is not None
    function_there = (
        anew
        and not found
        and cluster.get([reference(KUBELESS_API, "Function", function, namespace)])
    )
    if not ours and not function_there:
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

    def deployed(
        self, session: Session, which: Selection, playbooks: Sequence[Playbook]
    ) -> List[Playbook]:
        """Those of these playbooks that have a Function whose ledger is ``found``; all where a
        ledger was typed. Raises DeploymentError where there is no Function."""
        if self.given:
            return [*playbooks]
        within = self._within(session, which)
        found = [
            each
            for each in playbooks
            if _functions(session.cluster, each.name, which.named, within)
        ]
        if not found:
            raise DeploymentError(self._none(which, within, [each.name for each in playbooks]))
        return found

    def found(self, session: Session, which: Selection, playbook: str) -> List[FunctionLedger]:
        """The ledger that was given, or those of the Functions of the playbook, or of a chain with
        it, that are ours: of the one that -N names, or of all in the namespaces of -n and of the
        kubeconfig.

        What is wrong with a ledger is a warning. Raises DeploymentError where there is no Function.
        """
        if self.given == NONE:
            return []
        named = object_name(self.given) if self.given else None
        if named:
            return [FunctionLedger(named, function_of(named[1]), playbook)]
        within = self._within(session, which)
        deployed = _functions(session.cluster, playbook, which.named, within)
        if not deployed:
            raise DeploymentError(self._none(which, within, [playbook]))
        found = []
        for each in deployed:
            try:
                ledger_of_ours(session.cluster, each)
                name = each["metadata"]["name"]
                found.append(FunctionLedger(ledger_of(each), name, playbook_of(each)))
            except PlaybookError as error:
                tell("warning", [f"the ledger of {shown(each)} is left out: {error}"])
        return found

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


def _functions(
    cluster: ClusterObjects, playbook: str, function: str, within: Sequence[str]
) -> List[Manifest]:
    try:
        found = [f for p in within or ("",) for f in functions(cluster, p)]
    except PlaybookError as error:
        alone = "without -A only the namespaces of -n and of the kubeconfig are looked in, "
        raise DeploymentError(
            f"Functions cannot be listed: {error}\n{alone * (not within)}{_ADVICE}"
        ) from error
    wanted = catalogue.leaving(catalogue.load(playbook))
    return [
        each
        for each in found
        if playbook_of(each) in wanted and function in ("", each["metadata"]["name"])
    ]
