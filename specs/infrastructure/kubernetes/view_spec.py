"""What is remembered of pods, and what is decided on it."""

import json
from unittest.mock import patch

from expects import be_below, be_empty, be_false, be_none, be_true, equal, expect, have_len
from hypothesis import HealthCheck, assume, given, settings
from hypothesis import strategies as st
from mamba import before, description, it

from playbooks import delete
from playbooks.core.cluster.pod import Pod
from playbooks.infrastructure.kubernetes.cluster import KubernetesCluster
from playbooks.infrastructure.kubernetes.view import decoding, shapes, watched
from playbooks.infrastructure.kubernetes.view.decoding import PlainDecoder, Seen, TypedDecoder
from playbooks.infrastructure.kubernetes.view.follower import LARGEST, PLACE, KeptObjects, Room
from playbooks.infrastructure.kubernetes.view.watched import CHANGED, READ, VIEW
from playbooks.testing import (
    OTHER_CONTAINER,
    a_pod,
    a_static_pod,
    a_status,
    an_alert,
    some_collaborators,
)
from specs.support.loopback.pods_api import PodsApi, event, while_watching

# The latter where msgspec is installed.
DECODERS = (PlainDecoder, TypedDecoder)[: 1 + (decoding.msgspec is not None)]

# What of a pod a proof, a guard or an action looks at.
READ_OF_POD = (
    *("namespace", "name", "uid", "resource_version", "labels", "created", "terminates_at", "node"),
    *("service_account", "host_network", "phase", "finished", "volume_claims", "config_hash"),
    *("static", "owner", "containers"),
)

NAMES, NODES = ("web-0", "web-1"), ("node-1", "node-2")
CONTAINERS = tuple(f"{number:012x}" + "0" * 52 for number in range(1, 5))
UIDS = tuple(f"00000000-0000-4000-8000-{number:012d}" for number in range(1, 5))

# What happens to the pods of two names: made with a uid and a container, on a node; another run of
# the container; another label; its end begins; it is over; it is gone.
STEPS = st.lists(
    st.tuples(
        st.sampled_from(("make", "make", "restart", "label", "end", "finish", "remove")),
        st.sampled_from(NAMES),
        st.sampled_from(UIDS),
        st.sampled_from(CONTAINERS),
        st.sampled_from(NODES),
    ),
    min_size=1,
    max_size=14,
)
# Of an alert: the event that shows the pod as it was then, what it gives of that, and whether it is
# of this very second.
ALERTS = st.tuples(
    st.integers(0, 30),
    st.sampled_from(("both", "uid", "container", "container", "on its node", "on another node")),
    st.booleans(),
)


def step(api, what, name, uid, container, node):
    pod = api.pods.get(("shop", name))
    # No two pods have the same.
    uid, container = (f"{NAMES.index(name)}{given[1:]}" for given in (uid, container))
    if what == "make" or pod is None:
        if pod is None or pod["metadata"]["uid"] != uid:
            made = a_pod(name, uid=uid, node=node, statuses=[a_status(container_id=container)])
            api.remove("shop", name)
            api.put(made.manifest)
    elif what == "restart":
        before = pod["status"]["containerStatuses"][0]["containerID"]
        status = a_status(
            container_id=container,
            restartCount=1,
            lastState={"terminated": {"containerID": before}},
        )
        api.put({**pod, "status": {**pod["status"], "containerStatuses": [status]}})
    elif what == "finish":
        api.put({**pod, "status": {**pod["status"], "phase": "Succeeded"}})
    elif what == "remove":
        api.remove("shop", name)
    else:
        change = {"labels": {"x": container[:12]}}
        if what == "end":
            change = {"deletionTimestamp": "2026-01-02T03:04:06Z"}
        api.put({**pod, "metadata": {**pod["metadata"], **change}})


def an_alert_of(events, number, gives, now):
    pod = Pod(events[number % len(events)]["object"])
    (container,) = pod.containers
    named = gives != "on its node"
    return an_alert(
        {
            "k8s.ns.name": pod.namespace if named else None,
            "k8s.pod.name": pod.name if named else None,
            "k8s.pod.uid": pod.uid if gives in ("both", "uid") else None,
            "container.id": container.ids[0][:12] if gives != "uid" else None,
        },
        hostname=NODES[pod.node == NODES[0]] if gives == "on another node" else pod.node,
        time="2026-01-02T03:04:04.500000000Z" if now else "2026-01-02T03:00:00.000000000Z",
    )


