"""Which engines there are, and which one serves a playbook."""

from __future__ import annotations

from functools import lru_cache
from importlib import import_module
from pkgutil import iter_modules
from typing import Dict, List, Mapping, Sequence

from playbooks.core.cluster.manifest import Identity, Manifest
from playbooks.core.errors import NotPermitted, PlaybookError
from playbooks.deployment import engines
from playbooks.deployment.apply import preflight
from playbooks.deployment.engines import kubeless, kubernetes
from playbooks.deployment.engines.cluster_engine import ClusterEngine
from playbooks.deployment.engines.engine import Engine, Invocation, Option
from playbooks.deployment.errors import UsageError
from playbooks.deployment.request.options import Options
from playbooks.deployment.request.request import Request, read
from playbooks.deployment.terminal import print_messages, print_step

AUTO = "auto"


@lru_cache(maxsize=None)
def known() -> Dict[str, Engine]:
    """By name, sorted: every module of this folder that has an ENGINE."""
    names = [module.name for module in iter_modules(engines.__path__)]
    modules = [import_module(f"{engines.__name__}.{name}") for name in names]
    found: List[Engine] = [module.ENGINE for module in modules if hasattr(module, "ENGINE")]
    return {engine.name: engine for engine in sorted(found, key=lambda engine: engine.name)}


def own_options() -> List[Option]:
    """Those that only some engines take; engines may share one."""
    return list(dict.fromkeys(option for each in known().values() for option in each.options))


def places() -> List[str]:
    """The names of those that say where a function is."""
    return [option.name for each in known().values() for option in each.places]


def named(name: str) -> Engine:
    """For AUTO the one that may be chosen and takes most of what can be typed."""
    return kubernetes.ENGINE if is_auto(name) else known()[name]


def is_auto(name: str) -> bool:
    """Also where none is typed."""
    return name in ("", AUTO)


def made(deployed: Mapping[Identity, Manifest]) -> ClusterEngine:
    """The engine that serves a Function with these objects beside it."""
    return next((each for each in _clustered() if each.serves(deployed)), kubeless.ENGINE)


def _clustered() -> List[ClusterEngine]:
    """Those whose functions are Functions."""
    return [each for each in known().values() if isinstance(each, ClusterEngine)]


def checked(options: Options, engine: Engine, also: Sequence[str] = ()) -> Request:
    """Raises UsageError with everything that is wrong, and with what is ``also``."""
    request, problems = read(options, engine.settings)
    problems += _misplaced(options, engine)
    if request:
        problems += engine.problems(request, options)
    problems += also
    if problems or request is None:
        raise UsageError(problems)
    return request


def choose(invocation: Invocation, *, aside: bool) -> Engine:
    """For AUTO: kubeless where its controller is ready, else kubernetes. Prints which one and why,
    on standard error where that is ``aside``.

    Where objects are only printed it needs no cluster; else it raises DeploymentError without one.
    """
    namespace = kubeless.controller_namespace(invocation.environ)
    engine: Engine = kubernetes.ENGINE
    if not invocation.options.show:
        preflight.check_answers(invocation.cluster)
    try:
        deployment = kubeless.ready_controller(invocation.cluster, namespace)
    except NotPermitted as error:
        why = f"Kubeless' controller cannot be looked for: {_first(error)}"
    except PlaybookError as error:
        if not invocation.options.show:
            raise
        why = f"no cluster says otherwise: {_first(error)}"
    else:
        why = "no Deployment of Kubeless' controller is ready in this cluster"
        if deployment:
            engine, why = kubeless.ENGINE, f"{deployment} is ready"
    if invocation.options.runtime and not engine.runtimes:
        raise UsageError([f"-r is for -E kubeless only, and {why}"])
    if aside:
        print_messages("engine", [f"{engine.name}: {why}"])
    else:
        print_step("engine", f"{engine.name}: {why}")
    return engine


def _misplaced(options: Options, engine: Engine) -> List[str]:
    """Options that were given and that this engine does not take."""
    # For AUTO it depends on what is chosen.
    runtime = options.runtime and not engine.runtimes and not is_auto(options.engine)
    found = [_only("-r", [kubeless.ENGINE])] * bool(runtime)
    if options.granted and not isinstance(engine, ClusterEngine):
        found.append(_only("--granted", _clustered()))
    return found + [
        _only(option.flags[0] if option.flags else " ".join(options.own[option.name]), takers)
        for option, takers in _takers().items()
        if option.name in options.own and option not in engine.options
    ]


def _takers() -> Dict[Option, List[Engine]]:
    """Of each option that only some engines take, those engines."""
    engines = known().values()
    return {option: [e for e in engines if option in e.options] for option in own_options()}


def _only(what: str, takers: Sequence[Engine]) -> str:
    return f"{what} is for -E {' and -E '.join(each.name for each in takers)} only"


def _first(error: PlaybookError) -> str:
    return str(error).splitlines()[0]
