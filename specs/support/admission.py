"""The admission policies of ``deploy_playbook -S`` on the real cluster."""

import time

from playbooks.core.cluster.manifest import identity
from playbooks.core.errors import NotPermitted
from playbooks.deployment.apply import set_up
from playbooks.deployment.manifests import access, admission_policies, ledger
from playbooks.deployment.manifests.admission_policies import Bound
from playbooks.deployment.request import catalogue
from playbooks.infrastructure.kubernetes.objects import of_context
from specs.deployment.mothers import a_worker_request, run
from specs.support.real_cluster import api_of, cleaned_up, create, delete, eventually, token_of


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


def an_account(playbook, namespace, *typed):
    """The playbook's account with all that deploying gives it, and its cluster."""
    request = a_worker_request(playbook, *typed)
    made = [
        access.service_account(request, namespace),
        *access.roles(request, namespace),
        *ledger.ledger(request, namespace),
        *admission_policies.beside(request, namespace, Bound(allowed=True)),
    ]
    for manifest in made:
        kind, place, name = identity(manifest)
        if not place:
            cleaned_up(name, kind)
    create(*made)
    return api_of(token_of(f"falco-{playbook}", namespace))


def without_roles(playbook, namespace):
    function = f"falco-{playbook}"
    for kind in ("ClusterRoleBinding", "ClusterRole"):
        delete(kind, f"{function}.{namespace}")
    of_playbook = catalogue.load(playbook)
    for each in admission_policies.bindings(of_playbook, function, namespace):
        delete(each["kind"], each["metadata"]["name"])


def refusal_of(change):
    """The words with which the API server refuses it."""
    try:
        change()
    except NotPermitted as error:
        return str(error)
    raise AssertionError("it was not refused")


def passes(change):
    try:
        change()
    except NotPermitted:
        return False
    return True


def in_force(change, words):
    """Wait until the API server knows of a policy that was just made, and of its settings."""
    eventually(lambda: not passes(change) and words in refusal_of(change), 20)
