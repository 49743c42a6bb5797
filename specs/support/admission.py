"""The admission policies of ``deploy_playbook -S`` on the real cluster."""

import time

from playbooks.core.cluster.manifest import identity
from playbooks.deployment.apply import set_up
from playbooks.deployment.manifests import admission_policies
from playbooks.infrastructure.kubernetes.objects import of_context
from specs.deployment.mothers import run
from specs.support.real_cluster import cleaned_up


def policies_are_there():
    """Set the cluster up, and have what was not there before removed when all specs have run.

    Not before: an API server (1.34) that sees all policies with a kind of parameters go and come
    back may not enforce them for long.
    """
    process = of_context()
    if not set_up.serves_policies(process):
        raise AssertionError("this API server serves no ValidatingAdmissionPolicy")
    there = {identity(manifest) for manifest in process.get(admission_policies.policies())}
    for manifest in reversed(admission_policies.policies()):
        if identity(manifest) not in there:
            kind, _, name = identity(manifest)
            cleaned_up(name, kind)
    done = run("-S", cluster=process, sleep=time.sleep)
    assert done.code == 0, done.err
