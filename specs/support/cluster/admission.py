"""The admission policies of ``deploy_playbook -S`` on the real cluster."""

import time

from playbooks.commands.checks import admission_policy as check
from playbooks.commands.checks.serving import Checked, Served
from playbooks.core.cluster.manifest import identity
from playbooks.core.errors import NotPermitted
from playbooks.deployment.apply import set_up
from playbooks.deployment.manifests import admission_policies, ledger, rbac
from playbooks.deployment.manifests.admission_policies import Bound
from playbooks.infrastructure.kubernetes.cluster import KubernetesCluster
from playbooks.infrastructure.kubernetes.objects import of_context
from specs.deployment.mothers import a_worker_request, run
from specs.support.cluster.real_cluster import (
    a_namespace,
    api_of,
    cleaned_up,
    create,
    delete,
    delete_namespace,
    token_of,
)
from specs.support.processes import eventually


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


class HeldAccount:
    """The account of a playbook with all that deploying gives it, on a cluster that was set up.

    ``api``, ``cluster``: what it sees of the cluster. ``namespace``: where it is, a new one unless
    given. ``settings``: with which the playbook is deployed.
    """

    def __init__(self, playbook, namespace="", **settings):
        policies_are_there()
        self.namespace = namespace or a_namespace()
        typed = [word for item in settings.items() for word in ("-e", "=".join(item))]
        request = a_worker_request(playbook, *typed)
        self.playbook, self.function = request.playbook, request.function
        made = [
            rbac.service_account(request, self.namespace),
            *rbac.roles(request, self.namespace),
            *ledger.ledger(request, self.namespace),
            *admission_policies.beside(request, self.namespace, Bound(allowed=True), {}),
        ]
        for manifest in made:
            kind, place, name = identity(manifest)
            if not place:
                cleaned_up(name, kind)
        create(*made)
        self.api = api_of(token_of(self.function, self.namespace))
        self.cluster = KubernetesCluster(self.api)

    def found_held(self):
        """What ``falco-playbook check`` says of it, where it is held to its job."""
        there = Served({}, environment={"NAMESPACES": self.namespace})
        place = (self.namespace, self.function)
        (found,) = check.look(Checked(of_context(), *place, self.playbook, there))
        assert found.status == "ok", found.says
        return found.says

    def end(self):
        for kind in ("ClusterRoleBinding", "ClusterRole"):
            delete(kind, f"{self.function}.{self.namespace}")
        for each in admission_policies.bindings(self.playbook, self.function, self.namespace):
            delete(each["kind"], each["metadata"]["name"])
        delete_namespace(self.namespace)


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
