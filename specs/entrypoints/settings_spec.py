import importlib

from expects import equal, expect
from mamba import description, it

GUARDS = {
    "MINIMUM_PRIORITY": "Debug",
    "RULES": "",
    "NAMESPACES": "",
    "CLUSTER": "",
    "CLUSTER_FIELD": "cluster",
    "DRY_RUN": "false",
    "REDACT": "true",
    "REDACT_NAMES": "",
}
ACTING = {
    **GUARDS,
    "PROTECTED_NAMESPACES": (
        "kube-system,kube-public,kube-node-lease,falco,nats,nats-io,calico-system,"
        "tigera-operator,cert-manager,ingress-nginx,gke-*,gatekeeper-system"
    ),
    "ALLOW_OWNERS": "",
    "MAX_ALERT_AGE": "10m",
    "EXEMPT_PODS": "false",
    "MAX_ACTIONS": "10",
    "MAX_ACTIONS_ALL": "30",
    "MAX_PER_OWNER": "50%",
    "MAX_NODES": "1",
    "WINDOW": "10m",
    "LEDGER": "",
    "SLACK_OUTCOMES": "false",
    "SLACK_WEBHOOK_URL": "",
}
# What the guards of a playbook that acts read.
READS = {
    "namespaces": "get",
    "replicationcontrollers": "get",
    "apps/replicasets": "get",
    "apps/statefulsets": "get",
    "apps/daemonsets": "get",
    "batch/jobs": "get",
    "events.k8s.io/events": "create patch",
}


def declared(name):
    playbook = importlib.import_module(f"playbooks.{name}").playbook
    return {setting.name: setting.default for setting in playbook.settings}


def secrets(name):
    playbook = importlib.import_module(f"playbooks.{name}").playbook
    return [setting.name for setting in playbook.settings if setting.secret]


def verbs(name, only_with=""):
    playbook = importlib.import_module(f"playbooks.{name}").playbook
    return {
        "/".join(filter(None, (rule.group, rule.resource))): " ".join(rule.verbs)
        for rule in playbook.permissions
        if rule.only_with == only_with
    }


with description("The settings and rights of a playbook") as self:
    with it("are pinned for delete"):
        expect(declared("delete")).to(
            equal({"GRACE_PERIOD_SECONDS": "1", "IDENTITY": "strict", **ACTING})
        )
        expect(verbs("delete")).to(equal({"pods": "get list delete", **READS}))

    with it("are pinned for taint"):
        expect(declared("taint")).to(
            equal(
                {
                    "TAINT_KEY": "falco/alert",
                    "TAINT_VALUE": "true",
                    "TAINT_EFFECT": "NoSchedule",
                    "TAINT_HOST": "false",
                    "TAINT_TTL": "off",
                    "IDENTITY": "strict",
                    **ACTING,
                }
            )
        )
        expect(verbs("taint")).to(
            equal(
                {
                    "pods": "get list",
                    "nodes": "get list patch",
                    "namespaces": "get",
                    "events.k8s.io/events": "create patch",
                }
            )
        )

    with it("are pinned for isolate"):
        expect(declared("isolate")).to(
            equal(
                {
                    "ISOLATE_DIRECTION": "both",
                    "ISOLATE_ALLOW_CIDRS": "",
                    "ISOLATE_DETACH": "true",
                    "ISOLATE_TTL": "off",
                    "IDENTITY": "strict",
                    **ACTING,
                }
            )
        )
        expect(verbs("isolate")).to(
            equal(
                {
                    "pods": "get list patch",
                    "services": "list",
                    "replicationcontrollers": "get",
                    "persistentvolumeclaims": "get",
                    "apps/replicasets": "get",
                    "networking.k8s.io/networkpolicies": "list create update",
                    **READS,
                }
            )
        )

    with it("are more for isolate where isolations end by themselves, and for nothing else"):
        more = {"pods": "delete", "networking.k8s.io/networkpolicies": "delete"}

        expect(verbs("isolate", only_with="ISOLATE_TTL")).to(equal(more))
        expect(verbs("taint", only_with="TAINT_TTL")).to(equal({}))

    with it("are pinned for slack"):
        expect(declared("slack")).to(equal({"SLACK_WEBHOOK_URL": None, **GUARDS}))
        expect(secrets("slack")).to(equal(["SLACK_WEBHOOK_URL"]))
        expect(verbs("slack")).to(equal({}))
