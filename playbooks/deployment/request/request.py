"""A deployment that was asked for, checked as far as that is possible without a cluster."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Dict, Iterable, List, Mapping, Optional, Sequence, Tuple

from playbooks.core import catalogue
from playbooks.core.cluster.manifest import name_of
from playbooks.core.guards.filters import acts_in
from playbooks.core.playbook import Playbook
from playbooks.core.settings import Setting
from playbooks.deployment.errors import UsageError
from playbooks.deployment.request import assignments, by_name, topics, worker_settings
from playbooks.deployment.request.assignments import Reference, Value
from playbooks.deployment.request.names import place_problems, runtime_problems
from playbooks.deployment.request.options import DEFAULT_RUNTIME, Options
from playbooks.deployment.request.settings import (
    condition_problems,
    declaration_problems,
    setting_problems,
)

# Variables that are no settings, and that people set on purpose.
_VARIABLES = (
    *("HTTP_PROXY", "HTTPS_PROXY", "NO_PROXY", "http_proxy", "https_proxy", "no_proxy"),
    *("NATS_URL", "FUNC_TIMEOUT", "KUBECONFIG", "STANDIN_OBJECTS", "TZ"),
    *("AWS_CA_BUNDLE", "AWS_DEFAULT_REGION", "AWS_REGION"),
    *("PIP_INDEX_URL", "PIP_EXTRA_INDEX_URL", "PIP_TRUSTED_HOST", "PIP_CERT"),
    *("PIP_DEFAULT_TIMEOUT", "PIP_RETRIES"),
)


@dataclass(frozen=True)
class Request:
    """``function``: falco-<name>. ``secrets``: the names of the ``values`` that belong in a Secret.

    ``namespaces``: the only ones in which the playbook acts; empty for all. ``settings``: those
    of the playbook and of its engine.
    """

    playbook: Playbook
    function: str
    topics: Tuple[str, ...]
    runtime: str
    values: Mapping[str, str]
    secrets: Tuple[str, ...]
    references: Tuple[Reference, ...]
    namespaces: Tuple[str, ...]
    settings: Tuple[Setting, ...]

    @property
    def name(self) -> str:
        """As ``-N`` takes it."""
        return name_of(self.function)

    def setting(self, name: str) -> Optional[Setting]:
        return next((known for known in self.settings if known.name == name), None)

    @property
    def names_given(self) -> Tuple[str, ...]:
        """Of settings and variables, by -e or by -s."""
        return (*self.values, *(reference.name for reference in self.references))

    @property
    def warnings(self) -> List[str]:
        """What is odd about it, and may be meant."""
        plain = [name for name in self.values if name not in _VARIABLES and not self.setting(name)]
        return topics.warnings(self.topics) + [
            f"{name} is no setting of {self.playbook.name}: it is passed on as a variable"
            for name in plain
        ]


def read(
    options: Options, engine_settings: Tuple[Setting, ...]
) -> Tuple[Optional[Request], List[str]]:
    """The request and everything that is wrong with it; no request where there is no playbook.

    ``engine_settings``: what the engine takes beside the playbook's own settings.
    """
    problems: List[str] = []
    given = assignments.readable(assignments.value, options.values, problems)
    references = assignments.readable(assignments.reference, options.references, problems)
    named = {value.name for value in given} | {reference.name for reference in references}
    kept = [each for each in options.kept if each.name not in named]
    given += [each for each in kept if isinstance(each, Value)]
    references += [each for each in kept if isinstance(each, Reference)]
    runtime = options.runtime or DEFAULT_RUNTIME
    problems += topics.problems(options.topics, forced=options.force)
    playbook = _playbook(options.playbook, problems)
    problems += place_problems(options.deployed_name, options.namespace, len(options.topics))
    problems += runtime_problems(runtime)
    if not playbook:
        return None, problems
    settings = playbook.settings + engine_settings
    typed = {each.partition("=")[0] for each in (*options.values, *options.references)}
    # Names that are given with a text that cannot be read.
    unread = typed - {v.name for v in given} - {r.name for r in references}
    problems += setting_problems(settings, given, references, unread)
    problems += declaration_problems(playbook)
    problems += playbook.problems(_texts(given, references, unread))
    problems += condition_problems(playbook, given)
    problems += [
        f"-s {r.name}: {r.secret} is the Secret that deploy_playbook itself makes"
        for r in references
        if r.secret == options.function
    ]
    values = {value.name: value.text for value in given}
    wanted = Request(
        playbook=playbook,
        function=options.function,
        topics=options.topics,
        runtime=runtime,
        values=values,
        secrets=tuple(s.name for s in settings if s.name in values and _hidden(s, values[s.name])),
        references=tuple(references),
        namespaces=acts_in(values),
        settings=settings,
    )
    return wanted, problems


def _playbook(name: Optional[str], problems: List[str]) -> Optional[Playbook]:
    if not name:
        problems.append(f"no playbook is given: -p with one of {', '.join(catalogue.names())}")
        return None
    try:
        return by_name.load(name)
    except UsageError as error:
        problems.extend(error.problems)
        return None


def _texts(
    values: Sequence[Value], references: Sequence[Reference], unread: Iterable[str]
) -> Dict[str, str]:
    """What is given, as far as it is known here: of a Secret's key only that there is one."""
    there = dict.fromkeys((*unread, *(r.name for r in references)), "?")
    return {**there, **{v.name: v.text for v in values}}


def _hidden(setting: Setting, text: str) -> bool:
    """Whether the text belongs in a Secret."""
    return setting.secret and not worker_settings.is_path(setting, text)
