"""What engines have in common to whose functions alerts are pushed: these choose by TOPICS
themselves. ``CloudEngine``: they run in a cloud, and act on a cluster from there."""

from __future__ import annotations

import json
import shlex
from abc import abstractmethod
from dataclasses import replace
from typing import Callable, Dict, List, Mapping, Optional, Pattern, Sequence

from playbooks.core import catalogue
from playbooks.core.cluster.manifest import Manifest
from playbooks.core.ledger.limits import ledger_name
from playbooks.core.settings import Kind, Setting
from playbooks.deployment.apply.confirmation import confirm, lost_settings, lost_topics
from playbooks.deployment.engines.engine import Engine, Invocation, Option, as_typed
from playbooks.deployment.errors import UsageError
from playbooks.deployment.manifests import ledger, rights
from playbooks.deployment.request.assignments import Reference, Value
from playbooks.deployment.request.options import Options
from playbooks.deployment.request.request import Request
from playbooks.deployment.request.settings import by_value_only, set_by
from playbooks.deployment.terminal import documents
from playbooks.engines.pushed import TOPICS
from playbooks.infrastructure import this_pod

REGION = Option(
    "region", ("--region",), "with -E gcf and -E lambda: where the function runs", "REGION"
)
TOPIC = Option(
    "trigger_topic",
    ("--trigger-topic",),
    "with -E gcf and -E lambda: the topic whose messages are alerts: one of Pub/Sub, or of SNS by"
    " its ARN; without it they are posted, or the function is invoked",
    "TOPIC",
)


def json_text(document: object) -> str:
    """As the clouds' programs take a file of it."""
    return json.dumps(document, indent=2, sort_keys=True, ensure_ascii=False) + "\n"


def problems(
    request: Request, reserved: Optional[Pattern[str]] = None, whose: str = ""
) -> List[str]:
    """What TOPICS cannot say, and variables that are ``reserved``. ``whose``: who sets these, such
    as OpenFaaS."""
    found = [f"{TOPICS.name} comes from -t"] * (TOPICS.name in request.names_given)
    found += [
        f"topic {topic!r} has a comma: {TOPICS.name} cannot say it"
        for topic in request.topics
        if "," in topic
    ]
    return found + (set_by(whose, request.names_given, reserved.fullmatch) if reserved else [])


def not_kept(request: Request, keep: str, reference: str, *, also: Sequence[str] = ()) -> List[str]:
    """Secrets that -e gives where the engine keeps none. ``keep``: where they are kept, and by
    which command. ``reference``: as -s takes them, such as SECRET/KEY. ``also``: further names."""
    return [
        f"{name} is a secret: keep it in {keep} and give -s {name}={reference}"
        for name in dict.fromkeys((*request.secrets, *also))
    ]


def no_files(request: Request, whose: str) -> List[str]:
    """References that cannot be files. ``whose``: which engine gives secrets as nothing else."""
    return [
        f"-s {reference.name}: {whose} gives secrets as files, and this is none: it can come by -e"
        " only"
        for reference in request.references
        if not is_file(request, reference)
    ]


def is_file(request: Request, reference: Reference) -> bool:
    """Whether what it names may be a file: secret settings are read from ``NAME_FILE``, too."""
    setting = request.setting(reference.name)
    return bool(setting and setting.secret)


def needed_to_act(setting: Setting) -> Setting:
    """The same, for an engine's ``settings``: a playbook that acts on no cluster needs none. The
    engine's ``problems`` say where it is missing."""
    kind: Kind = setting.kind
    said = f"{setting.help}; required where the playbook acts on the cluster"
    return replace(setting, kind=lambda value: value and kind(value), default="", help=said)


def open_to(request: Request, token: Setting, where: str, sent: str) -> List[str]:
    """A warning, unless the token is given by which alerts are taken. ``where``: whoever reaches
    that can post alerts. ``sent``: how Falcosidekick sends the token."""
    if token.name in request.names_given:
        return []
    return [
        f"{token.name} is not given: whoever reaches {where} can have the playbook act."
        f" -s {token.name}=SECRET/KEY, and {sent}"
    ]


def namespace_of(options: Options) -> str:
    """That of the ledger of a function outside of the cluster. No kubeconfig of this machine is
    asked: it may be another cluster's."""
    return options.namespace or "default"


