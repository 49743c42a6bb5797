from unittest import mock

from expects import contain, equal, expect, raise_error
from mamba import description, it

from playbooks.core import catalogue
from playbooks.core.cluster.policies.kinds import OTHERS
from playbooks.core.errors import InvalidSetting
from playbooks.core.notifications import settings as notifications
from playbooks.testing import RecordingSlack, a_document

GUARDS = {
    "MINIMUM_PRIORITY": "Debug",
    "RULES": "",
    "NAMESPACES": "",
    "WHEN": "",
    "CLUSTER": "",
    "CLUSTER_FIELD": "cluster",
    "DRY_RUN": "false",
    "REDACT": "true",
    "REDACT_NAMES": "",
}
PROTECTED = (
    "kube-system,kube-public,kube-node-lease,falco,kubeless,nats,nats-io,calico-system,"
    "calico-apiserver,tigera-operator,kube-flannel,cilium,metallb-system,cert-manager,"
    "ingress-nginx,istio-system,linkerd,kyverno,gatekeeper-system,longhorn-system,rook-ceph,"
    "local-path-storage"
)
ACTING = {
    **GUARDS,
    "PROTECTED_NAMESPACES": (
        f"{PROTECTED},gke:gke-*,gke:gmp-system,openshift:openshift-*,rancher:cattle-*"
    ),
    "ALLOW_OWNERS": "",
    "PROTECTED_OWNERS_IN": PROTECTED,
    "MAX_ALERT_AGE": "10m",
    "HOLD_STALE_FROM": "Notice",
    "ALLOW_LAST_NODE": "false",
    "ALLOW_CONTROL_PLANE": "false",
    "EXEMPT_PODS": "false",
    "MAX_ACTIONS": "10",
    "MAX_ACTIONS_ALL": "30",
    "MAX_PER_OWNER": "50%",
    "MAX_NODES": "1",
    "ESCALATE_AFTER": "off",
    "WINDOW": "10m",
    "LEDGER": "",
    "SLACK_OUTCOMES": "false",
    "SLACK_WEBHOOK_URL": "",
    "OUTCOMES_TO": "",
    "WEBHOOK_URL": "",
    "WEBHOOK_SECRET": "",
    "NOTIFY_URLS": "",
    "RUNBOOK_URL": "",
    "LINK_URL": "",
}
# What the guards of a playbook that acts read.
OWN = {
    "apps/replicasets": "get",
    "apps/deployments": "get",
    "kubeless.io/functions": "get",
}
READS = {
    **OWN,
    "admissionregistration.k8s.io/validatingwebhookconfigurations": "list",
    "admissionregistration.k8s.io/mutatingwebhookconfigurations": "list",
    "apiregistration.k8s.io/apiservices": "list",
    "namespaces": "get",
    "replicationcontrollers": "get",
    "apps/replicasets": "get",
    "apps/statefulsets": "get",
    "apps/daemonsets": "get",
    "batch/jobs": "get",
    "events.k8s.io/events": "create patch",
}


def declared(name):
    return {setting.name: setting.default for setting in playbook(name).settings}


def secrets(name):
    return [setting.name for setting in playbook(name).settings if setting.secret]


def playbook(name):
    return catalogue.load(name)


def verbs(name, **values):
    return {
        "/".join(filter(None, (rule.group, rule.resource))): " ".join(rule.verbs)
        for rule in playbook(name).rights(values)
    }