def answer(cluster, alert):
    collaborators = some_collaborators(cluster)
    responder = delete.playbook.responder({"MAX_ALERT_AGE": "off"}, collaborators)
    return responder.answer(alert)


def a_copy(api):
    other = PodsApi()
    other.pods, other.version = json.loads(json.dumps(list(api.pods.items()))), api.version
    other.pods = {tuple(key): pod for key, pod in other.pods}
    return other


def begun_again(cluster):
    follower = cluster.pods.followers[0]
    follower._stopped.clear()
    return follower


with description("What is remembered of a pod") as self:
    with it("is all that a proof and the guards look at, with either decoder"):
        rich = a_pod(
            statuses=[
                a_status(restartCount=2, lastState={"terminated": {"containerID": "cri://Ab12"}}),
                {"name": "sidecar", "state": {"terminated": {"startedAt": "2026-01-02T02:00:00Z"}}},
            ],
            containers=("web", "sidecar"),
            owner="ReplicaSet/web",
            metadata={"deletionTimestamp": "2026-01-02T03:00:00Z", "managedFields": [{"a": "b"}]},
            spec={
                "hostNetwork": True,
                "serviceAccountName": "web",
                "initContainers": [{"name": "init", "env": [{"name": "A"}]}],
                "volumes": [{"emptyDir": {}}, {"persistentVolumeClaim": {"claimName": "data"}}],
            },
        )
        for pod in (rich, a_static_pod(), a_pod(statuses=[]), a_pod(phase="Failed")):
            for kind in DECODERS:
                decoder = kind(shapes.POD)
                line = json.dumps(event("ADDED", pod.manifest)).encode()
                kept = Pod(decoder.read(decoder.change(line).seen.text))

                for name in READ_OF_POD:
                    expect((name, getattr(kept, name))).to(equal((name, getattr(pod, name))))

    with it("is no annotation of somebody else, and nothing of the rest"):
        given = {"falco/exempt": "delete", "big": "x" * 5000}
        pod = a_pod(metadata={"annotations": given, "managedFields": [{"a": "b" * 5000}]})
        for kind in DECODERS:
            decoder = kind(shapes.POD)
            text = decoder.change(json.dumps(event("ADDED", pod.manifest)).encode()).seen.text

            expect(Pod(decoder.read(text)).annotations).to(equal({"falco/exempt": "delete"}))
            expect(len(text)).to(be_below(700))

    with it("is nothing where it is too long: the pod is read"):
        api = PodsApi()
        pod = api.put(a_pod(metadata={"labels": {f"l{n}": "x" * 60 for n in range(200)}}).manifest)
        outcome, count = while_watching(
            api, api.events, lambda c: (answer(c, an_alert()), c.pods.count)
        )

        expect(len(json.dumps(pod["metadata"]["labels"]))).to_not(be_below(LARGEST))
        expect((outcome.reason, count)).to(equal(("deletion-accepted", 0)))

    with it("is no more than so many bytes, however many pods somebody makes: others are read"):
        one, two, three = (a_pod(f"web-{n}").manifest for n in range(3))
        room = patch.object(watched, "MOST_BYTES", 5 * PLACE)
        changed = [event("DELETED", one), event("ADDED", three)]
        with room:
            found = [
                while_watching(PodsApi(), events, lambda c: c.pods.count, listed)
                for events, listed in (([], [one, two, three]), (changed, [one, two]))
            ]

        expect(found).to(equal([2, 2]))

    with it("is no more than that of all kinds and namespaces together"):
        room = Room(5 * PLACE)
        one, other = (KeptObjects(lambda _: None, room) for _ in range(2))
        pods = [Seen("default", f"web-{n}", "1", "", b"{}") for n in range(4)]
        for pod in pods:
            one.put(pod)
        other.put(pods[0])
        counts = [(one.count, other.count)]
        one.remove(pods[1])
        other.put(pods[1])

        expect([*counts, (one.count, other.count)]).to(equal([(4, 0), (3, 1)]))

    with it("is what a number of replicas says, also where that is none"):
        for kind in DECODERS:
            decoder = kind(shapes.WORKLOAD)
            found = {"metadata": {"name": "w", "resourceVersion": "1"}, "spec": {"replicas": 0}}
            text = decoder.change(json.dumps(event("ADDED", found)).encode()).seen.text

            expect(decoder.read(text)["spec"]).to(equal({"replicas": 0}))

