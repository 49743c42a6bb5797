"""What each verb of ``deploy_playbook`` does with what was typed."""

from __future__ import annotations

import textwrap
import time
from contextlib import contextmanager
from dataclasses import dataclass, replace
from typing import Callable, Dict, Iterator, List, Mapping, NamedTuple, Optional, Tuple, TypeVar

from playbooks.core import catalogue
from playbooks.core.cluster.objects import ClusterObjects
from playbooks.core.errors import PlaybookError
from playbooks.core.settings import Setting
from playbooks.deployment.apply import preflight, set_up
from playbooks.deployment.apply.orphaned_roles import remove_orphans_unless
from playbooks.deployment.apply.waiting import Sleep
from playbooks.deployment.engines import registry
from playbooks.deployment.engines.engine import IMAGE, Engine, Invocation
from playbooks.deployment.engines.reuse import reused, with_own_secret
from playbooks.deployment.errors import DeploymentError, UsageError, exit_code
from playbooks.deployment.files import deployed, playbook_file
from playbooks.deployment.files.playbook_file import PlaybookFile
from playbooks.deployment.nats.install import Installation, checked, install, printed
from playbooks.deployment.removal.client import Client, client_for
from playbooks.deployment.request import by_name
from playbooks.deployment.request.names import place_problems
from playbooks.deployment.request.options import Options
from playbooks.deployment.request.request import Request
from playbooks.deployment.terminal import documents, print_messages

T = TypeVar("T")

# Gives the cluster of a context of a kubeconfig: the current one, of the one that kubectl would
# take, where these are empty.
Connect = Callable[[str, str], ClusterObjects]


@dataclass(frozen=True)
class Tools:
    """What verbs work with."""

    environ: Mapping[str, str]
    connect: Connect
    sleep: Sleep = time.sleep
    client: Callable[[str, str], Client] = client_for

    def invocation(self, options: Options) -> Invocation:
        cluster = self.connect(options.context, options.kubeconfig)
        given = {"KUBECONFIG": options.kubeconfig} if options.kubeconfig else {}
        client = self.client(options.context, options.kubeconfig)
        return Invocation(options, {**self.environ, **given}, cluster, client, self.sleep)


class Chosen(NamedTuple):
    """One playbook to deploy, on the engine that serves it. ``file``: which says so, if any."""

    engine: Engine
    request: Request
    invocation: Invocation
    file: Optional[PlaybookFile]

    @property
    def name(self) -> str:
        return self.engine.named(self.request, self.invocation)

    def do(self, what: Callable[[Request, Invocation], T]) -> T:
        """``what``: of the engine. Errors name the line of the file that they are about."""
        with _located(self.file):
            return what(self.request, self.invocation)


def deploy(options: Options, tools: Tools) -> int:
    chosen = _chosen(options, tools)
    if options.show:
        for number, one in enumerate(chosen):
            if number:
                print("---")
            one.do(one.engine.show)
        return 0
    done: List[str] = []
    for one in chosen:
        try:
            code = one.do(one.engine.deploy)
        except PlaybookError as error:
            left = [each.name for each in chosen[len(done) :]]
            raise _half_way(error, "deployed", done, left) from error
        if code:
            return code
        done.append(one.name)
    return 0


def make_secrets(options: Options, tools: Tools) -> int:
    """Those that what -d prints refers to."""
    for one in _chosen(options, tools):
        one.do(one.engine.make_secrets)
    return 0


def diff(options: Options, tools: Tools) -> int:
    """1 says that something differs, so that an error is 2 or more, as kubectl diff has it."""
    try:
        chosen = _chosen(options, tools, aside=True)
        return max([one.do(one.engine.diff) for one in chosen])
    except PlaybookError as error:
        print_messages("error", str(error).splitlines())
        return max(exit_code(error), 2)


def set_the_cluster_up(options: Options, tools: Tools) -> int:
    if not options.with_nats:
        of_nats = (
            *(("--nats-image", options.nats_image), ("-i", options.own.get(IMAGE.name))),
            *(("-N", options.name), ("-e", options.values)),
        )
        problems = [f"{flag} is for --with-nats only" for flag, given in of_nats if given]
        if problems:
            raise UsageError(problems)
    invocation = tools.invocation(options)
    nats = None
    if options.with_nats:
        nats = Installation.of(options, invocation.cluster.current_namespace)
    if options.show:
        made, warnings = printed(nats, show_secrets=options.show_secrets) if nats else ([], [])
        print_messages("warning", warnings)
        print(documents([*set_up.manifests(), *made]), end="")
        return 0
    preflight.check_answers(invocation.cluster)
    if nats:
        nats = checked(invocation.cluster, nats, agreed=options.yes)
    set_up.set_up(invocation.cluster, sleep=invocation.sleep)
    remove_orphans_unless([], invocation.cluster)
    if nats:
        print("\n".join(install(invocation.cluster, nats, sleep=invocation.sleep)))
    return 0


def remove(options: Options, tools: Tools) -> int:
    """In the reverse order of a file's."""
    wanted = [each for each, _ in _wanted(options, tools)]
    both = options.release and options.leave_contained
    problems = ["--release and --leave-contained: which of them?"] if both else []
    for each in wanted:
        if not each.deployed_name:
            problems.append("what is to be removed? -p PLAYBOOK, or -N NAME as it was deployed")
            continue
        problems += place_problems(each.deployed_name, each.namespace)
    if problems:
        raise UsageError(problems)
    names = [each.function for each in reversed(wanted)]
    for done, each in enumerate(reversed(wanted)):
        try:
            registry.named(each.engine).remove(each.function, tools.invocation(each))
        except PlaybookError as error:
            raise _half_way(error, "removed", names[:done], names[done:]) from error
    return 0


