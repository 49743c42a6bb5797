"""Keep evidence of a pod that goes on running."""

from __future__ import annotations

from dataclasses import replace
from typing import Optional, Union

from playbooks.core import proof
from playbooks.core.action import Action
from playbooks.core.alert import Alert
from playbooks.core.cluster.changes import CONNECT, CREATE, Changes, Rule
from playbooks.core.cluster.permissions import Permission
from playbooks.core.errors import PlaybookError
from playbooks.core.evidence import settings as evidence_settings
from playbooks.core.evidence.steps import LISTING, READING, SNAPSHOT_API, SNAPSHOT_NAME
from playbooks.core.outcome import Outcome
from playbooks.core.ports import Clock, Evidence, Ledger
from playbooks.core.proof import Proof, Proven
from playbooks.core.reaction import Reaction, Verified
from playbooks.core.settings import Setting

_FILES, _PROCESSES = evidence_settings.FILES.name, evidence_settings.PROCESSES.name
_SNAPSHOTS = evidence_settings.SNAPSHOTS.name

# CEL: the command that is run in a container.
_COMMAND = "object.?command.orValue([])"
_LISTS = f"{_COMMAND} == {list(LISTING)}"
_READS = " || ".join(
    " && ".join(
        (
            f"{_COMMAND}.size() == {len(words) + 1}",
            *(f"{_COMMAND}[{n}] == '{word}'" for n, word in enumerate(words)),
        )
    )
    for words in READING
)


def _of_place(setting: Setting) -> Setting:
    """Without a place there is nothing to do."""
    if setting is not evidence_settings.URL:
        return setting
    said = setting.help.replace(" before a pod is deleted", "")
    return replace(setting, kind=evidence_settings.a_place, default=None, help=said)


class KeepEvidence(Reaction):
    """Stores one set of evidence an hour of a pod, at most: what reading a file causes may be an
    alert about the same pod.

    ``evidence`` None: nothing is stored, as in a simulation.
    """

    TARGETS = "pods"
    # Nothing that it does would be refused because the pod was written since.
    VIEW = False
    SETTINGS = (
        *proof.SETTINGS,
        *(
            _of_place(setting)
            for setting in evidence_settings.SETTINGS
            if setting is not evidence_settings.REQUIRED
        ),
        *evidence_settings.OF_STEPS,
    )
    PERMISSIONS = (
        Permission("pods", ("get", "list")),
        Permission("pods/log", ("get",)),
        Permission("events", ("list",)),
        Permission("pods/exec", ("get", "create"), only_with=_FILES),
        Permission("pods/exec", ("get", "create"), only_with=_PROCESSES, only_for="true"),
        Permission(
            "volumesnapshots",
            ("create",),
            SNAPSHOT_API,
            only_with=_SNAPSHOTS,
            only_for="true",
            optional=True,
        ),
    )
    CHANGES = (
        Changes(
            "pods/exec",
            operations=(CONNECT,),
            rules=(
                Rule(
                    "runs nothing in a container but what reads files or lists processes",
                    "!object.?stdin.orValue(false) && !object.?tty.orValue(false)"
                    f" && ({_LISTS} || {_READS})",
                ),
                Rule(
                    f"reads no files but those of {_FILES}",
                    f"{_LISTS} || {_COMMAND}.size() > 0"
                    f" && {_COMMAND}[{_COMMAND}.size() - 1] in params.data.{_FILES}.split(',')",
                    settings=(_FILES,),
                ),
            ),
            asked_of="pods",
        ),
        Changes(
            "volumesnapshots",
            group=SNAPSHOT_API,
            operations=(CREATE,),
            rules=(
                Rule(
                    f"makes no snapshots but {SNAPSHOT_NAME}*",
                    f"object.metadata.name.startsWith('{SNAPSHOT_NAME}')",
                ),
            ),
            asked_of="pods",
            optional=True,
        ),
    )

    def __init__(
        self, ledger: Ledger, clock: Clock, proof: Proof, evidence: Optional[Evidence]
    ) -> None:
        self._ledger = ledger
        self._clock = clock
        self._proof = proof
        self._evidence = evidence

    installs = staticmethod(evidence_settings.packages)
    problems = staticmethod(evidence_settings.problems)

    def verify(self, action: Action) -> Optional[Verified]:  # noqa: ARG002
        """A set is whole when it is stored: the cluster cannot tell more."""
        return None

    def plan(self, alert: Alert) -> Union[Action, Outcome]:
        proven = self._proof.of(alert)
        if isinstance(proven, Outcome):
            return proven
        said = f"keep evidence of {proven.pod}"
        return proven.action("record", said, lambda: self._keep(proven, alert))

    def _keep(self, proven: Proven, alert: Alert) -> Outcome:
        pod, what = proven.pod, f"evidence {proven.pod.uid}"
        if not self._ledger.tell(what, self._clock.now()):
            said = f"evidence of {pod} was kept within the last hour"
            return proven.skipped("already-kept", said)
        if self._evidence is None:
            return Outcome.acted(str(pod), "evidence-kept", f"kept evidence of {pod}")
        try:
            kept = self._evidence.keep(pod, alert)
        except PlaybookError:
            # It is tried again.
            self._ledger.untell(what)
            raise
        said = f"kept evidence of {pod}: {kept.words}"
        return Outcome.acted(str(pod), "evidence-kept", said, **proven.facts, **kept.facts)
