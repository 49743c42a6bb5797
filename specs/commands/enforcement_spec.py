import io
import json
import os
import signal
from contextlib import redirect_stderr

from expects import be_above, be_empty, contain, equal, expect
from mamba import before, description, it

from playbooks.commands.checks import enforcement
from playbooks.commands.checks.probe_pods import manifests
from playbooks.core.errors import NotPermitted, PlaybookError
from specs.commands.fake_cluster import run
from specs.commands.readiness import ready, the_finding
from specs.support.processes import ctrl_c_arrives


class OnCilium:
    """The cluster, which serves Cilium's API and has its settings, all of them the defaults."""

    def __init__(self, cluster):
        self._cluster = cluster

    def raw(self, path):
        versions = [{"groupVersion": "cilium.io/v2"}]
        return {"groups": [{"name": "cilium.io", "versions": versions}]}

    def find(self, api, kind, name, namespace=""):
        if name == "cilium-config":
            return {"data": {"kube-proxy-replacement": "true"}}
        return self._cluster.find(api, kind, name, namespace)

    def __getattr__(self, name):
        return getattr(self._cluster, name)


def probing(cluster, *words):
    said = run("check", "-p", "isolate", "-o", "json", *words, cluster=cluster)
    found = [c for c in json.loads(said.out)["checks"] if "policy, " in c["check"]]
    return [(each["check"], each["status"]) for each in found]