def get(options: Options, tools: Tools, *, everywhere: bool) -> int:
    """Print the file of what is deployed."""
    invocation = tools.invocation(options)
    problems = place_problems(options.deployed_name, options.namespace)
    if problems:
        raise UsageError(problems)
    function = options.function if options.deployed_name else ""
    namespace = "" if everywhere else invocation.namespace
    preflight.check_cluster(invocation.cluster)
    found, notes = deployed.files(invocation.cluster, function, namespace)
    print_messages("note", notes)
    if not found:
        where = f"namespace {namespace}" if namespace else "the cluster"
        raise DeploymentError(f"there is no {function or 'playbook'} in {where}")
    print(documents(found, sort_keys=False), end="")
    return 0


def list_playbooks(options: Options, tools: Tools) -> int:  # noqa: ARG001
    """Every playbook, or the one that is named: what it does, and its settings; or why it cannot be
    used."""
    if options.playbook:
        by_name.load(options.playbook)
    names = [options.playbook] if options.playbook else catalogue.names()
    print("\n".join(map(_described, names)), end="")
    return 0


def _described(name: str) -> str:
    try:
        playbook = by_name.load(name)
    except UsageError as error:
        return "\n".join([name, *(f"    error: {problem}" for problem in error.problems)]) + "\n"
    lines = [name, f"    {catalogue.summary(name)}"]
    for setting in playbook.settings:
        lines += _lines(setting)
    return "\n".join(lines) + "\n"


def _lines(setting: Setting) -> Iterator[str]:
    value = "required" if setting.default is None else f"default {setting.default or '(empty)'}"
    yield f"    {setting.name}: {value}{', secret' if setting.secret else ''}"
    yield from textwrap.wrap(setting.help, 100, initial_indent=" " * 8, subsequent_indent=" " * 8)


def _wanted(options: Options, tools: Tools) -> List[Tuple[Options, Optional[PlaybookFile]]]:
    """What is typed, or each playbook of the files with what is typed."""
    if not options.described:
        return [(options, None)]
    files = playbook_file.read(options.described, tools.environ)
    typed = [
        flag
        for flag, given in (("-p", options.playbook), ("-N", options.name), ("-t", options.topics))
        if given
    ]
    if len(files) > 1 and typed:
        raise UsageError(
            [f"{', '.join(typed)}: which of the {len(files)} playbooks of -f is meant?"]
        )
    found = [(each.over(options), each) for each in files]
    _refuse_twice(found)
    return list(found)


def _refuse_twice(found: List[Tuple[Options, PlaybookFile]]) -> None:
    """Two of one name would be one, deployed twice."""
    first: Dict[Tuple[Optional[str], str], str] = {}
    problems = []
    for options, file in found:
        key = (options.namespace, options.function)
        if key in first:
            problems.append(f"{file.place}: {options.function} stands at {first[key]} already")
        first.setdefault(key, file.place)
    if problems:
        raise UsageError(problems)


def _chosen(options: Options, tools: Tools, *, aside: bool = False) -> List[Chosen]:
    """Everything is checked before anything is done. ``aside``: standard output is for what is
    asked for alone. Raises UsageError with all that is wrong."""
    found: List[Chosen] = []
    problems: List[str] = []
    for each, file in _wanted(options, tools):
        try:
            with _located(file):
                found.append(_one(tools.invocation(each), file, aside or options.show))
        except UsageError as error:
            problems += error.problems
    if problems:
        raise UsageError(problems)
    return found


def _one(invocation: Invocation, file: Optional[PlaybookFile], aside: bool) -> Chosen:
    """The engine, and what is wanted of it, with the deployed settings where they are to stay."""
    engine = registry.named(invocation.options.engine)
    if invocation.options.reuse:
        invocation = replace(invocation, options=reused(invocation, engine))
    if file:
        invocation = replace(invocation, options=with_own_secret(invocation))
    options = invocation.options
    wanted = registry.checked(options, engine, _in_plain(file, options, engine))
    print_messages("warning", wanted.warnings)
    if registry.is_auto(options.engine):
        chosen = registry.choose(invocation, aside=aside)
        # What is for kubernetes only means nothing to another engine.
        wanted = wanted if chosen is engine else registry.checked(options, chosen)
        engine = chosen
    return Chosen(engine, wanted, invocation, file)


def _in_plain(file: Optional[PlaybookFile], options: Options, engine: Engine) -> List[str]:
    playbook = by_name.find(options.playbook or "")
    if file is None or playbook is None:
        return []
    return file.secrets_in_plain(playbook.settings + engine.settings)


@contextmanager
def _located(file: Optional[PlaybookFile]) -> Iterator[None]:
    """Errors name the line of the file that they are about."""
    located: Callable[[str], str] = file.located if file else str
    try:
        yield
    except UsageError as error:
        raise UsageError([located(problem) for problem in error.problems]) from error
    except DeploymentError as error:
        error.args = ("\n".join(located(line) for line in str(error).splitlines()),)
        raise


def _half_way(error: PlaybookError, what: str, done: List[str], left: List[str]) -> PlaybookError:
    """The error, which says what became of the other playbooks of the files."""
    if len(done) + len(left) > 1:
        said = [f"{what}: {', '.join(done)}"] if done else []
        said.append(f"not {what}: {', '.join(left)}")
        error.args = ("\n".join([str(error), *said]),)
    return error
