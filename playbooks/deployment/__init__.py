"""Deploying a playbook: what ``deploy_playbook`` checks, makes, applies and removes.

Nothing of it is shipped inside a function. ``__main__`` runs ``command_line``, which reads what is
typed and runs one of ``verbs``. Its folders import one way, the later ones from the earlier:

=========  =======================================================================================
request    what is asked for: a ``Request``, checked as far as that is possible without a cluster
packaging  the archive of a function, and what it installs
manifests  the objects of a deployment as plain dicts; ``record`` finds those of a cluster
apply      brings objects into a cluster, all of them or none, and waits for the result
nats       the NATS server of ``-S --with-nats``
workers    a deployed function as it is in the cluster, and what is run in its workers' pods
removal    removes what was deployed, and releases what it contains
engines    what calls a playbook: one module or folder for each ``-E``, behind the port ``Engine``
files      the YAML of ``-f``, and of ``deploy_playbook get``
=========  =======================================================================================
"""

from playbooks.core import VERSION as VERSION
