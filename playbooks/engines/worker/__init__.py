"""The kubernetes engine's worker: a durable process that answers alerts from NATS and from HTTP.

It runs as the Deployment of a Function on clusters without Kubeless' controllers. Decisions stand
in modules without any I/O (``coverage``, ``consumers``, ``subscriptions``, ``admission``,
``verdict``, ``names``); ``jetstream``, ``pulling``, ``core_nats``, ``shop`` and ``door`` carry them
out; ``worker`` ties them together and ``__main__`` wires them to the cluster.
"""