def variables(
    request: Request, namespace: str, path: Optional[Callable[[Reference], str]] = None
) -> Dict[str, str]:
    """Those that hold no secret, of a function that is told no fields of its pod.

    ``namespace``: of its ledger. ``path``: of the file that a secret setting is; None where it is
    none.
    """
    found = {**request.values, TOPICS.name: ",".join(request.topics)}
    if request.playbook.acts:
        found.setdefault(ledger.SETTING, ledger_name(request.function))
        found[this_pod.NAMESPACE_VARIABLE] = namespace
    for reference in request.references:
        setting = request.setting(reference.name)
        if path and setting and is_file(request, reference):
            found[setting.file_variable] = path(reference)
    return found


def lost(request: Request, variables: Mapping[str, str]) -> List[str]:
    """The settings and topics of the function that is there, by its ``variables``, which deploying
    would take from it."""
    own = {ledger.SETTING: ledger_name(request.function)}
    given = [
        Value(name, text)
        for name, text in variables.items()
        if text and request.setting(name) and own.get(name) != text
    ]
    topics = list(filter(None, variables.get(TOPICS.name, "").split(",")))
    settings = lost_settings(given, request.names_given, request.settings)
    return [*settings, *lost_topics(topics, request.topics)]


class CloudEngine(Engine):
    """What a function may do in the cluster, and what it contains there, stays when it is removed:
    ``falco-playbook undo`` goes on to work."""

    @abstractmethod
    def subjects(self, request: Request, options: Options) -> List[Manifest]:
        """Who a function is to the cluster, as bindings have it. Raises UsageError."""

    def named(self, request: Request, invocation: Invocation) -> str:
        """It is in no namespace."""
        return request.function

    def namespace(self, invocation: Invocation) -> str:
        return namespace_of(invocation.options)

    def rights(self, request: Request, invocation: Invocation) -> List[Manifest]:
        who = self.subjects(request, invocation.options)
        return rights.rights(request, self.namespace(invocation), who, engine=self.name)

    def print_rights(self, request: Request, invocation: Invocation) -> None:
        if request.playbook.permissions:
            print("# in the cluster that it acts on: kubectl apply -f -")
            print(documents(self.rights(request, invocation)), end="")

    def hints(self, request: Request, options: Options) -> List[str]:
        """How its rights are given to it, with the settings that decide them, and how it is
        removed."""
        named = ["-N", request.name] if request.name != request.playbook.name else []
        place = ["-n", options.namespace] if options.namespace else []
        removed = f"remove it:   {self.removal(request, options, *place)}"
        if not request.playbook.permissions:
            return [removed]
        known = [f"{name}={text}" for name, text in request.values.items() if request.setting(name)]
        words = ["-p", catalogue.typed(request.playbook.name), *named, *place]
        words += as_typed(self.identity, options.own)
        words += [word for each in known for word in ("-e", each)]
        printed = f"falco-playbook permissions -E {self.name} {shlex.join(words)}"
        return [f"its rights:  {printed} | kubectl apply -f -", removed]

    def confirm(self, request: Request, options: Options, variables: Mapping[str, str]) -> None:
        """``variables``: of the function that is there; none for a first deployment. What else the
        cloud keeps of it is not looked at. Raises DeploymentError unless somebody agrees to what
        would be lost."""
        confirm(lost(request, variables), agreed=options.yes, reusable=False)

    def misplaced(self, options: Options) -> List[str]:
        """What is about a cluster, of which neither deploying nor removing asks one."""
        given = {"--context": options.context, "--kubeconfig": options.kubeconfig}
        return [f"{flag} is not for -E {self.name}" for flag, text in given.items() if text]

    def not_connected(self, request: Request, *settings: Setting) -> List[str]:
        """``settings``: by which a function finds the cluster that it acts on; the first one is
        required for that."""
        required = settings[0]
        found = [
            f"{problem}, expected: {setting.help}"
            for setting in settings
            for problem in by_value_only(
                {setting.name: "which cluster it acts on"}, request.references
            )
        ]
        if request.playbook.permissions and not found and not request.values.get(required.name):
            found.append(f"{required.name} is not set, expected: {required.help}")
        return found

    def check_removal(self, options: Options) -> None:
        """Raises UsageError."""
        problems = [] if REGION.name in options.own else ["--region is not given"]
        problems += self.misplaced(options)
        if options.release or options.leave_contained:
            said = "--release and --leave-contained are not for"
            problems.append(f"{said} -E {self.name}: what it contains stays")
        if problems:
            raise UsageError(problems)

    def print_rights_left(self, function: str, invocation: Invocation) -> None:
        which = rights.selector(function, self.namespace(invocation))
        print(f"its rights stay: kubectl delete {rights.KINDS} -A -l {which}")