with description("The settings and rights of a playbook") as self:
    with it("are pinned for delete"):
        expect(declared("delete")).to(
            equal(
                {
                    "GRACE_PERIOD_SECONDS": "1",
                    "IDENTITY": "strict",
                    "EVIDENCE_URL": "",
                    "EVIDENCE_REQUIRED": "false",
                    "EVIDENCE_LOG_BYTES": "524288",
                    "EVIDENCE_BYTES": "8388608",
                    "EVIDENCE_TIME": "10s",
                    "AWS_ENDPOINT_URL": "",
                    "AWS_ACCESS_KEY_ID": "",
                    "AWS_SECRET_ACCESS_KEY": "",
                    "AWS_SESSION_TOKEN": "",
                    "GOOGLE_CREDENTIALS": "",
                    **ACTING,
                }
            )
        )
        expect(secrets("delete")).to(
            equal(
                [
                    "AWS_ACCESS_KEY_ID",
                    "AWS_SECRET_ACCESS_KEY",
                    "AWS_SESSION_TOKEN",
                    "GOOGLE_CREDENTIALS",
                    "SLACK_WEBHOOK_URL",
                    "WEBHOOK_URL",
                    "WEBHOOK_SECRET",
                    "NOTIFY_URLS",
                ]
            )
        )
        expect(verbs("delete")).to(equal({"pods": "get list delete", **READS}))
        expect(verbs("delete", EVIDENCE_URL="s3://evidence")).to(
            equal({"pods": "get list delete", "pods/log": "get", "events": "list", **READS})
        )

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
                    "endpoints": "get",
                    **OWN,
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
                    "ISOLATE_ALLOW_NAMESPACES": "",
                    "ISOLATE_ALLOW_DNS": "false",
                    "ISOLATE_POLICY": "kubernetes",
                    "ISOLATE_CONFIRM": "30s",
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
                    **{f"{kind.group}/{kind.resource}": "list" for kind in OTHERS},
                    **READS,
                }
            )
        )

    with it("are to read Cilium's endpoints for isolate where an engine looks at them"):
        rights = playbook("isolate").rights
        for values, looks, more in (
            ({}, True, {("cilium.io", "ciliumendpoints", ("get",))}),
            ({"ISOLATE_CONFIRM": "off"}, True, set()),
            ({}, False, set()),
        ):
            found = set(rights(values, looks=looks)) - set(rights({}))

            expect({(p.group, p.resource, p.verbs) for p in found}).to(equal(more))

    with it("are to store policies of a network plugin for isolate where these are asked for"):
        rights = playbook("isolate").rights
        none = set(rights({"ISOLATE_POLICY": "kubernetes", "ISOLATE_TTL": "2h"}))
        store, delete = ("create", "update"), ("delete",)
        cilium, calico = "cilium.io", "projectcalico.org"
        for policy, groups in (
            ("cilium", (cilium,)),
            ("calico", (calico,)),
            ("auto", (cilium, calico)),
        ):
            for ttl, verbs in (("off", {store}), ("2h", {store, delete})):
                more = set(rights({"ISOLATE_POLICY": policy, "ISOLATE_TTL": ttl})) - none

                expect({(p.group, p.verbs) for p in more}).to(
                    equal({(group, verb) for group in groups for verb in verbs})
                )

    with it("are more for isolate where isolations end by themselves, and for nothing else"):
        for name, setting in (("isolate", "ISOLATE_TTL"), ("taint", "TAINT_TTL")):
            rights = playbook(name).rights
            more = set(rights({setting: "2h"})) - set(rights({setting: "off"}))

            expect({(p.resource, p.verbs) for p in more}).to(
                equal(
                    {("pods", ("delete",)), ("networkpolicies", ("delete",))}
                    if name == "isolate"
                    else set()
                )
            )

    with it("are pinned for slack"):
        own = {"SLACK_WEBHOOK_URL": None, "RUNBOOK_URL": "", "LINK_URL": ""}
        expect(declared("slack")).to(equal({**own, **GUARDS}))
        expect(secrets("slack")).to(equal(["SLACK_WEBHOOK_URL"]))
        expect(verbs("slack")).to(equal({}))

    with it("are pinned for webhook"):
        own = {"WEBHOOK_URL": None, "WEBHOOK_SECRET": None}
        expect(declared("webhook")).to(equal({**own, **GUARDS}))
        expect(secrets("webhook")).to(equal([*own]))
        expect(verbs("webhook")).to(equal({}))

    with it("are pinned for evidence"):
        ours = {
            "EVIDENCE_URL": None,
            "EVIDENCE_FILES": "",
            "EVIDENCE_FILE_BYTES": "1048576",
            "EVIDENCE_PROCESSES": "false",
            "EVIDENCE_SNAPSHOTS": "false",
        }
        of_delete = {k: v for k, v in declared("delete").items() if k != "EVIDENCE_REQUIRED"}
        del of_delete["GRACE_PERIOD_SECONDS"]

        expect(declared("evidence")).to(equal({**of_delete, **ours}))
        expect(verbs("evidence")).to(
            equal({"pods": "get list", "pods/log": "get", "events": "list", **READS})
        )

    with it("are pinned for revoke, with rights on the listed kinds alone"):
        kinds = "RoleBinding,ClusterRoleBinding,Role,ClusterRole"
        rbac = "rbac.authorization.k8s.io"
        rest = {key: value for key, value in READS.items() if key not in OWN}
        without = ("replicationcontrollers", "apps/statefulsets", "apps/daemonsets", "batch/jobs")
        rest = {key: value for key, value in rest.items() if key not in without}

        expect(declared("revoke")).to(equal({"REVOKE_KINDS": kinds, **ACTING}))
        expect(verbs("revoke")).to(
            equal(
                {
                    f"{rbac}/rolebindings": "get delete",
                    f"{rbac}/clusterrolebindings": "get delete",
                    f"{rbac}/roles": "get delete",
                    f"{rbac}/clusterroles": "get delete",
                    **rest,
                }
            )
        )
        expect(verbs("revoke", REVOKE_KINDS="Secret, DaemonSet")).to(
            equal({"secrets": "get delete", "apps/daemonsets": "get delete", **rest})
        )

    with it("are pinned for notify"):
        own = {"NOTIFY_URLS": None, "RUNBOOK_URL": "", "LINK_URL": ""}
        expect(declared("notify")).to(equal({**own, **GUARDS}))
        expect(secrets("notify")).to(equal(["NOTIFY_URLS"]))
        expect(verbs("notify")).to(equal({}))

    with it("need what OUTCOMES_TO names"):
        given = {"OUTCOMES_TO": "webhook", "WEBHOOK_URL": "https://x.example/"}

        expect(lambda: playbook("delete").responder(given)).to(
            raise_error(
                InvalidSetting,
                "WEBHOOK_SECRET is not set, expected what OUTCOMES_TO=webhook uses",
            )
        )
        expect(lambda: playbook("delete").responder({"OUTCOMES_TO": "mail"})).to(
            raise_error(InvalidSetting, contain("OUTCOMES_TO is 'mail', expected webhook"))
        )

    with it("need a webhook where outcomes are told to Slack"):
        for name in ("delete", "taint", "isolate"):
            playbook = catalogue.load(name)

            expect(lambda playbook=playbook: playbook.responder({"SLACK_OUTCOMES": "true"})).to(
                raise_error(InvalidSetting, notifications.MISSING)
            )

    with it("say to slack, too, what must not leave"):
        slack = RecordingSlack()
        settings = {"SLACK_WEBHOOK_URL": "https://x.example/", "REDACT_NAMES": "pin"}
        with mock.patch("playbooks.slack.SlackWebhook", lambda url: slack):
            responder = catalogue.load("slack").responder(settings)
        responder.answer(a_document(output="Notice pin=S3cret"))

        expect(str(slack.messages)).to(contain("pin=***"))
