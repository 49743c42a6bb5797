"""A file of playbooks: one a document, each with what the options of the command line say.

::

    playbook: delete          # or a file of yours, beside this one: ./quarantine.py
    name: shop                # -N; default: the playbook
    namespace: responders     # -n
    engine: kubernetes        # -E
    topics:                   # -t
    - falco.critical.*
    settings:                 # -e and -s
      NAMESPACES: shop
      DRY_RUN: false
      SLACK_WEBHOOK_URL:
        secretKeyRef: {name: slack, key: url}
      NATS_PASSWORD: {env: NATS_PASSWORD}
      NATS_CA: {file: ca.pem} # beside this file
    replicas: 2               # -R, as every option of an engine: its long name
    patch:                    # -P, or the path of its file
      spec: {priorityClassName: system-cluster-critical}

A secret setting is a reference: a key of a Secret, a file, or a variable of the environment of
``deploy_playbook``.
"""

from __future__ import annotations

from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any, Dict, List, Mapping, Optional, Sequence, Tuple

import yaml

from playbooks.core.settings import Setting
from playbooks.deployment.engines import registry
from playbooks.deployment.engines.engine import Option
from playbooks.deployment.errors import UsageError
from playbooks.deployment.files.yaml_reader import STANDARD_INPUT, Reader
from playbooks.deployment.request import assignments, by_name, worker_settings
from playbooks.deployment.request.assignments import Given, Value
from playbooks.deployment.request.options import Options, only_given

# Keys that hold one text, and the option of each.
_TEXTS = {"playbook": "-p", "name": "-N", "namespace": "-n", "engine": "-E", "runtime": "-r"}

_SECRET = "secretKeyRef"
_KINDS = (_SECRET, "file", "env")


@dataclass(frozen=True)
class PlaybookFile:
    """One playbook of a file. ``options``: what it says. ``place``: FILE:LINE of its document.

    ``places``: FILE:LINE by what stands there, as messages begin: a setting, ``topic 'x'``, a
    quoted name, the short option of a key. ``plain``: the settings whose text stands in the file
    itself.
    """

    options: Options
    place: str
    places: Mapping[str, str] = field(default_factory=dict)
    plain: Tuple[str, ...] = ()

    def over(self, typed: Options) -> Options:
        """The same with what is typed on the command line, which wins."""
        own = self.options
        return replace(
            typed,
            playbook=typed.playbook or own.playbook,
            name=typed.name or own.name,
            namespace=typed.namespace if typed.namespace is not None else own.namespace,
            engine=typed.engine or own.engine,
            runtime=typed.runtime or own.runtime,
            topics=typed.topics or own.topics,
            kept=own.kept,
            own={**own.own, **typed.own},
        )

    def located(self, problem: str) -> str:
        """The problem after the place of what it is about, where that stands in the file."""
        of = [what for what in self.places if _begins(problem.partition("-s ")[2] or problem, what)]
        if not of:
            return problem
        what = max(of, key=len)
        words = problem.replace(what, _keys().get(what, what), 1)
        return f"{self.places[what]}: {words}"

    def secrets_in_plain(self, settings: Sequence[Setting]) -> List[str]:
        """A file lies in repositories and backups, where no secret does."""
        texts = {each.name: each.text for each in self.options.kept if isinstance(each, Value)}
        return [
            f"{s.name} is secret, and stands here as text: expected secretKeyRef: {{name: SECRET,"
            " key: KEY}, file: PATH or env: VARIABLE"
            for s in settings
            if s.secret and s.name in self.plain and not worker_settings.is_path(s, texts[s.name])
        ]


def read(paths: Sequence[str], environ: Mapping[str, str]) -> List[PlaybookFile]:
    """All playbooks of the files, in order. Raises UsageError with everything that is wrong."""
    found: List[PlaybookFile] = []
    problems: List[str] = []
    for path in paths:
        reader = Reader(path)
        documents = reader.documents()
        found += [_read(reader, node, environ) for node in documents]
        problems += reader.problems or ([] if documents else [f"-f: {path!r} has no playbook"])
    if problems:
        raise UsageError(problems)
    return found


def key_of(option: Option) -> str:
    """An option's key in a file; empty for what is no option of a deployment."""
    if option.typed:
        return ""
    return next((flag[2:] for flag in option.flags if flag.startswith("--")), "")


def _keys() -> Dict[str, str]:
    """By short option."""
    own = {option.flags[0]: key_of(option) for option in registry.own_options() if option.flags}
    return {**own, **{option: key for key, option in _TEXTS.items()}}


