"""The kubernetes engine's worker: a durable process that answers alerts from NATS and from HTTP.

It runs as the Deployment of a Function on clusters without Kubeless' controllers. ``topics`` says
what it subscribes to, ``nats`` brings alerts in, ``http`` takes them by POST, ``work`` answers them
and decides what happens to each message, ``records`` writes outcomes to the stream, and
``operator`` answers ``falco-playbook`` inside the pod. ``__main__`` wires them to the cluster.
"""
