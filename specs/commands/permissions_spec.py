from expects import contain, equal, expect, have_len
from mamba import description, it

from playbooks.commands.__main__ import main
from playbooks.commands.options import Session
from playbooks.core import catalogue
from specs.deployment.fake_objects import NoCluster
from specs.deployment.mothers import documents_of
from specs.support.programs import run_here

EMAIL = "falco@p.iam.gserviceaccount.com"


def said(*words):
    return run_here(lambda: main(["permissions", *words], Session(lambda context: NoCluster(), {})))


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


def rights_of(role):
    return {
        (rule["apiGroups"][0], rule["resources"][0], verb)
        for rule in role["rules"]
        for verb in rule["verbs"]
    }


with description("falco-playbook permissions --operator") as self:

    def roles(self, *words):
        done = said("--operator", *words)
        expect(done.code).to(equal(0))
        return documents_of(done.out), done.err

    with it("prints what releasing takes of every containment that there is, or of one playbook's"):
        (_, undo), _ = self.roles()
        (_, of_taint), _ = self.roles("-p", "taint")
        for playbook in catalogue.containing():
            containment = playbook.reaction.CONTAINMENT
            needed = {(p.group, p.resource, v) for p in containment.RELEASING for v in p.verbs}

            expect((playbook.name, bool(needed))).to(
                equal((playbook.name, not containment.REMOVES))
            )
            expect(needed <= rights_of(undo)).to(equal(True))
        changing = {right for right in rights_of(of_taint) if right[2] not in ("get", "list")}
        expect(changing).to(equal({("", "nodes", "patch"), ("events.k8s.io", "events", "create")}))

    with it("creates and deletes nothing but records and policies, and reads no Secret"):
        roles, _ = self.roles()
        rights = set().union(*map(rights_of, roles))
        made = {r for _, r, verb in rights if verb in ("create", "delete", "update")}

        expect(made).to(equal({"events", "pods/exec", "networkpolicies", "ciliumnetworkpolicies"}))
        expect({r for _, r, _ in rights}).not_to(contain("secrets"))

    with it("says how they are bound: what may exec in pods where the playbooks are"):
        roles, err = self.roles()
        here, everywhere = err.splitlines()
        names = [each["metadata"]["name"] for each in roles]

        expect(names).to(equal(["falco-playbook-operator", "falco-playbook-undo"]))
        expect(here).to(contain("create rolebinding", names[0]))
        expect(everywhere).to(contain("create clusterrolebinding", names[1]))

    with it("is refused with what is about a function"):
        done = said("--operator", "-N", "quick", "-e", "A=b", "--account", EMAIL)

        expect(done.code).to(equal(2))
        for flag in ("-N", "-e", "--account"):
            expect(done.err).to(contain(f"{flag} is not for --operator"))