def _read(reader: Reader, node: yaml.Node, environ: Mapping[str, str]) -> PlaybookFile:
    own_options = {key_of(option): option for option in registry.own_options() if key_of(option)}
    known = (*_TEXTS, "topics", "settings", *own_options)
    fields = reader.mapping(node, "the file", known)
    places = {_TEXTS.get(key, key): reader.place(value) for key, value in fields.items()}
    texts = {key: reader.text(fields[key], key) for key in _TEXTS if key in fields}
    # As messages begin that are about them.
    named = {
        repr(texts[key]): reader.place(fields[key]) for key in ("name", "namespace") if key in texts
    }
    places.update(named)
    if "playbook" in fields:
        places[f"there is no playbook {texts['playbook']!r}"] = reader.place(fields["playbook"])
    if "runtime" in fields:
        places["runtime"] = reader.place(fields["runtime"])
    topics = reader.texts(fields["topics"], "topics") if "topics" in fields else []
    places.update({f"topic {topic!r}": reader.place(item) for topic, item in topics})
    engine = texts.pop("engine", None) or registry.AUTO
    if engine != registry.AUTO and engine not in registry.known():
        names = ", ".join([registry.AUTO, *registry.known()])
        reader.problem(fields["engine"], f"engine is {engine!r}, expected one of {names}")
    settings = reader.mapping(fields["settings"], "settings") if "settings" in fields else {}
    places.update({name: reader.place(value) for name, value in settings.items()})
    given = [_setting(reader, name, value, environ) for name, value in settings.items()]
    own: Dict[str, Any] = {}
    for key, option in own_options.items():
        if key in fields:
            places[option.flags[0]] = reader.place(fields[key])
            own[option.name] = _own(reader, key, option, fields[key])
    return PlaybookFile(
        Options(
            topics=tuple(topic for topic, _ in topics),
            engine=engine,
            kept=tuple(each for each in given if each is not None),
            own=only_given(own),
            playbook=_playbook(reader, fields.get("playbook")),
            name=texts.get("name"),
            namespace=texts.get("namespace"),
            runtime=texts.get("runtime"),
        ),
        reader.place(node),
        places,
        tuple(n for n, value in settings.items() if isinstance(value, yaml.ScalarNode)),
    )


def _playbook(reader: Reader, node: Optional[yaml.Node]) -> Optional[str]:
    """None where there is none, or after a problem."""
    text = reader.text(node, "playbook") if node else None
    if text is None or node is None:
        return None
    try:
        return by_name.named(text, _beside(reader.path, ""))
    except UsageError as error:
        for problem in error.problems:
            reader.problem(node, problem)
        return None


def _own(reader: Reader, key: str, option: Option, node: yaml.Node) -> Any:
    """The value of an engine's option; None after a problem."""
    if option.parts and isinstance(node, yaml.MappingNode):
        return reader.value(node)
    text = reader.text(node, key)
    if text is None:
        return None
    if not option.metavar:
        if text not in ("true", "false"):
            reader.problem(node, f"{key} is {text!r}, expected true or false")
        return text == "true"
    try:
        value = option.kind(text)
    except ValueError as error:
        expected = "a whole number" if option.kind is int else str(error)
        reader.problem(node, f"{key} is {text!r}, expected {expected}")
        return None
    return str(_beside(reader.path, text)) if option.parts else value


def _setting(
    reader: Reader, name: str, node: yaml.Node, environ: Mapping[str, str]
) -> Optional[Given]:
    """None after a problem."""
    try:
        if not isinstance(node, yaml.MappingNode):
            text = reader.text(node, name)
            return None if text is None else assignments.plain_value(name, text)
        return _referred(reader, name, node, environ)
    except ValueError as error:
        reader.problem(node, str(error))
        return None


def _referred(
    reader: Reader, name: str, node: yaml.Node, environ: Mapping[str, str]
) -> Optional[Given]:
    """Raises ValueError."""
    kinds = reader.mapping(node, name, _KINDS)
    if len(kinds) != 1:
        if len(node.value) == len(kinds):
            reader.problem(node, f"{name} expects one of {', '.join(_KINDS)}")
        return None
    ((kind, value),) = kinds.items()
    if kind == _SECRET:
        parts = reader.mapping(value, f"{name}.{_SECRET}", ("name", "key"))
        texts = [reader.text(parts[p], f"{name}.{_SECRET}.{p}") for p in parts]
        if None in texts or len(parts) != len(value.value):
            return None
        missing = [part for part in ("name", "key") if part not in parts]
        if missing:
            reader.problem(value, f"{name}.{_SECRET} has no {' and no '.join(missing)}")
            return None
        return assignments.reference(f"{name}={parts['name'].value}/{parts['key'].value}")
    text = reader.text(value, f"{name}.{kind}")
    if text is None:
        return None
    if kind == "file":
        return assignments.value(f"{name}=@{_beside(reader.path, text)}")
    found: Optional[str] = environ.get(text)
    if found is None:
        reader.problem(value, f"{name}: there is no variable {text} in the environment")
        return None
    return assignments.plain_value(name, found)


def _beside(path: str, name: str) -> Path:
    """Relative to the file that names it, so that it may be deployed from anywhere."""
    return Path(name) if path == STANDARD_INPUT else Path(path).parent / name


def _begins(problem: str, what: str) -> bool:
    """Whether a message is about something that it names first, or after its first words."""
    for lead in ("", "there is no setting ", "-e "):
        rest = problem[len(lead) :]
        if problem.startswith(f"{lead}{what}") and not rest[len(what) :][:1].isalnum():
            return not rest[len(what) :].startswith("_")
    return False
