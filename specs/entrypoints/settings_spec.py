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
}


def declared(name):
    playbook = importlib.import_module(f"playbooks.{name}").playbook
    return {setting.name: setting.default for setting in playbook.settings}


def secrets(name):
    playbook = importlib.import_module(f"playbooks.{name}").playbook
    return [setting.name for setting in playbook.settings if setting.secret]


def verbs(name):
    playbook = importlib.import_module(f"playbooks.{name}").playbook
    return {
        "/".join(filter(None, (rule.group, rule.resource))): " ".join(rule.verbs)
        for rule in playbook.permissions
    }


with description("The settings and rights of a playbook") as self:
    with it("are pinned for delete"):
        expect(declared("delete")).to(
            equal({"GRACE_PERIOD_SECONDS": "1", "IDENTITY": "strict", **GUARDS})
        )
        expect(verbs("delete")).to(equal({"pods": "get list delete"}))

    with it("are pinned for taint"):
        expect(declared("taint")).to(
            equal(
                {
                    "TAINT_KEY": "falco/alert",
                    "TAINT_VALUE": "true",
                    "TAINT_EFFECT": "NoSchedule",
                    "TAINT_HOST": "false",
                    "IDENTITY": "strict",
                    **GUARDS,
                }
            )
        )
        expect(verbs("taint")).to(equal({"pods": "get list", "nodes": "get patch"}))

    with it("are pinned for isolate"):
        expect(declared("isolate")).to(
            equal(
                {
                    "ISOLATE_DIRECTION": "both",
                    "ISOLATE_ALLOW_CIDRS": "",
                    "ISOLATE_DETACH": "true",
                    "IDENTITY": "strict",
                    **GUARDS,
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
                }
            )
        )

    with it("are pinned for slack"):
        expect(declared("slack")).to(equal({"SLACK_WEBHOOK_URL": None, **GUARDS}))
        expect(secrets("slack")).to(equal(["SLACK_WEBHOOK_URL"]))
        expect(verbs("slack")).to(equal({}))
