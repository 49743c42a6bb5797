"""Deploying to a cluster, by Kubeless or by a worker of ours: asked for, or chosen."""

from __future__ import annotations

from dataclasses import replace
from typing import List, Mapping

from playbooks.deployment import controllers, taken_up, terminal
from playbooks.deployment.apply import preflight, rollout, set_up
from playbooks.deployment.apply.deploy import deploy as deploy_objects
from playbooks.deployment.apply.orphaned_roles import sweep_unless
from playbooks.deployment.apply.steps import Objects
from playbooks.deployment.apply.waiting import Interruptions, Sleep
from playbooks.deployment.command_line import Options
from playbooks.deployment.engines import engine as engines
from playbooks.deployment.engines import existing, kubeless, kubernetes
from playbooks.deployment.errors import UsageError
from playbooks.deployment.kubectl import Kubectl
from playbooks.deployment.request import request
from playbooks.deployment.request.request import Request, namespace_problems
from playbooks.deployment.supervision import Supervision
from playbooks.deployment.terminal import done, tell


def deploy(
    options: Options,
    wanted: Request,
    environ: Mapping[str, str],
    kubectl: Kubectl,
    sleep: Sleep,
) -> int:
    """The exit code."""
    if options.engine == "kubeless":
        _refuse(_kubeless_problems(options, wanted))
    else:
        _refuse(kubernetes.problems(wanted, options))
    tell("warning", wanted.warnings)
    caller = environ.get("KUBELESS_NAMESPACE", kubeless.CALLER)
    place = namespace(options, kubectl, cluster=not options.show)
    if not options.show:
        preflight.check_answers(kubectl)
    engine = _engine(options, kubectl, caller)
    if engine == "kubernetes":
        return _kubernetes(options, wanted, place, caller, kubectl, sleep)
    if options.engine == "auto":
        # What its worker would be told means nothing to Kubeless.
        wanted = request.check(replace(options, engine=engine))
        _refuse(_kubeless_problems(options, wanted))
    return _kubeless(options, wanted, place, caller, kubectl, sleep)


def namespace(options: Options, kubectl: Kubectl, *, cluster: bool) -> str:
    """The one that was given, or the kubeconfig's."""
    if options.namespace is not None:
        _refuse(namespace_problems(options.namespace))
    if cluster:
        preflight.check_kubectl()
    return options.namespace or kubectl.current_namespace()


def _engine(options: Options, kubectl: Kubectl, caller: str) -> str:
    if options.engine != "auto":
        return options.engine
    if options.show:
        engine = engines.choose_without_change(kubectl, caller)
        tell("engine", [f"{engine.name}: {engine.why}"])
    else:
        engine = engines.choose(kubectl, caller)
        print(f"{'engine':<10}{engine.name}: {engine.why}", flush=True)
    return engine.name


def _kubeless_problems(options: Options, wanted: Request) -> List[str]:
    only = {"-i": options.image, "-R": options.replicas, "-P": options.patch}
    given = [flag for flag, value in only.items() if value is not None]
    return kubeless.problems(wanted) + [f"{flag} is for -E kubernetes only" for flag in given]


def _refuse(problems: List[str]) -> None:
    if problems:
        raise UsageError(problems)


def _kubeless(
    options: Options,
    wanted: Request,
    place: str,
    caller: str,
    kubectl: Kubectl,
    sleep: Sleep,
) -> int:
    objects = kubeless.objects(wanted, place, caller)
    if options.show:
        return _show(wanted, objects)
    preflight.check_cluster(kubectl)
    preflight.check_references(kubectl, wanted, place)
    tell("warning", preflight.warnings(kubectl, caller))
    with Interruptions() as interruptions:
        deployed = deploy_objects(kubectl, objects, check=interruptions.check, sleep=sleep)
    done(deployed.report)
    sweep_unless(deployed.warnings, kubectl)
    ours = [objects.function, *objects.triggers]
    tell("warning", taken_up.warnings(kubectl, ours, sleep=sleep))
    print("\n".join(kubeless.hints(objects)))
    return 0


def _kubernetes(
    options: Options,
    wanted: Request,
    place: str,
    caller: str,
    kubectl: Kubectl,
    sleep: Sleep,
) -> int:
    pods = kubernetes.pods(options)
    if options.show:
        tell("warning", kubernetes.warnings_of_printing(wanted))
        return _show(wanted, kubernetes.objects(wanted, place, pods, existing.Surroundings()))
    controllers.refuse_ready(kubectl, caller)
    texts = preflight.check_references(kubectl, wanted, place)
    around = existing.look(kubectl, wanted.function, place, texts)
    objects = kubernetes.objects(wanted, place, pods, around)
    done(set_up.complete(kubectl, sleep=sleep))
    with Interruptions() as interruptions:
        supervision = Supervision(
            kubectl,
            objects,
            tell=lambda line: done([("waiting", line)]),
            check=interruptions.check,
            sleep=sleep,
        )
        deployed = deploy_objects(
            kubectl,
            objects,
            check=interruptions.check,
            sleep=sleep,
            onlooker=supervision,
            said=lambda verb, shown: done([(verb, shown)]),
        )
    sweep_unless(deployed.warnings, kubectl)
    tell("warning", rollout.warnings(kubectl, supervision.deployment))
    print("\n".join(kubernetes.hints(objects)))
    return 0


def _show(wanted: Request, objects: Objects) -> int:
    if wanted.secrets:
        hidden = ", ".join(wanted.secrets)
        tell("warning", [f"whoever reads this output has {hidden}: it is in the Secret"])
    print(terminal.documents(objects.in_order), end="")
    return 0
