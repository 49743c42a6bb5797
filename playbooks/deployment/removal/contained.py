"""What a deployed playbook still contains, as its ledger and the objects themselves say."""

from __future__ import annotations

from contextlib import suppress
from dataclasses import dataclass
from functools import cached_property
from itertools import product
from typing import Iterator, List, Optional, Sequence, Tuple, Type

from playbooks.core.cluster.manifest import Manifest, identity
from playbooks.core.cluster.objects import ClusterObjects
from playbooks.core.containment.containment import Containment, Target
from playbooks.core.containment.undo import RELEASED
from playbooks.core.errors import InvalidSetting, NotFound, NotPermitted, PlaybookError
from playbooks.core.instant import Instant
from playbooks.core.ledger.book import Book
from playbooks.core.ledger.contained import Contained, Notes
from playbooks.core.outcome import Outcome
from playbooks.core.ports import Cluster
from playbooks.deployment.errors import DeploymentError
from playbooks.deployment.manifests import record
from playbooks.deployment.removal.client import (
    Client,
    FunctionLedger,
    Place,
    read_ledger,
    refuse_without_rights,
    who,
)
from playbooks.deployment.removal.release import Release, target_ref
from playbooks.deployment.request import by_name
from playbooks.deployment.terminal import print_messages, print_step

_LEAVE = "--leave-contained leaves them as they are"


@dataclass(frozen=True)
class ContainedObject:
    """One object, as it was read. ``until``: when it would end by its TTL; None for never."""

    containment: Type[Containment]
    known: Contained
    target: Target
    until: Optional[Instant]

    def __str__(self) -> str:
        ends = f"its TTL would end it at {self.until}" if self.until else "without a TTL"
        return f"{self.target} ({ends})"


@dataclass(frozen=True)
class Containing:
    """What one Function contains, whose ledger is in ``place``."""

    cluster: ClusterObjects
    function: Manifest
    containments: Sequence[Type[Containment]]
    client: Client
    place: Place

    def release(self, found: ContainedObject) -> None:
        """As ``falco-playbook undo`` does, with the exemption: alerts come until the workers are
        gone, and the removal may fail before. Prints what was done.

        Raises DeploymentError that says why it stays contained.
        """
        known, name = found.known, self.function["metadata"]["name"]
        playbook = record.playbook_of(self.function)
        release = Release(
            self.cluster,
            self.client,
            found.containment,
            target_ref(known.kind, known.name, known.namespace),
            [FunctionLedger(self.place, name, playbook)],
            playbook,
            self._by,
            why=f", who removes {name}",
        )
        try:
            outcome, problems = release.run(_told)
        except PlaybookError as error:
            raise DeploymentError(f"{found.target} stays contained: {error}") from error
        print_messages("warning", problems)
        if outcome.reason not in RELEASED:
            raise DeploymentError(f"{found.target} stays contained: {outcome.message}")

    @property
    def elsewhere(self) -> str:
        """Its ledger, where that is in another namespace; else empty."""
        own = self.function["metadata"]["namespace"]
        return "/".join(self.place) if self.place[0] != own else ""

    @cached_property
    def _by(self) -> str:
        """Asked for only where something is released."""
        return who(self.cluster)


def _noted(
    book: Book, containments: Sequence[Type[Containment]]
) -> Iterator[Tuple[Type[Containment], Contained, Notes]]:
    for kind, known in product(containments, book.contained.values()):
        notes = kind.of_ledgers([known.notes])
        if known.kind in kind.KINDS and notes:
            yield kind, known, notes


def in_book(
    book: Book, containments: Sequence[Type[Containment]], cluster: Cluster
) -> List[ContainedObject]:
    """Those in the ledger that are contained now. Raises a PlaybookError where they cannot be
    read."""
    found: List[ContainedObject] = []
    for kind, known, notes in _noted(book, containments):
        try:
            target = kind.read(cluster, known.kind, known.name, known.namespace)
        except NotFound:
            continue
        there = kind.of(target, cluster, notes)
        if target.uid == known.uid and there.there:
            found.append(ContainedObject(kind, known, target, there.until))
    return found


def of_function(
    cluster: ClusterObjects, function: Manifest, client: Client
) -> Optional[Containing]:
    """``function``: as ``record.find`` has it. None where its playbook contains nothing."""
    playbook = by_name.find(record.playbook_of(function))
    if playbook is None:
        return None
    containments = [kind for kind, _ in playbook.containments]
    try:
        place = record.ledger_of(function)
    except InvalidSetting:
        return None  # With such a setting it never acts.
    if not containments:
        return None
    return Containing(cluster, function, containments, client, place)


def settle(
    containing: Optional[Containing], function: str, nothing: str, *, release: bool, leave: bool
) -> None:
    """Before a function goes: release what it contains, or leave it. Prints what was done.

    ``nothing``: what to say of the removal where this raises DeploymentError: where something is
    contained and neither was asked for, or it cannot be released.
    """
    if containing is None:
        return
    try:
        # Whoever may edit the Function chose it.
        ledger = read_ledger(containing.cluster, containing.function)
        found = in_book(ledger.book, containing.containments, containing.client.cluster)
    except PlaybookError as error:
        said = f"what {function} contains cannot be read: {error}"
        if not leave:
            raise DeploymentError(f"{said}\n{nothing}; {_LEAVE}") from error
        print_messages("warning", [said])
        return
    noted = _noted(ledger.book, containing.containments)
    deleted = [known for kind, known, _ in noted if kind.REMOVES]
    said = f"once {function} is removed, no undo creates it again"
    print_messages("warning", [f"stays deleted: {each} ({said})" for each in deleted])
    if leave:
        print_messages("warning", [f"stays contained: {each}" for each in found])
    elif found:
        refusal = ledger.refusal or _without_rights(containing, found)
        if release and not refusal:
            _release(containing, found, nothing)
            return
        raise DeploymentError(
            "\n".join(
                [
                    f"{function} contains what nothing would release once it is removed:",
                    *(f"  {each}" for each in found),
                    *([f"--release does not go by its ledger: {refusal}"] if refusal else []),
                    f"{nothing}; {'' if refusal else '--release releases them first, '}{_LEAVE}",
                ]
            )
        )


def _without_rights(containing: Containing, found: Sequence[ContainedObject]) -> str:
    """Why one of these is not what the function contained, or empty; also for who may not look, who
    does not administer the cluster."""
    _, home, name = identity(containing.function)
    with suppress(NotPermitted):
        for namespace in dict.fromkeys(each.known.namespace for each in found):
            try:
                refuse_without_rights(containing.cluster, name, home, namespace)
            except DeploymentError as error:
                return str(error)
    return ""


def _release(containing: Containing, found: Sequence[ContainedObject], nothing: str) -> None:
    until, failed = containing.client.left_alone_until(), []
    for each in found:
        try:
            containing.release(each)
        except DeploymentError as error:
            failed.append(str(error))
    if not failed:
        return
    if len(failed) < len(found):
        failed.append(f"what was released is left alone until {until}")
    raise DeploymentError("\n".join([*failed, f"{nothing}; {_LEAVE}"]))


def _told(outcome: Outcome) -> None:
    if outcome.reason in RELEASED:
        print_step("released", outcome.message)
