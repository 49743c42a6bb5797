"""A playbook of another repository, as the two programs take it."""

import json

import yaml
from expects import contain, equal, expect
from mamba import description, it

from specs.commands.fake_cluster import a_cluster
from specs.commands.fake_cluster import run as falco_playbook
from specs.deployment.mothers import documents_of, run
from specs.support.own_playbooks import SHOWN, a_directory, declared, install

ANSWERS = ("-t", "falco.critical.*", "-E", "kubernetes", "-d")
TICKET = ("-e", "QUARANTINE_TICKET=SEC-1")

WITHOUT_SETTING = SHOWN["quarantine.py"].replace(
    'settings["QUARANTINE_TICKET"]', 'settings["OTHER"]'
)


def kinds(printed):
    return {each["kind"] for each in documents_of(printed) if each}


with description("A playbook of another repository") as self:
    with it("is taken by its file, and refused without the settings that it wants"):
        with a_directory(quarantine=SHOWN["quarantine.py"]) as directory:
            path = str(directory / "quarantine.py")
            refused = run("-p", path, *ANSWERS)
            printed = run("-p", path, *ANSWERS, *TICKET)

            expect((refused.code, refused.err)).to(
                equal(
                    (
                        2,
                        "deploy_playbook: error: QUARANTINE_TICKET is not set, expected: The value"
                        " of `acme.example/quarantine` (-e QUARANTINE_TICKET=..., or"
                        " -s QUARANTINE_TICKET=SECRET/KEY)\n",
                    )
                )
            )
            expect(printed.code).to(equal(0))
            expect(kinds(printed.out)).to(contain("Function", "Deployment", "Role", "NATSTrigger"))

    with it("is refused where it reads a setting that its reaction does not declare"):
        with a_directory(quarantine=WITHOUT_SETTING) as directory:
            path = directory / "quarantine.py"

            expect(run("-p", str(path), *ANSWERS, *TICKET).err).to(
                contain(f"{path} reads the setting OTHER, which QuarantinePod does not declare")
            )

    with it("is taken by a file of playbooks that lies beside it"):
        with a_directory(quarantine=SHOWN["quarantine.py"]) as directory:
            file = directory / "quarantine.yaml"
            described = {
                "playbook": "./quarantine.py",
                "engine": "kubernetes",
                "topics": ["falco.critical.*"],
                "settings": {"QUARANTINE_TICKET": "SEC-1"},
            }
            file.write_text(yaml.safe_dump(described))
            printed = run("-f", str(file), "-d")
            file.write_text(yaml.safe_dump({**described, "playbook": "./none.py"}))
            refused = run("-f", str(file), "-d")

            expect(kinds(printed.out)).to(contain("Deployment"))
            expect(refused.err).to(contain(f"{file}:", f"there is no playbook {directory}/none.py"))

    with it("has its own admission policies where the cluster is set up with it"):
        with a_directory(acme_net=declared("acme-net")) as directory:
            printed = run("-S", "-p", str(directory / "acme_net.py"), "-d")

            expect((printed.code, printed.err)).to(equal((0, "")))
            expect(printed.out).to(contain("account-of-acme-net"))
        expect(run("-S", "-d").out).not_to(contain("account-of-acme-net"))

    with it("may have a '-' in its name, on every engine"):
        with a_directory(acme_net=declared("acme-net")) as directory:
            given = ("-p", str(directory / "acme_net.py"), "-t", "falco.critical.*", "-d")
            for engine in ("kubernetes", "kubeless", "knative"):
                printed = run(*given, "-E", engine)

                expect((engine, printed.code, printed.err.count("error"))).to(equal((engine, 0, 0)))
                expect(printed.out).to(contain("falco-acme-net"))

    with it("is listed with why it cannot be used where it cannot"):
        with a_directory(acme_broken="import nowhere") as directory:
            install(directory, acme_broken="acme_broken:playbook")
            listed = run("-l")

            expect(listed.code).to(equal(0))
            expect(listed.out).to(
                contain(
                    "acme-broken\n    error: entry point acme-broken of acme-playbooks 1.2"
                    " (acme_broken:playbook) cannot be used: ModuleNotFoundError",
                    "\ndelete\n",
                )
            )

    with it("is taken by the commands of falco-playbook, too"):
        with a_directory(quarantine=SHOWN["quarantine.py"]) as directory:
            path = str(directory / "quarantine.py")
            status = falco_playbook("status", "-p", path, "-o", "json", cluster=a_cluster())
            wrong = falco_playbook("check", "-p", str(directory / "no.py"), cluster=a_cluster())

            expect(status.err).to(contain("no Function falco-quarantine in"))
            expect((wrong.code, wrong.err)).to(
                equal(
                    (
                        2,
                        f"falco-playbook: error: there is no playbook {directory}/no.py: there is"
                        " no such file\n",
                    )
                )
            )

    with it("is simulated with a package's name that pip would take"):
        with a_directory(quarantine=SHOWN["quarantine.py"]) as directory:
            install(directory, "acme-quarantine", quarantine="quarantine:playbook")
            (directory / "none.jsonl").write_text("")
            words = ("-p", "Acme_Quarantine", "-f", str(directory / "none.jsonl"), "-o", "json")
            done = falco_playbook("simulate", *words, *TICKET, cluster=a_cluster())

            expect(json.loads(done.out)["playbook"]).to(equal("quarantine"))
