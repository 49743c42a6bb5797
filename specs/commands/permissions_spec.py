from expects import contain, equal, expect, have_len
from mamba import description, it

from playbooks.commands.__main__ import main
from playbooks.core import catalogue
from specs.deployment.fake_objects import NoCluster
from specs.deployment.mothers import documents_of
from specs.support.programs import run_here

EMAIL = "falco@p.iam.gserviceaccount.com"


def said(*words):
    return run_here(lambda: main(["permissions", *words], lambda context: NoCluster()))


def printed(*words):
    done = said(*words)
    expect((done.code, done.err)).to(equal((0, "")))
    return [*documents_of(done.out)]


def subjects(objects):
    return [subject for each in objects for subject in each.get("subjects", ())]


with description("falco-playbook permissions") as self:
    with it("prints the roles that a playbook declares, and no more, and its ledger"):
        for name in catalogue.names():
            declared = catalogue.load(name).rights({})
            if not declared:
                continue
            objects = printed("-p", name, "-n", "responders")
            rules = {
                (rule["apiGroups"][0], rule["resources"][0], verb)
                for each in objects
                if each["kind"] in ("ClusterRole", "Role")
                and each["metadata"]["name"] == f"falco-{name}.responders"
                for rule in each["rules"]
                for verb in rule["verbs"]
            }

            expect(rules).to(
                equal({(p.group, p.resource, verb) for p in declared for verb in p.verbs})
            )
            ledgers = [o for o in objects if o["kind"] == "ConfigMap"]
            expect([each["metadata"]["name"] for each in ledgers]).to(
                equal([f"falco-{name}-ledger"])
            )

    with it("binds them to the service account of the pod by default"):
        found = subjects(printed("-p", "delete", "-n", "responders"))

        expect({(each["kind"], each["name"], each["namespace"]) for each in found}).to(
            equal({("ServiceAccount", "falco-delete", "responders")})
        )

    with it("binds them to the group that an access entry of EKS names with -E lambda"):
        group = {"apiGroup": "rbac.authorization.k8s.io", "kind": "Group", "name": "falco-shop"}
        found = subjects(printed("-p", "delete", "-N", "shop", "-E", "lambda"))

        expect([each for each in found if each != group]).to(equal([]))
        expect(found).to(have_len(3))

    with it("has none to bind where whoever the kubeconfig says acts"):
        done = said("-p", "delete", "-E", "local")

        expect((done.code, done.out)).to(equal((2, "")))
        expect(done.err).to(contain("it has no account"))

    with it("binds them to the e-mail of the service account of Google Cloud with -E gcf"):
        found = subjects(printed("-p", "delete", "-E", "gcf", "--account", EMAIL))

        expect(found).to(have_len(3))
        expect({(each["kind"], each["name"]) for each in found}).to(equal({("User", EMAIL)}))

    with it("does not make them such that they are removed because there is no Function"):
        for each in printed("-p", "delete", "-E", "gcf", "--account", EMAIL):
            expect([*each["metadata"]["labels"]]).not_to(contain("created-by"))

    with it("limits them to namespaces, as deploying does"):
        objects = printed("-p", "isolate", "-n", "responders", "-e", "NAMESPACES=shop,mail")
        places = {each["metadata"].get("namespace") for each in objects if each["kind"] == "Role"}

        expect(places).to(equal({"shop", "mail", "responders"}))

    with it("says so for a playbook that needs none"):
        done = said("-p", "slack", "-E", "gcf")

        expect((done.code, done.out)).to(equal((0, "")))
        expect(done.err).to(contain("slack needs no rights in a cluster"))

    with it("refuses what it would ignore, or cannot know"):
        for words, why in (
            (("-p", "delete", "-E", "gcf"), "--account is not given"),
            (("-p", "delete", "--account", EMAIL), "--account is not for -E kubernetes"),
            (("-p", "nonsense"), "nonsense"),
            (("-p", "delete", "-e", "NAMESPACES=a_b"), "a_b"),
        ):
            done = said(*words)

            expect((done.code, done.out)).to(equal((2, "")))
            expect(done.err).to(contain(why))
