"""Namespaces that have more than is read for one alert."""

from playbooks.core.cluster.policies.kinds import NETWORK_POLICY
from playbooks.core.errors import ListTooLong


def too_many_policies(cluster):
    """Their list ends with ListTooLong from now on, but for those of one name."""
    own = cluster.network_policies

    def asked(namespace, kind=NETWORK_POLICY, *, name=""):
        if not name:
            raise ListTooLong("too many")
        return own(namespace, kind, name=name)

    cluster.network_policies = asked
    return own
