"""A playbook: what an entrypoint declares, and how it is wired."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import Any, Callable, List, Mapping, Optional, Tuple, Type

from playbooks.core import guards
from playbooks.core.cluster.changes import Changes
from playbooks.core.cluster.permissions import OWN, Permission
from playbooks.core.cluster.workload import COUNTED, OWNING
from playbooks.core.containment.containment import Containment
from playbooks.core.errors import InvalidSetting, PlaybookError, line_of
from playbooks.core.guards.guard import Context
from playbooks.core.guards.protected import serves_everywhere
from playbooks.core.guards.when import packages as condition_packages
from playbooks.core.notifications import settings as notifications
from playbooks.core.ports import Cluster, ClusterCollaborators, Collaborators
from playbooks.core.reaction import OBJECTS, Reaction
from playbooks.core.redaction.redaction import Redaction
from playbooks.core.responder import Responder
from playbooks.core.settings import Setting, Settings, names, read
from playbooks.core.tracing.spans import Spans

# What the guards read, beside what each reaction declares.
_NAMESPACES = (Permission("namespaces", ("get",)),)
_WORKLOADS = tuple(
    Permission(kind.resource, ("get",), kind.group) for kind in (OWNING[each] for each in COUNTED)
)

# Where the API servers are, which may be nodes of the cluster.
_API_SERVERS = Permission("endpoints", ("get",), namespace="default")

# What pods of playbooks come from: beside the Function, whose settings are nobody else's business.
_OWN = (
    Permission("replicasets", ("get",), group="apps", namespace=OWN),
    Permission("deployments", ("get",), group="apps", namespace=OWN),
    Permission("functions", ("get",), group="kubeless.io", namespace=OWN),
)

# What the API server itself calls, in which namespaces.
_WEBHOOKS = "admissionregistration.k8s.io"
_SERVING = tuple(
    Permission(resource, ("list",), group, cluster_wide=True, only_everywhere=True)
    for resource, group in (
        ("validatingwebhookconfigurations", _WEBHOOKS),
        ("mutatingwebhookconfigurations", _WEBHOOKS),
        ("apiservices", "apiregistration.k8s.io"),
    )
)

# What is written about what they did. Events about nodes lie in the namespace default.
_EVENTS = ("events", ("create", "patch"), "events.k8s.io")


@dataclass(frozen=True)
class Playbook:
    """The declaration that an entrypoint makes.

    ``reaction`` declares its own ``SETTINGS`` and ``PERMISSIONS``. ``collaborators`` makes what it
    is given, from the name of the playbook, and ``build`` makes a reaction of the typed settings;
    neither connects anywhere yet. ``packages``: the distributions that a function of it installs.
    """

    name: str
    reaction: Type[Reaction]
    build: Callable[[Settings, Any], Reaction]
    collaborators: Callable[[str, Settings], Collaborators]
    packages: Tuple[str, ...]

    @property
    def acts(self) -> bool:
        """Whether it acts on the cluster."""
        return bool(self.reaction.TARGETS)

    @property
    def remembers(self) -> bool:
        """Whether a pod that an engine remembers may prove what it does."""
        return self.reaction.VIEW and self.reaction.TARGETS == "pods"

    @property
    def settings(self) -> Tuple[Setting, ...]:
        return self.reaction.SETTINGS + guards.settings(acts=self.acts)

    @property
    def permissions(self) -> Tuple[Permission, ...]:
        beside = {
            "pods": (*_NAMESPACES, *_WORKLOADS, *_OWN, *_SERVING, Permission(*_EVENTS)),
            OBJECTS: (*_NAMESPACES, *_SERVING, Permission(*_EVENTS)),
            "nodes": (
                *(*_NAMESPACES, *_OWN, _API_SERVERS),
                Permission(*_EVENTS, namespace="default"),
            ),
        }
        needed = self.reaction.PERMISSIONS + beside.get(self.reaction.TARGETS, ())
        return tuple(dict.fromkeys(needed))

    def rights(self, values: Mapping[str, str], *, looks: bool = False) -> Tuple[Permission, ...]:
        """The permissions that a function with these settings needs. ``looks``: where its engine
        looks at what became of actions."""
        everywhere = serves_everywhere(names(values.get("NAMESPACES", "")))
        given = {**{s.name: s.default for s in self.settings if s.default}, **values}
        return tuple(
            p
            for p in self.permissions
            if p.is_needed(given)
            and (everywhere or not p.only_everywhere)
            and (looks or not p.for_looks)
        )

    @property
    def changes(self) -> Tuple[Changes, ...]:
        """What its account may change, as its reaction declares it."""
        return self.reaction.CHANGES

    @property
    def containments(self) -> Tuple[Tuple[Type[Containment], str], ...]:
        """What it may leave on a target, and the setting that says for how long, or empty."""
        reaction = self.reaction
        return ((reaction.CONTAINMENT, reaction.TTL),) if reaction.CONTAINMENT else ()

    def runs(self, values: Mapping[str, str]) -> Tuple[str, ...]:  # noqa: ARG002
        """The other playbooks whose code a function with these settings needs."""
        return ()

    def relies_on(self, values: Mapping[str, str]) -> Tuple[str, ...]:  # noqa: ARG002
        """What no role grants and a function with these settings cannot do without."""
        return self.reaction.RELIES_ON

    def problems(self, values: Mapping[str, str]) -> List[str]:
        """What does not fit together in its settings, as they were written."""
        return self.reaction.problems(values)

    def installs(self, values: Mapping[str, str]) -> Tuple[str, ...]:
        """The distributions that a function with these settings installs."""
        also = (
            *notifications.packages(values),
            *condition_packages(values),
            *self.reaction.installs(values),
        )
        return tuple(dict.fromkeys((*self.packages, *also)))

    def responder(
        self,
        environ: Mapping[str, str],
        collaborators: Optional[Collaborators] = None,
        cluster: Optional[Cluster] = None,
        spans: Optional[Spans] = None,
    ) -> Responder:
        """The playbook with its settings read. ``collaborators``: instead of its own; ``cluster``:
        instead of theirs. Raises InvalidSetting."""
        settings = read(self.settings, environ)
        notifications.check(settings)
        for problem in self.problems(environ):
            raise InvalidSetting(problem)
        collaborators = collaborators or self.collaborators(self.name, settings)
        if cluster is not None and isinstance(collaborators, ClusterCollaborators):
            collaborators = replace(collaborators, cluster=cluster)
        return self.wired(environ, settings, collaborators, spans)

    def wired(
        self,
        environ: Mapping[str, str],  # noqa: ARG002
        settings: Settings,
        collaborators: Collaborators,
        spans: Optional[Spans],
        *,
        chain: str = "",
    ) -> Responder:
        """What answers alerts with these settings, as they were written and as they are read.
        ``chain``: the one whose step it is. Raises InvalidSetting."""
        acting = collaborators if isinstance(collaborators, ClusterCollaborators) else None
        reaction = self._built(settings, collaborators)
        asked = guards.guards(Context(self.name, settings, collaborators, reaction, chain))
        reaction.heed(asked)
        return Responder(
            reaction,
            asked,
            collaborators.clock,
            dry_run=settings["DRY_RUN"],
            redaction=Redaction.of(settings),
            recorders=acting.recorders if acting else (),
            # What a step before changed is not as it is remembered.
            cluster=acting.cluster if acting and not chain else None,
            ledger=acting.ledger if acting else None,
            spans=spans,
        )

    def _built(self, settings: Settings, collaborators: Collaborators) -> Reaction:
        try:
            return self.build(settings, collaborators)
        except PlaybookError:
            raise
        except Exception as error:
            what = f"{type(error).__name__}: {error} ({line_of(error)})"
            raise InvalidSetting(f"{self.name} cannot be built: {what}") from error
