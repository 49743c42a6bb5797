"""``falco-playbook permissions``: what a function of a playbook may do in the cluster, to apply."""

from __future__ import annotations

import functools
from typing import Any, Callable, Dict, List, Tuple, TypeVar, cast

import click

from playbooks.commands import tell
from playbooks.commands.options import Selection, Session, command, selects
from playbooks.core import catalogue
from playbooks.deployment.engines import kubernetes, registry
from playbooks.deployment.engines.engine import Invocation, Option
from playbooks.deployment.errors import UsageError
from playbooks.deployment.manifests import rbac
from playbooks.deployment.request import by_name
from playbooks.deployment.request.options import Options
from playbooks.deployment.request.request import read
from playbooks.deployment.request.settings import is_missing
from playbooks.deployment.terminal import documents

# Who has the first may exec in all pods where it is bound, and write all ConfigMaps.
_BINDING = (
    f"where playbooks are:  kubectl create rolebinding NAME --clusterrole={rbac.OPERATOR_ROLE}"
    " --group=GROUP -n NAMESPACE",
    f"in the whole cluster: kubectl create clusterrolebinding NAME --clusterrole={rbac.UNDO_ROLE}"
    " --group=GROUP",
)

F = TypeVar("F", bound=Callable[..., Any])

# What a function is called for decides nothing here.
_TOPIC = "falco.>"


def _identities() -> List[Option]:
    """The options of all engines that say who a function is."""
    found = (option for engine in registry.known().values() for option in engine.identity)
    return list(dict.fromkeys(found))


def _identified(command: F) -> F:
    """Gives a command the values of these options as ``identity``, by name."""
    options = _identities()

    @functools.wraps(command)
    def identified(*given: Any, **others: Any) -> Any:
        typed = {option.name: others.pop(option.name) for option in options}
        identity = {name: value for name, value in typed.items() if value is not None}
        return command(*given, identity=identity, **others)

    decorated: Any = identified
    for option in reversed(options):
        named = [*option.flags, option.name]
        decorated = click.option(
            *named, metavar=option.metavar, type=option.kind, help=f"{option.help}."
        )(decorated)
    return cast(F, decorated)


@command(
    "permissions -p delete -n responders",
    "permissions -p delete -E gcf --account EMAIL",
    "permissions --operator",
)
@selects
@click.option(
    "-E",
    "--engine",
    type=click.Choice(list(registry.known())),
    metavar="ENGINE",
    default=kubernetes.ENGINE.name,
    show_default=True,
    help=f"What calls it, which decides who the function is: {', '.join(registry.known())}.",
)
@click.option(
    "-e",
    "--env",
    "values",
    metavar="NAME=VALUE",
    multiple=True,
    help="A setting that decides rights, such as NAMESPACES=shop. Again for more.",
)
@_identified
@click.option(
    "--operator",
    is_flag=True,
    help="Instead: what people need who operate playbooks, for all or that of -p.",
)
def permissions(
    session: Session,
    which: Selection,
    engine: str,
    values: Tuple[str, ...],
    identity: Dict[str, Any],
    operator: bool,
) -> int:
    """Print the rights that a playbook needs, and no more, for kubectl apply.

    They are bound to who its function is on this engine. Nothing is changed, and no cluster asked.

    --operator prints two ClusterRoles, which nobody has until you bind them.
    """
    if operator:
        which.check(*_not_for_operators(which, values, identity), required=False)
        playbooks = [by_name.load(which.playbook)] if which.playbook else catalogue.containing()
        print(documents(rbac.operator_roles(playbooks)), end="")
        tell("", _BINDING)
        return 0
    chosen = registry.known()[engine]
    options = Options(
        playbook=which.playbook or None,
        values=values,
        topics=(_TOPIC,),
        namespace=which.namespace,
        name=which.name or None,
        engine=engine,
        own=identity,
    )
    request, problems = read(options, chosen.settings)
    problems = [problem for problem in problems if not is_missing(problem)]
    problems += [
        f"{option.flags[0]} is not for -E {engine}"
        for option in _identities()
        if option.name in identity and option not in chosen.identity
    ]
    if problems or request is None:
        raise UsageError(problems)
    if not request.playbook.permissions:
        tell("", [f"{request.playbook.name} needs no rights in a cluster"])
        return 0
    invocation = Invocation(options, {}, session.cluster, session.client())
    print(documents(chosen.rights(request, invocation)), end="")
    return 0


def _not_for_operators(
    which: Selection, values: Tuple[str, ...], identity: Dict[str, Any]
) -> List[str]:
    given = {"-N": which.name, "-n": which.namespace, "-e": values}
    given.update({each.flags[0]: identity.get(each.name) for each in _identities()})
    return [f"{flag} is not for --operator" for flag, value in given.items() if value]
