from dataclasses import replace
from functools import partial, wraps

from expects import be_empty, contain, equal, expect
from mamba import before, description, it

from playbooks.core import catalogue
from playbooks.core.catalogue import declarations
from playbooks.core.cluster.permissions import Permission
from playbooks.core.containment.containment import PodContainment
from playbooks.core.errors import InvalidSetting
from playbooks.core.reaction import Reaction
from playbooks.core.settings import Setting, text, whole_number
from specs.support.own_playbooks import a_directory, declared

with description("The declaration of a playbook") as self:
    with before.each:
        self.playbook = catalogue.load("cordon")

    def said(self, **declared):
        """What is wrong where the playbook declares something else."""
        return declarations.problem(replace(self.playbook, **declared))

    def of_reaction(self, **declared):
        """The same of its reaction."""
        return self.said(reaction=type("CordonNode", (self.playbook.reaction,), declared))

    def of_setting(self, *settings):
        reaction = self.playbook.reaction
        return self.of_reaction(SETTINGS=(*reaction.SETTINGS, *settings))

    with it("is right with each playbook of this package"):
        said = [declarations.problem(catalogue.load(name)) for name in catalogue.own_names()]

        expect("".join(said)).to(be_empty)

    with it("needs a reaction that can plan"):

        class Planned(Reaction):
            pass

        expect(self.said(reaction=str)).to(
            equal("declares the reaction <class 'str'>, expected a subclass of Reaction")
        )
        expect(self.said(reaction=Planned)).to(
            equal("declares Planned without plan, which a Reaction has to have")
        )
        expect(self.of_reaction(plan=lambda self: None)).to(
            equal("declares CordonNode.plan(self), expected plan(self, alert)")
        )
        expect(self.of_reaction(plan=None)).to(
            equal("declares CordonNode.plan = None, expected plan(self, alert)")
        )

    with it("takes whatever can be called as plan with an alert"):

        def given_more(self, cluster, alert):
            return None

        @wraps(given_more)
        def wrapped(self, alert):
            return given_more(self, None, alert)

        for plan in (
            lambda self, alert, why=None: None,
            staticmethod(lambda alert: None),
            classmethod(lambda cls, alert: None),
            wrapped,
        ):
            expect(self.of_reaction(plan=plan)).to(be_empty)

    with it("takes a reaction that build makes a subclass of"):

        class Marking(Reaction):
            pass

        class MarkingOfPods(Marking):
            def plan(self, alert):
                return None

        expect(self.said(reaction=Marking, build=lambda *_: MarkingOfPods())).to(be_empty)

        async def plan(self, alert):
            pass

        expect(self.of_reaction(plan=plan)).to(
            equal("declares async CordonNode.plan, expected a function that is not")
        )

    with it("needs a build that takes settings and collaborators"):
        expect(self.said(build=lambda settings: None)).to(
            equal("declares build(settings), expected build(settings, collaborators)")
        )
        expect(self.said(build=None)).to(
            equal("declares build = None, expected build(settings, collaborators)")
        )

    with it("takes a class, and what has further arguments, as build"):

        class Built:
            def __init__(self, settings, collaborators, *, note=""):
                pass

        for build in (Built, partial(lambda note, settings, given: None, "a note")):
            expect(self.said(build=build)).to(be_empty)

    with it("needs a target that the guards know, as without one nothing is guarded"):
        expect(self.of_reaction(TARGETS="deployments")).to(
            equal(
                "declares CordonNode.TARGETS = 'deployments', expected one of pods, nodes, objects"
            )
        )

    with it("needs tuples of what belongs there"):
        lone = Setting("NOTE", text, None, "A note")

        expect(self.of_reaction(SETTINGS=lone)).to(
            equal("declares CordonNode.SETTINGS of Setting, expected a tuple of Setting")
        )
        expect(self.of_reaction(PERMISSIONS=("pods",))).to(
            equal("declares CordonNode.PERMISSIONS with 'pods', expected a Permission")
        )
        expect(self.of_reaction(SETTINGS=[lone])).to(
            equal("declares CordonNode.SETTINGS of list, expected a tuple of Setting")
        )
        expect(self.of_reaction(CHANGES=["nodes"])).to(
            equal("declares CordonNode.CHANGES with 'nodes', expected a Changes")
        )
        expect(self.said(packages="dnspython==2.6.1")).to(
            equal("declares packages of str, expected a tuple of str")
        )

    with it("takes lists of what is added to no tuple"):
        reaction = self.playbook.reaction
        ends = reaction.CONTAINMENT
        listed = type("Cordoning", (ends,), {"KINDS": [*ends.KINDS], "KEYS": [*ends.KEYS]})

        expect(self.said(packages=["dnspython==2.6.1"])).to(be_empty)
        expect(self.of_reaction(CHANGES=[*reaction.CHANGES], CONTAINMENT=listed)).to(be_empty)

    with it("needs settings with a name of their own, and with a default that they take"):
        expect(self.of_setting(Setting("a note", text, None, "A note"))).to(
            equal("declares the setting a note, expected the name of a variable")
        )
        expect(
            self.of_setting(*[Setting("NOTE", text, None, help) for help in ("A note", "One")])
        ).to(equal("declares the setting NOTE twice, each time in another way"))
        expect(self.of_setting(Setting("DRY_RUN", text, None, "A note"))).to(
            equal("declares the setting DRY_RUN, which every playbook has: expected another name")
        )
        expect(self.of_setting(Setting("MOST", whole_number(1, 9), 5, "The most"))).to(
            equal("declares the setting MOST with the default 5, expected text, as it is typed")
        )
        expect(self.of_setting(Setting("MOST", whole_number(1, 9), "10", "The most"))).to(
            equal(
                "declares the setting MOST with a default that it does not take: MOST is '10',"
                " expected a whole number from 1 to 9"
            )
        )

    with it("takes a setting twice that is the same, and each name that Kubernetes takes"):
        expect(self.of_setting(*[Setting("acme.note", text, None, "A note")] * 2)).to(be_empty)

    with it("needs verbs that Kubernetes' own resources have"):
        expect(self.of_reaction(PERMISSIONS=(Permission("pods", "get"),))).to(
            equal(
                "declares the permission on pods with the verbs 'get', expected a tuple, such as"
                " ('get', 'patch')"
            )
        )
        expect(self.of_reaction(PERMISSIONS=(Permission("pods", ("get", "lst")),))).to(
            contain("on pods with the verbs ('get', 'lst'), expected some of get, list, watch")
        )

    with it("takes each resource, and verbs of their own of APIs of others"):
        for permission in (
            Permission("pods/ephemeralcontainers", ("get", "patch")),
            Permission("signers", ("approve",), group="certificates.k8s.io"),
            Permission("applications", ("get", "sync"), group="argoproj.io"),
        ):
            expect(self.of_reaction(PERMISSIONS=(permission,))).to(be_empty)

    with it("needs a containment where something ends by itself"):
        expect(self.of_reaction(CONTAINMENT=None)).to(
            equal(
                "declares CordonNode.TTL and no CONTAINMENT: nothing says how what it leaves ends,"
                " expected both"
            )
        )
        expect(self.of_reaction(TTL="NODE_TTL")).to(
            equal(
                "declares CordonNode.TTL = 'NODE_TTL', which is none of its SETTINGS: add"
                " lifetime.ttl('NODE_TTL', ...)"
            )
        )

    with it("needs a containment that can be released"):

        class Marking(PodContainment):
            pass

        cordoning = self.playbook.reaction.CONTAINMENT
        keys = type("Cordoning", (cordoning,), {"KEYS": "falco/containment.mark"})
        others = type("Cordoning", (cordoning,), {"KEYS": ("acme.example/mark",)})

        expect(self.of_reaction(CONTAINMENT=cordoning.KEYS)).to(
            contain("declares CordonNode.CONTAINMENT = (", "expected a subclass of Containment")
        )
        expect(self.of_reaction(CONTAINMENT=Marking)).to(
            equal(
                "declares Marking without is_due, of, release, there, which a Containment has to"
                " have"
            )
        )
        expect(self.of_reaction(CONTAINMENT=keys)).to(
            equal("declares Cordoning.KEYS = 'falco/containment.mark', expected a tuple of str")
        )
        expect(self.of_reaction(CONTAINMENT=others)).to(
            equal(
                "declares Cordoning.KEYS = ('acme.example/mark',), expected keys that begin with"
                " falco/containment."
            )
        )

    with it("is looked at where a playbook is loaded, and what is wrong names its file"):
        wrong = declared("acme-wrong").replace("name=", "packages='dnspython', name=")
        with a_directory(acme_wrong=wrong) as directory:
            path = directory / "acme_wrong.py"
            try:
                catalogue.named(str(path))
            except InvalidSetting as error:
                said = str(error)

        expect(said).to(equal(f"{path} declares packages of str, expected a tuple of str"))