with description("A pod that is remembered") as self:
    with before.each:
        self.api = PodsApi()
        self.api.put(a_pod().manifest)

    def answered(self, alert, events=None):
        self.api.calls.clear()
        given = self.api.events if events is None else events
        return while_watching(self.api, list(given), lambda c: (answer(c, alert), dict(c.answers)))

    with it("is deleted by one call"):
        outcome, counted = self.answered(an_alert())

        expect(outcome.reason).to(equal("deletion-accepted"))
        expect([call for call in self.api.calls if call == "DELETE"]).to(equal(["DELETE"]))
        expect(counted[VIEW]).to(equal(1))

    with it("is read and proven anew where it was written since"):
        known = list(self.api.events)
        self.api.put(a_pod(metadata={"labels": {"another": "label"}}).manifest)
        outcome, counted = self.answered(an_alert(), known)

        expect(outcome.reason).to(equal("deletion-accepted"))
        expect(self.api.calls.count("DELETE")).to(equal(2))
        expect(counted).to(equal({VIEW: 0, READ: 0, CHANGED: 1}))

    with it("is left alone where another has its name"):
        known = list(self.api.events)
        self.api.remove("shop", "web-0")
        another = a_pod(uid=UIDS[0], statuses=[a_status(container_id=OTHER_CONTAINER)])
        self.api.put(another.manifest)
        outcome, _ = self.answered(an_alert(), known)

        expect(outcome.reason).to(equal("not-the-same-pod"))
        expect(self.api.deleted).to(be_empty)

    with it("is read where the container in the alert is not known of it"):
        known = list(self.api.events)
        restarted = a_pod(statuses=[a_status(container_id=OTHER_CONTAINER)])
        self.api.put(restarted.manifest)
        outcome, _ = self.answered(an_alert(container_id=OTHER_CONTAINER[:12]), known)

        expect(outcome.reason).to(equal("deletion-accepted"))

    with it("is not what a dry run says"):
        known = list(self.api.events)
        self.api.remove("shop", "web-0")

        def dry(cluster):
            given = {"MAX_ALERT_AGE": "off", "DRY_RUN": "true"}
            collaborators = some_collaborators(cluster)
            return delete.playbook.responder(given, collaborators).answer(an_alert())

        expect(while_watching(self.api, known, dry).reason).to(equal("pod-gone"))

    with it("is not given to who does not ask for it, nor when the watch is over"):
        self.api.calls.clear()
        seen = []

        def look(cluster):
            seen.append(cluster.pod("web-0", namespace="shop").remembered)
            with cluster.remembering():
                seen.append(cluster.pod("web-0", namespace="shop").remembered)
            return cluster

        cluster = while_watching(self.api, list(self.api.events), look)
        with cluster.remembering() as memory:
            seen.append(cluster.pod("web-0", namespace="shop").remembered)

        expect(seen).to(equal([False, True, False]))
        expect(memory.used).to(be_false)

    with it("is heard of when its container becomes known"):
        waiting = a_pod(statuses=[{"name": "web", "state": {"waiting": {}}}])
        later = []

        def wait(cluster):
            future = cluster.learned(an_alert().claim)
            later.append(future.done())
            cluster.pods.followers[0]._take(
                json.dumps(event("MODIFIED", self.api.put(a_pod().manifest))).encode()
            )
            later.append(future.done())
            later.append(cluster.learned(an_alert().claim).done())
            return cluster

        cluster = while_watching(
            self.api, [event("MODIFIED", self.api.put(waiting.manifest))], wait
        )

        expect(later).to(equal([False, True, True]))
        expect(cluster.learned(an_alert().claim)).to(be_none)

    with it(
        "is deleted only if it is the alert's, however stale the view, and else as one reads it"
    ):

        @settings(
            max_examples=50,
            deadline=None,
            database=None,
            derandomize=True,
            suppress_health_check=list(HealthCheck),
        )
        @given(
            steps=STEPS,
            alert=ALERTS,
            listed=st.integers(0, 14),
            heard=st.lists(st.integers(0, 30), max_size=6),
            knows=st.sampled_from((True, True, False)),
            meanwhile=st.one_of(st.none(), STEPS),
        )
        def holds(steps, alert, listed, heard, knows, meanwhile):
            api, first = PodsApi(), []
            for number, each in enumerate(steps):
                if number == listed:
                    first = list(api.pods.values())
                step(api, *each)
            # In any order, some of them twice, and some of them never.
            events = [api.events[n] for n in heard if n < len(api.events)]
            # What the alert says is what the view knows, as a rule.
            events += [api.events[alert[0] % len(api.events)]] * knows
            alert = an_alert_of(api.events, *alert)
            truth = a_copy(api)
            if meanwhile:
                api.before_delete.append(lambda: [step(api, *each) for each in meanwhile])
            outcome = while_watching(api, events, lambda c: answer(c, alert), first)

            claim = alert.claim
            expect(len(api.deleted)).to(be_below(2))
            for pod in map(Pod, api.deleted):
                expect(not claim.uid or claim.uid == pod.uid).to(be_true)
                if claim.container_id and not claim.uid:
                    # Another run of it may have begun since the pod was read: it is still the pod.
                    seen = [Pod(each["object"]) for each in api.events]
                    runs = [each for each in seen if each.uid == pod.uid]
                    expect(any(each.container(claim.container_id) for each in runs)).to(be_true)
            if not meanwhile:
                read = answer(KubernetesCluster(truth), alert)
                # No two pods have a container in common, but what is made up here may.
                assume(read.reason != "ambiguous")
                expect(outcome.reason).to(equal(read.reason))
                expect([p["metadata"]["uid"] for p in api.deleted]).to(
                    equal([p["metadata"]["uid"] for p in truth.deleted])
                )

        holds()

