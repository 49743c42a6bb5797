"""``python -m playbooks.deployment``: what ``deploy_playbook`` runs."""

from __future__ import annotations

import os
import sys
import time
from typing import Iterable, Mapping, Sequence

from playbooks.deployment import kubeless, preflight, request, taken_up, topics, yaml_output
from playbooks.deployment.command_line import Options, parse
from playbooks.deployment.deploy import deploy
from playbooks.deployment.errors import DeploymentError, UsageError
from playbooks.deployment.interruptions import Interruptions
from playbooks.deployment.kubectl import Kubectl
from playbooks.deployment.kubectl_process import KubectlProcess
from playbooks.deployment.kubeless import Objects
from playbooks.deployment.listing import listing
from playbooks.deployment.remove import remove
from playbooks.deployment.request import Request, name_problems, namespace_problems
from playbooks.deployment.sweep import sweep
from playbooks.deployment.waiting import Sleep


def main(
    arguments: Sequence[str],
    environ: Mapping[str, str],
    kubectl: Kubectl,
    *,
    sleep: Sleep = time.sleep,
) -> int:
    """The exit code: 0, 2 for what was typed wrong, 1 for a failure, 128 and more for a signal."""
    try:
        return _run(parse(arguments), environ, kubectl, sleep)
    except DeploymentError as error:
        _tell("error", str(error).splitlines())
        return error.exit_code
    except KeyboardInterrupt:
        _tell("error", ["interrupted"])
        return 130


def _run(options: Options, environ: Mapping[str, str], kubectl: Kubectl, sleep: Sleep) -> int:
    if options.list:
        print(listing(), end="")
        return 0
    if options.remove:
        return _remove(options, kubectl, sleep)
    wanted = request.check(options)
    if options.engine == "local":
        return _local(options, wanted, environ)
    problems = kubeless.problems(wanted)
    if problems:
        raise UsageError(problems)
    _tell("warning", topics.warnings(wanted.topics))
    caller = environ.get("KUBELESS_NAMESPACE", kubeless.CALLER)
    namespace = _namespace(options, kubectl, cluster=not options.show)
    objects = kubeless.objects(wanted, namespace, caller)
    if options.show:
        return _show(wanted, objects)
    preflight.check_cluster(kubectl)
    preflight.check_references(kubectl, wanted, namespace)
    _tell("warning", preflight.warnings(kubectl, caller))
    return _deploy(objects, kubectl, sleep)


def _show(wanted: Request, objects: Objects) -> int:
    if wanted.secrets:
        hidden = ", ".join(wanted.secrets)
        _tell("warning", [f"whoever reads this output has {hidden}: it is in the Secret"])
    print(yaml_output.documents(objects.in_order), end="")
    return 0


def _deploy(objects: Objects, kubectl: Kubectl, sleep: Sleep) -> int:
    with Interruptions() as interruptions:
        deployed = deploy(kubectl, objects, check=interruptions.check, sleep=sleep)
    for verb, shown in deployed.report:
        print(f"{verb:<10}{shown}")
    _sweep_unless(deployed.warnings, kubectl)
    ours = [objects.function, *objects.triggers]
    _tell("warning", taken_up.warnings(kubectl, ours, sleep=sleep))
    print("\n".join(kubeless.hints(objects)))
    return 0


def _remove(options: Options, kubectl: Kubectl, sleep: Sleep) -> int:
    name = options.name or options.playbook
    if not name:
        raise UsageError(["what is to be removed? -p PLAYBOOK, or -N NAME as it was deployed"])
    if options.engine == "local":
        raise UsageError(["-E local leaves nothing that -x could remove"])
    problems = name_problems(name)
    if problems:
        raise UsageError(problems)
    namespace = _namespace(options, kubectl, cluster=True)
    preflight.check_cluster(kubectl)
    removed, warnings = remove(kubectl, f"falco-{name}", namespace, sleep=sleep)
    for shown in removed:
        print(f"{'removed':<10}{shown}")
    if not removed:
        print(f"nothing of falco-{name} was in namespace {namespace}")
    _sweep_unless(warnings, kubectl)
    return 0


def _local(options: Options, wanted: Request, environ: Mapping[str, str]) -> int:
    if wanted.references:
        raise UsageError(["-s needs a cluster with Kubeless: -E local takes -e NAME=@FILE"])
    if options.show:
        raise UsageError(["-E local has no objects that -d could print"])
    _tell("warning", topics.warnings(wanted.topics))
    # Only here: it wants packages that deploying to a cluster does not.
    from playbooks.engines import local
    from playbooks.infrastructure.kubernetes_cluster import KubernetesCluster

    return local.main(
        wanted.playbook.name,
        wanted.topics,
        {**environ, **wanted.values},
        source=options.files,
        http_port=options.http_port,
        cluster=KubernetesCluster,
    )


def _namespace(options: Options, kubectl: Kubectl, *, cluster: bool) -> str:
    if options.namespace is not None and namespace_problems(options.namespace):
        raise UsageError(namespace_problems(options.namespace))
    if cluster:
        preflight.check_kubectl()
    return options.namespace or kubectl.current_namespace()


def _sweep_unless(warnings: Sequence[str], kubectl: Kubectl) -> None:
    """Remove what functions left behind, unless it is known already that one may not look."""
    removed, more = ([], []) if warnings else sweep(kubectl)
    for shown in removed:
        print(f"{'swept':<10}{shown}, whose function is gone")
    _tell("warning", [*warnings, *more])


def _tell(kind: str, lines: Iterable[str]) -> None:
    for line in lines:
        print(f"deploy_playbook: {kind}: {line}", file=sys.stderr)


if __name__ == "__main__":
    try:
        sys.exit(main(sys.argv[1:], os.environ, KubectlProcess()))
    except BrokenPipeError:
        # Whoever read the output, such as `head`, has had enough of it.
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
