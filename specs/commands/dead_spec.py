import json

from expects import be_below, be_empty, contain, equal, expect, start_with
from mamba import before, description, it

from playbooks.core.cluster.objects import Executed
from playbooks.core.errors import NotPermitted
from playbooks.deployment.workers.in_pod import MOST_VALUES
from playbooks.testing import a_document
from specs.commands.fake_cluster import a_cluster, a_line, a_pod, answer, run

DEAD = ("dead", "-p", "delete")
PUT_BACK = {"id": 17, "status": "redelivered", "as": "FALCO_INBOX:4"}
KEPT = {"id": 18, "status": "kept", "why": "cut"}


with description("falco-playbook dead") as self:
    with before.each:
        self.cluster = a_cluster()

    def saying(self, *lines, **how):
        self.cluster.says = answer(*lines, **how)
        return self.cluster

    with it("asks a worker, inside its pod, for the letters of the Function that is there now"):
        run(*DEAD, cluster=self.cluster)
        uid = self.cluster.the("Function", "falco-delete")["metadata"]["uid"]

        expect(self.cluster.executed).to(
            equal(
                [
                    (
                        "falco-delete-1",
                        "python3",
                        "-m",
                        "playbooks.engines.worker.operator",
                        "dead-letters",
                        "--uid",
                        uid,
                    )
                ]
            )
        )

    with it("lists them readably"):
        said = run(*DEAD, cluster=self.saying(a_line(17), a_line(18)))

        expect(said.code).to(equal(0))
        expect(said.out).to(contain("TIME", "DELIVERIES", "not-permitted", "17\n", "18\n"))

    with it("lists them for machines, none too"):
        said = run(*DEAD, "-o", "json", cluster=self.saying(a_line(17)))
        none = run(*DEAD, "-o", "json")

        expect([letter["id"] for letter in json.loads(said.out)]).to(equal([17]))
        expect(json.loads(none.out)).to(be_empty)

    with it("shows no password that stands in an alert, unless it is asked for the raw alert"):
        body = json.dumps(a_document(output="mysql -pS3cret"), indent=1).encode()
        said = run(*DEAD, "-o", "json", cluster=self.saying(a_line(17, body)))
        raw = run(*DEAD, "-o", "json", "--raw", cluster=self.saying(a_line(17, body)))

        expect(said.out).not_to(contain("S3cret"))
        expect(json.loads(json.loads(said.out)[0]["body"])["output"]).to(equal("mysql -p***"))
        expect(json.loads(raw.out)[0]["body"]).to(equal(body.decode()))

    with it("asks the worker to log the raw alert only where it is told to"):
        run(*DEAD, "--drop", "17", cluster=self.cluster)
        run(*DEAD, "--drop", "--raw", "17", cluster=self.cluster)

        expect(["--raw" in words for words in self.cluster.executed]).to(equal([False, True]))

    with it("shows how many alerts one stands for, and when the first and the last came"):
        first, last = "2026-11-21T09:00:00.5Z", "2026-11-21T10:00:00.5Z"
        line = a_line(Count="300", First=first, Last=last)
        shown = run(*DEAD, cluster=self.saying(line)).out
        (found,) = json.loads(run(*DEAD, "-o", "json", cluster=self.saying(line)).out)
        (earlier,) = json.loads(run(*DEAD, "-o", "json", cluster=self.saying(a_line())).out)

        expect(shown).to(contain("300 alerts, from 2026-11-21T09:00:00Z to 2026-11-21T10:00:00Z"))
        expect([found[key] for key in ("count", "first", "last")]).to(equal([300, first, last]))
        expect((earlier["count"], earlier["first"])).to(equal((1, earlier["stored"])))

    with it("lists the others beside one of a stranger's, whose count no number can be"):
        shown = run(*DEAD, cluster=self.saying(a_line(16, Count="9" * 5000), a_line(17)))

        expect((shown.code, len(shown.out.split("not-permitted")))).to(equal((0, 3)))

    with it("says that there are none on standard error"):
        said = run(*DEAD)

        expect((said.code, said.out)).to(equal((0, "")))
        expect(said.err).to(contain("there are no dead letters of default/falco-delete"))

    with it("puts back or drops all, or those that are named"):
        for option, verb in (("--redeliver", "redeliver"), ("--drop", "drop")):
            self.cluster.executed.clear()
            run(*DEAD, option, "--all", cluster=self.cluster)
            run(*DEAD, option, "18", "17", cluster=self.cluster)

            asked = [[*words[4:5], *words[9:]] for words in self.cluster.executed]
            expect(asked).to(equal([[verb], [verb, "--ids", "17", "18"]]))

    with it("says who does it, as the cluster and this machine know them"):
        for option in ("--redeliver", "--drop"):
            run(*DEAD, option, "--all", cluster=self.cluster)
            words = self.cluster.executed[-1]

            expect(words[words.index("--by") + 1]).to(start_with("alice ("))

    with it("says what became of each"):
        said = run(*DEAD, "--redeliver", "--all", cluster=self.saying(PUT_BACK))
        gone = {"id": 3, "status": "gone", "why": "somebody else put it back"}

        expect((said.code, said.out)).to(equal((0, "redelivered  17 as FALCO_INBOX:4\n")))
        expect(run(*DEAD, "--redeliver", "--all", cluster=self.saying(gone)).code).to(equal(0))

    with it("fails where one is kept, and says why"):
        said = run(*DEAD, "--redeliver", "--all", cluster=self.saying(PUT_BACK, KEPT))

        expect(said.code).to(equal(1))
        expect(said.out).to(contain("kept         18: cut\n"))

    with it("says what was put back before it failed"):
        self.saying(PUT_BACK, {"error": "NATS is gone"}, end=False, code=1)
        for how in ((), ("-o", "json")):
            said = run(*DEAD, "--redeliver", "--all", *how, cluster=self.cluster)

            expect(said.code).to(equal(1))
            expect(said.out).to(contain("FALCO_INBOX:4"))
            expect(said.err).to(equal("falco-playbook: error: NATS is gone\n"))

    with it("lists nothing where the answer broke off, rather than a part"):
        said = run(*DEAD, cluster=self.saying(a_line(17), end=False))

        expect((said.code, said.out)).to(equal((1, "")))
        expect(said.err).to(contain("the answer of pod falco-delete-1 is incomplete"))

    with it("fails with what the API server says where one may not run anything in the pod"):
        self.cluster.says = NotPermitted("GET /api/v1/pods/exec: pods/exec is forbidden (403)")
        said = run(*DEAD, cluster=self.cluster)

        expect(said.code).to(equal(1))
        expect(said.err).to(contain("pods/exec is forbidden (403)"))

    with it("says that a worker is too old for it, or of another protocol version"):
        program = "playbooks.engines.worker.operator"
        older = (
            f"/usr/local/bin/python3: No module named {program}",
            f"/usr/local/bin/python3: No module named {program}.__main__; it cannot be executed",
            f"usage: python3 -m {program} [-h]: invalid choice: 'dead-letters'",
        )
        for err in older:
            self.cluster.says = Executed(1, "", f"{err}\ncommand terminated with exit code 1")

            expect(run(*DEAD, cluster=self.cluster).err).to(
                contain("answers with an older version", "deploy the playbook again")
            )
        for out, words in (
            ('{"id": 1}\n{"end": 1}\n', "an older version"),
            ('{"protocol": 1}\n{"end": 0}\n', "protocol version 1, expected protocol version 2"),
        ):
            self.cluster.says = Executed(0, out, "")
            said = run(*DEAD, cluster=self.cluster)

            expect((said.code, said.out)).to(equal((1, "")))
            expect(said.err).to(contain(words))

    with it("reads no answer of more values than there is memory for, and shows no long error"):
        begun = '{"protocol": 2}\n'
        many = f'{begun}{{"id": [{"1," * MOST_VALUES}1]}}\n{{"end": 1}}\n'
        long = f'{begun}{{"error": "{"x" * 10_000}"}}\n'
        for done, words in (
            (Executed(0, many, ""), "more than are read"),
            (Executed(1, long, ""), "xxx"),
            (Executed(1, "", "x" * 10_000), "xxx"),
        ):
            self.cluster.says = done
            said = run(*DEAD, cluster=self.cluster)

            expect((said.code, said.out)).to(equal((1, "")))
            expect(said.err).to(contain(words))
            expect(len(said.err)).to(be_below(5_000))