with description("A view of pods") as self:
    with before.each:
        self.api = PodsApi()

    with it("is listed by pages, and watched from there"):
        pods = [a_pod(f"web-{n}").manifest for n in range(3)]
        self.api.pages = [pods[:2], pods[2:]]

        cluster = while_watching(self.api, [], lambda c: c)
        self.api.pages = [pods[:2], pods[2:]]
        follower = begun_again(cluster)
        follower._version = ""
        follower.turn()

        expect(cluster.pods.count).to(equal(3))
        asked = self.api.asked[-3:]
        expect([query.get("continue") for query in asked]).to(equal([None, "1", None]))
        expect(asked[-1]).to(have_len(4))
        expect(asked[-1]["resourceVersion"]).to(equal("100"))

    with it("is listed by smaller pages where somebody has many pods that are large"):
        cluster = while_watching(self.api, [], lambda c: c)
        pods = [a_pod(f"web-{n}").manifest for n in range(3)]
        self.api.pages, self.api.longest = [[pod] for pod in pods], 6
        self.api.asked.clear()
        follower = begun_again(cluster)
        follower._version = ""
        follower.turn()

        expect(cluster.pods.count).to(equal(3))
        limits = [query["limit"] for query in self.api.asked if "limit" in query]
        expect(limits).to(equal(["200", "25", "3", "6", "12", "1"]))

    with it("forgets what a new list does not have"):
        one, two = a_pod("web-1").manifest, a_pod("web-2").manifest
        cluster = while_watching(self.api, [], lambda c: c, [one, two])
        self.api.pages, self.api.script = [[two]], iter(())
        follower = begun_again(cluster)
        follower._version = ""
        follower.turn()

        expect(cluster.pods.count).to(equal(1))

    with it("goes on from where a watch ended, without a list"):
        cluster = while_watching(self.api, [event("ADDED", a_pod().manifest)], lambda c: c)
        self.api.asked.clear()
        begun_again(cluster).turn()

        expect([query.get("watch") for query in self.api.asked]).to(equal(["1"]))

    with it("is listed anew where the API server no longer has its version"):
        gone = {"kind": "Status", "code": 410, "message": "too old resource version: 1 (688)"}
        cluster = while_watching(self.api, [], lambda c: c)
        follower = begun_again(cluster)

        def script():
            yield {"type": "ERROR", "object": gone}

        self.api.asked.clear()
        self.api.script, turns = script(), []
        turn = follower.turn

        def counted():
            turns.append(1)
            if len(turns) == 2:
                follower.stop()
            turn()

        follower.turn = counted
        follower.follow()

        expect([query.get("watch") for query in self.api.asked]).to(equal(["1", None, "1"]))

    with it("is behind when nothing came for 75 seconds"):
        now = [0.0]

        def look(cluster):
            follower = cluster.pods.followers[0]
            follower._clock = lambda: now[0]
            follower._heard = 0.0
            seen = []
            for now[0] in (74.9, 75.0):
                seen.append(cluster.live)
            return seen

        expect(while_watching(self.api, [], look)).to(equal([True, False]))
