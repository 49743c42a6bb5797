"""``python -m playbooks.deployment``: what ``deploy_playbook`` runs."""

from __future__ import annotations

import os
import sys
import time
from typing import Mapping, Sequence

from playbooks.deployment import on_cluster, terminal
from playbooks.deployment.apply import preflight, set_up
from playbooks.deployment.apply.orphaned_roles import sweep_unless
from playbooks.deployment.apply.remove import remove
from playbooks.deployment.apply.waiting import Sleep
from playbooks.deployment.command_line import Options, parse
from playbooks.deployment.errors import DeploymentError, UsageError
from playbooks.deployment.kubectl import Kubectl
from playbooks.deployment.kubectl_process import KubectlProcess
from playbooks.deployment.request import request
from playbooks.deployment.request.request import Request, name_problems, namespace_problems
from playbooks.deployment.tables import listing
from playbooks.deployment.terminal import done, tell
from playbooks.infrastructure import this_pod


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
        tell("error", str(error).splitlines())
        return error.exit_code
    except KeyboardInterrupt:
        tell("error", ["interrupted"])
        return 130


def _run(options: Options, environ: Mapping[str, str], kubectl: Kubectl, sleep: Sleep) -> int:
    if options.list:
        print(listing(), end="")
        return 0
    if options.set_up:
        return _set_up(options, kubectl, sleep)
    if options.remove:
        return _remove(options, kubectl, sleep)
    wanted = request.check(options)
    if options.engine == "local":
        return _local(options, wanted, environ)
    return on_cluster.deploy(options, wanted, environ, kubectl, sleep)


def _set_up(options: Options, kubectl: Kubectl, sleep: Sleep) -> int:
    if options.show:
        print(terminal.documents(set_up.manifests()), end="")
        return 0
    preflight.check_kubectl()
    preflight.check_answers(kubectl)
    done(set_up.set_up(kubectl, sleep=sleep))
    sweep_unless([], kubectl)
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
    namespace = on_cluster.namespace(options, kubectl, cluster=True)
    preflight.check_cluster(kubectl)
    removed, warnings = remove(kubectl, f"falco-{name}", namespace, sleep=sleep)
    done(("removed", shown) for shown in removed)
    if not removed:
        print(f"nothing of falco-{name} was in namespace {namespace}")
    sweep_unless(warnings, kubectl)
    return 0


def _local(options: Options, wanted: Request, environ: Mapping[str, str]) -> int:
    if wanted.references:
        raise UsageError(["-s needs a cluster: -E local takes -e NAME=@FILE"])
    if options.namespace is not None and namespace_problems(options.namespace):
        raise UsageError(namespace_problems(options.namespace))
    if options.show:
        raise UsageError(["-E local has no objects that -d could print"])
    tell("warning", wanted.warnings)
    place = {} if options.namespace is None else {this_pod.NAMESPACE_VARIABLE: options.namespace}
    # Only here: it wants packages that deploying to a cluster does not.
    from playbooks.engines import local
    from playbooks.infrastructure.kubernetes.cluster import KubernetesCluster

    return local.main(
        wanted.playbook.name,
        wanted.topics,
        {**environ, **wanted.values, **place},
        source=options.files,
        http_port=options.http_port,
        cluster=KubernetesCluster,
        reasons=options.reasons,
    )


if __name__ == "__main__":
    try:
        sys.exit(main(sys.argv[1:], os.environ, KubectlProcess()))
    except BrokenPipeError:
        # Whoever read the output, such as `head`, has had enough of it.
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
