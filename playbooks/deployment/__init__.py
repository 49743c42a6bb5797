"""Deploying a playbook: what ``deploy_playbook`` checks, makes, applies and removes.

Nothing of it is shipped inside a function. Its folders import one way, the later ones from the
earlier: request, packaging, manifests, apply, nats, removal, engines, files, and at last the
command line.
"""

from playbooks.core import VERSION as VERSION
