import tempfile
from pathlib import Path

from expects import be_empty, contain, end_with, equal, expect, match, raise_error
from mamba import after, before, description, it

from playbooks.core import catalogue
from playbooks.deployment.errors import DeploymentError
from playbooks.deployment.packaging.dependencies import requirements, too_old

with description("The requirements of a function") as self:
    with it("are pinned, every one"):
        for name in catalogue.names():
            for url in ("", "s3://evidence", "gs://evidence", "file:///evidence"):
                needed = catalogue.load(name).installs({"EVIDENCE_URL": url})
                for line in requirements(needed).splitlines():
                    expect(line).to(match(r"^[a-z0-9-]+==[0-9.]+(post[0-9]+)?$"))

    with it("are none for evidence where none is kept"):
        needed = requirements(catalogue.load("delete").installs({"EVIDENCE_URL": ""}))

        expect(needed).not_to(contain("fsspec"))

    with it("are those of the place where evidence is kept"):
        for url, package in (("s3://e", "s3fs"), ("gs://e", "gcsfs"), ("file:///e", "fsspec")):
            needed = requirements(catalogue.load("delete").installs({"EVIDENCE_URL": url}))

            expect(needed).to(contain(f"{package}=="))
            expect(requirements(catalogue.load("taint").installs({"EVIDENCE_URL": url}))).not_to(
                contain("fsspec")
            )

    with it("are no newer than one of them takes, where a list says so"):
        needed = requirements(["urllib3", "s3fs", "requests"])

        expect(needed).to(contain("urllib3==1.26.20\n", "python-dateutil==2.9.0.post0\n"))
        expect(needed.count("urllib3==")).to(equal(1))

    with it("fit together for a condition and every place of evidence"):
        for url in ("", "s3://evidence", "gs://evidence", "file:///evidence"):
            for name in catalogue.names():
                values = {"EVIDENCE_URL": url, "WHEN": "true", "SLACK_OUTCOMES": "true"}
                needed = requirements(["kubernetes", *catalogue.load(name).installs(values)])

                expect(needed).to(contain("cel-python==", "google-re2==", "lark==", "pendulum=="))

    with it("say what does not run on an older Python"):
        expect(too_old(["urllib3", "cel-python"], 8)).to(
            equal(["cel-python, which these settings install, needs Python 3.10 or later, not 3.8"])
        )
        expect(too_old(["urllib3", "cel-python"], 10)).to(be_empty)

    with it("are those of Slack, too, where outcomes are told to it"):
        delete = catalogue.load("delete")

        expect(delete.installs({"SLACK_OUTCOMES": "true"})).to(
            equal(("urllib3", "pyyaml", "requests"))
        )
        for told, more in (("webhook", ["requests"]), ("webhook,notify", ["requests", "apprise"])):
            expect(delete.installs({"OUTCOMES_TO": told})).to(equal(("urllib3", "pyyaml", *more)))
        expect(delete.installs({"SLACK_OUTCOMES": "false"})).to(equal(("urllib3", "pyyaml")))

    with it("have what the packages need too"):
        expect(requirements(["requests"])).to(
            contain("certifi==", "charset-normalizer==", "idna==", "requests==", "urllib3==")
        )

    with it("fit together, whoever is told and wherever evidence is kept"):
        every = {"OUTCOMES_TO": "webhook,notify", "EVIDENCE_URL": "s3://evidence"}
        needed = requirements(catalogue.load("delete").installs(every))

        expect(needed).to(contain("apprise==", "s3fs==", "urllib3==1.26.20\n"))

    with it("name each distribution once"):
        expect(requirements(["urllib3", "requests"])).to(equal(requirements(["requests"])))

    with it("end with a line end"):
        expect(requirements(["requests"])).to(end_with("\n"))

    with it("never hold a distribution of a playbook's name, which would hide it"):
        for name in catalogue.names():
            expect(requirements(catalogue.load(name).packages)).not_to(contain(f"\n{name}=="))

    with description("from other lists"):
        with before.each:
            self.directory = tempfile.TemporaryDirectory()
            lists = (("a", "a==1\nc==1\n"), ("b", "b==1\nc==2\n"), ("l", "c<=1\n"), ("m", "c<=2\n"))
            for name, text in (*lists, ("standalone", "x==1\ny==2\n")):
                Path(self.directory.name, f"{name}.txt").write_text(text)

        with after.each:
            self.directory.cleanup()

        with it("are those lines alone of the list of what needs nothing else that are asked for"):
            expect(requirements(["a", "y"], Path(self.directory.name))).to(
                equal("a==1\nc==1\ny==2\n")
            )

        with it("are refused when two packages want different versions"):
            expect(lambda: requirements(["a", "b"], Path(self.directory.name))).to(
                raise_error(DeploymentError, "the playbook's packages want c 1 and 2")
            )

        with it("are refused when two lists take different ones at most"):
            expect(lambda: requirements(["l", "m"], Path(self.directory.name))).to(
                raise_error(DeploymentError, "the playbook's packages want c 1 and 2")
            )

        with it("are refused when nothing says what a package needs"):
            expect(lambda: requirements(["d"], Path(self.directory.name))).to(
                raise_error(
                    DeploymentError,
                    contain(
                        "what the package d needs: expected one version of it, such as d==1.2.3"
                    ),
                )
            )

    with it("takes a pinned distribution as it is, and names what does not fit to another's"):
        needed = requirements(["urllib3", "dnspython==2.6.1"])

        expect(needed).to(contain("dnspython==2.6.1\n", "urllib3=="))
        expect(lambda: requirements(["urllib3", "urllib3==0.1"])).to(
            raise_error(DeploymentError, contain("want urllib3"))
        )