with description("What falco-playbook finds") as self:
    with it("is in the namespace that is given, else in the kubeconfig's"):
        cluster = a_cluster(namespace="shop")

        expect(run(*DEAD, cluster=cluster).code).to(equal(0))
        expect(run(*DEAD, "-n", "shop", cluster=cluster).code).to(equal(0))
        expect(run(*DEAD, "-n", "other", cluster=cluster).err).to(
            contain("there is no Function other/falco-delete", "there are no Functions")
        )

    with it("is named where it is not what was asked for"):
        said = run("dead", "-p", "slack")

        expect(said.code).to(equal(1))
        expect(said.err).to(
            contain("there is no Function default/falco-slack", "same -p, -N and -n")
        )
        expect(said.err).to(contain("in namespace default there are falco-delete"))

    with it("is said to be in another namespace, where it is there"):
        for command in ("dead", "status", "pause", "check"):
            said = run(command, "-p", "delete", "-n", "other", cluster=a_cluster(namespace="shop"))

            expect(said.code).to(equal(1))
            expect(said.out + said.err).to(contain("; falco-delete is in namespace shop (-n)"))

    with it("is refused where Kubeless serves it"):
        cluster = a_cluster()
        cluster.objects = {k: m for k, m in cluster.objects.items() if k[0] != "Deployment"}

        expect(run(*DEAD, cluster=cluster).err).to(
            contain("has no worker of deploy_playbook -E kubernetes", "neither dead letters nor")
        )

    with it("is explained where the cluster does not know Functions"):
        expect(run(*DEAD, cluster=a_cluster(served=())).err).to(
            contain("does not serve kubeless.io/v1beta1")
        )

    with it("is a worker that is ready, before one that only runs"):
        cluster = a_cluster(pods=())
        for pod in (
            a_pod("ending", deletionTimestamp="2026-11-21T10:00:00Z"),
            a_pod("crashing", ready=False, state="waiting"),
            a_pod("unready", ready=False),
            a_pod("ready"),
        ):
            cluster._store(pod, uid=pod["metadata"]["name"])
        run(*DEAD, cluster=cluster)

        expect([words[0] for words in cluster.executed]).to(equal(["ready"]))

    with it("is explained by its pods where no worker runs"):
        none = run(*DEAD, cluster=a_cluster(pods=())).err
        cluster = a_cluster(pods=())
        cluster._store(a_pod("falco-delete-1", ready=False, state="waiting"), uid="1")
        waiting = run(*DEAD, cluster=cluster).err

        expect(none).to(contain("no worker of default/falco-delete runs", "scaled to 0"))
        expect(waiting).to(contain("no worker of default/falco-delete runs", "falco-delete-1: "))
        expect(waiting).to(start_with("falco-playbook: error: "))
