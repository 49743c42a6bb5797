"""The file of what is deployed: ``-f`` takes it, and deploys the same."""

from __future__ import annotations

from typing import Any, Dict, Iterator, List, Mapping, Tuple

from playbooks.core.cluster.manifest import Manifest, identity, is_function_name, name_of
from playbooks.core.cluster.objects import ClusterObjects
from playbooks.core.containment.note import UNREADABLE
from playbooks.core.errors import PlaybookError
from playbooks.core.playbook import Playbook
from playbooks.core.settings import Setting
from playbooks.deployment.apply.confirmation import without_password
from playbooks.deployment.engines import registry, reuse
from playbooks.deployment.files.playbook_file import key_of
from playbooks.deployment.manifests import record
from playbooks.deployment.manifests.crds import FUNCTIONS
from playbooks.deployment.request import by_name, worker_settings
from playbooks.deployment.request.assignments import Given, Reference


def files(
    cluster: ClusterObjects, function: str, namespace: str
) -> Tuple[List[Manifest], List[str]]:
    """The documents of one function, or of all where it is empty; in one namespace, or in all. And
    what their reader has to know."""
    documents: List[Manifest] = []
    notes: List[str] = []
    for each in sorted(cluster.list(FUNCTIONS, namespace=namespace), key=identity):
        _, place, name = identity(each)
        if (function and name != function) or not is_function_name(name):
            continue
        playbook = by_name.find(record.playbook_of(each))
        if playbook is None:
            notes.append(f"Function {place}/{name} is of no playbook here and left out")
            continue
        try:
            documents.append(_document(cluster, each, playbook, notes))
        except (PlaybookError, *UNREADABLE) as error:
            said = f"{type(error).__name__}: {error}"
            notes.append(f"Function {place}/{name} cannot be read, and is left out: {said}")
    return documents, [*notes, *_elsewhere(cluster, function, namespace)]


def _elsewhere(cluster: ClusterObjects, function: str, namespace: str) -> Iterator[str]:
    """Functions to which alerts are pushed: their engine has their topics and secrets."""
    try:
        pushed = record.pushed(cluster, namespace)
    except PlaybookError as error:
        yield f"functions to which alerts are pushed cannot be listed: {error}"
        return
    for each in pushed:
        _, place, name = identity(each)
        if function in ("", name):
            engine = record.engine_of(each)
            yield f"{place}/{name} is left out: its engine, {engine}, has what is deployed"


def _document(
    cluster: ClusterObjects, function: Manifest, playbook: Playbook, notes: List[str]
) -> Manifest:
    _, namespace, name = identity(function)
    deployment = cluster.find("apps/v1", "Deployment", name, namespace)
    beside = {identity(deployment): deployment} if deployment else {}
    engine = registry.made(beside)
    runtime = reuse.runtime(function, engine)
    written: Dict[str, Any] = {
        "playbook": record.playbook_of(function),
        "name": name_of(name),
        "namespace": namespace,
        "engine": engine.name,
        **({"runtime": runtime} if runtime else {}),
        "topics": reuse.topics(cluster, name, namespace),
    }
    settings = playbook.settings + engine.settings
    given = record.given(function, settings)
    secret = {setting.name: setting for setting in settings if setting.secret}
    texts = {each.name: _written(each, secret) for each in given}
    if texts:
        written["settings"] = texts
    notes += [f"{namespace}/{name}: {note}" for each in given for note in _notes(each, name, texts)]
    keys = {option.name: key_of(option) for option in engine.options}
    for option, value in engine.deployed_options(beside).items():
        written[keys[option]] = value
    return written


def _written(given: Given, secret: Mapping[str, Setting]) -> Any:
    """No text that may be a secret."""
    if isinstance(given, Reference):
        return {"secretKeyRef": {"name": given.secret, "key": given.key}}
    setting = secret.get(given.name)
    hidden = setting is not None and not worker_settings.is_path(setting, given.text)
    if hidden or without_password(given.text) != given.text:
        return {"env": given.name}
    return given.text


def _notes(given: Given, function: str, texts: Mapping[str, Any]) -> Iterator[str]:
    if isinstance(given, Reference) and given.secret == function:
        yield (
            f"{given.name} is in Secret {function}, which deploy_playbook made; in another cluster"
            " or namespace, refer to a Secret that is there"
        )
    if texts[given.name] == {"env": given.name}:
        yield f"{given.name} holds a secret as plain text: export it before this file is deployed"
