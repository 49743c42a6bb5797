"""The kubernetes engine's worker: a durable process that answers alerts from NATS and from HTTP.

It runs as the Deployment of a Function on clusters without Kubeless' controllers. ``bootstrap``
wires it, ``worker`` is its life, ``wanted`` and ``topics`` say what is subscribed, ``http_api`` is
what it answers by HTTP. The rest lies in drawers, each of which imports those before it only:
``nats`` (how alerts come in), ``work`` (answering, settling and recording), ``operator`` (what
falco-playbook runs in its pod). Decisions stand in modules without any I/O: ``topics``,
``streams``, ``consumers``, ``admission``, ``verdict``, ``function``.
"""