with description("falco-playbook check, of what a network plugin enforces") as self:
    with before.each:
        self.cluster = ready()

    def left(self):
        return [name for name in self.cluster.names if "falco-check" in name]

    with it("fails where a policy changes nothing"):
        self.cluster.enforces = ()

        expect(probing(self.cluster)).to(
            equal(
                [
                    ("policy, bare, new", "failed"),
                    ("policy, bare, open", "warning"),
                    ("policy, replica, new", "failed"),
                    ("policy, replica, open", "warning"),
                ]
            )
        )

    with it("says after how many seconds it is cut off, and what delays that where it is Cilium"):
        self.cluster._heard = self.late(22.4)
        said = self.says()

        expect(said["policy, bare, new"]).to(
            equal(
                "a bare pod is cut off from new connections after 22.4s (Cilium delays it:"
                " identity-max-jitter is 30s by default and identity-change-grace-period is 5s by"
                " default)"
            )
        )
        expect(said["policy, bare, open"]).to(contain("that were open after 22.4s (Cilium delays"))

    with it("says nothing of delays where there is none"):
        self.cluster._heard = self.late(1.2)

        expect(self.says()["policy, bare, new"]).to(
            equal("a bare pod is cut off from new connections after 1.2s")
        )

    def says(self):
        with redirect_stderr(io.StringIO()):
            findings = enforcement.look(
                OnCilium(self.cluster), "image:1", sleep=lambda _: None, clock=lambda: self.now
            )
        return {each.check: each.says for each in findings}

    def late(self, seconds):
        """A policy is in force so many seconds after it is stored, by a clock that looks move."""
        self.now, heard = 0.0, self.cluster._heard

        def later():
            # Two pods are asked, which takes five seconds.
            stored = not heard()["new"]
            self.since = (self.now if self.since is None else self.since) if stored else None
            self.now += 2.5
            through = not stored or self.now - self.since < seconds
            ago = 0.0 if through else self.now - self.since - seconds
            return {"new": through, "open": through, "new_ago": ago, "open_ago": ago}

        self.since = None
        return later

    with it("looks for a minute and a half before it says that it failed"):
        self.cluster._heard = self.late(1000.0)
        began = []
        isolated = self.cluster.patch

        def patch(*given):
            began.append(self.now)
            return isolated(*given)

        self.cluster.patch = patch
        said = self.says()

        expect(said["policy, bare, new"]).to(
            equal("a policy does not stop new connections of a bare pod within 90s")
        )
        expect(self.now - began[-1]).to(be_above(90.0))

    with it("warns where connections that were open live on"):
        self.cluster.enforces = ("new",)

        expect(dict(probing(self.cluster))["policy, bare, open"]).to(equal("warning"))
        expect(dict(probing(self.cluster))["policy, bare, new"]).to(equal("ok"))

    with it("isolates as the playbook does: a policy for one pod's uid, then the label"):
        probing(self.cluster)
        policies = [m for m in self.cluster.probed if m["kind"] == "NetworkPolicy"]
        labelled = [c["metadata"]["labels"] for c in self.cluster.patched]

        expect([m["spec"]["podSelector"]["matchLabels"] for m in policies]).to(equal(labelled))
        expect({m["spec"]["podSelector"]["matchLabels"]["falco/isolated"] for m in policies}).to(
            equal({m["metadata"]["ownerReferences"][0]["uid"] for m in policies})
        )

    with it("isolates one after the other: each is released before the next"):
        calls = self.calls_of("NetworkPolicy")

        expect([verb for verb, _ in calls]).to(equal(["create", "delete"] * 2))

    def calls_of(self, kind):
        probing(self.cluster)
        return [c for c in self.cluster.calls if c[1].startswith(f"{kind} falco-isolate-")]

    with it("removes its namespace, however it ends"):
        probing(self.cluster)
        expect([n for n in self.cluster.names if n.startswith("Namespace")]).to(be_empty)

        self.cluster.failures["create", "NetworkPolicy"] = PlaybookError("out of order")
        expect(the_finding(self.cluster, "network policy")[:2]).to(
            equal(("unknown", "could not be checked: out of order"))
        )
        expect([n for n in self.cluster.names if n.startswith("Namespace")]).to(be_empty)

    with it("removes its namespace on Ctrl-C too, and ends with its exit code"):
        heard = self.cluster._heard

        def interrupted():
            os.kill(os.getpid(), signal.SIGINT)
            return heard()

        self.cluster._heard = interrupted
        with ctrl_c_arrives():
            said = run("check", "-p", "isolate", cluster=self.cluster)

        expect((said.code, said.err)).to(equal((130, said.err)))
        expect(said.err).to(contain("interrupted by SIGINT"))
        expect([n for n in self.cluster.names if n.startswith("Namespace")]).to(be_empty)

    with it("says how to remove its namespace where it cannot"):
        self.cluster.failures["delete", "Namespace"] = PlaybookError("timed out")
        said = run("check", "-p", "isolate", cluster=self.cluster)

        expect(said.err).to(contain("(run: kubectl delete namespace falco-check-"))

    with it("cannot tell where one may not make a namespace, and leaves nothing behind"):
        self.cluster.failures["create", "Namespace"] = NotPermitted("namespaces is forbidden")

        expect(the_finding(self.cluster, "network policy")[0]).to(equal("unknown"))
        expect([call for call in self.cluster.calls if call[0] == "delete"]).to(be_empty)

    with it("cannot tell where the pods do not start, and says why"):
        create = self.cluster._create

        def waiting(manifest, dry_run):
            stored = create(manifest, dry_run)
            if manifest["kind"] == "Pod":
                pod = self.cluster.the("Pod", manifest["metadata"]["name"])
                why = {"reason": "ErrImagePull", "message": "no such image"}
                pod["status"] = {
                    "containerStatuses": [{"name": "probe", "state": {"waiting": why}}]
                }
            return stored

        self.cluster._create = waiting
        status, says, _ = the_finding(self.cluster, "network policy", "--image", "none:1")

        expect(status).to(equal("unknown"))
        expect(says).to(contain("with image none:1", "ErrImagePull: no such image"))

    with it("cannot tell where its pods do not reach each other without a policy"):
        self.cluster._heard = lambda: {"new": False, "open": False}

        expect(the_finding(self.cluster, "network policy")[1]).to(
            contain("do not reach each other, without any policy")
        )

    with it("takes the worker's image, unless --image names another"):

        def images(*words):
            self.cluster.probed.clear()
            probing(self.cluster, *words)
            sets = [m for m in self.cluster.probed if m["kind"] == "ReplicaSet"]
            return {m["spec"]["template"]["spec"]["containers"][0]["image"] for m in sets}

        expect(images()).to(equal({"image:1"}))
        expect(images("--image", "other:1")).to(equal({"other:1"}))

    with it("has pods that the profile restricted lets pass"):
        _, pod, replicas = manifests("falco-check-1", "image:1")
        for spec in (pod["spec"], replicas["spec"]["template"]["spec"]):
            (container,) = spec["containers"]
            security = container["securityContext"]

            expect(spec["securityContext"]["runAsNonRoot"]).to(equal(True))
            expect(spec["securityContext"]["seccompProfile"]).to(equal({"type": "RuntimeDefault"}))
            expect(security["allowPrivilegeEscalation"]).to(equal(False))
            expect(security["capabilities"]).to(equal({"drop": ["ALL"]}))
