import os
import re
import shlex
import subprocess

import yaml
from expects import be_above, contain, equal, expect
from mamba import description, it

from playbooks.commands.__main__ import program
from playbooks.deployment import command_line
from playbooks.deployment.engines import registry
from playbooks.engines.worker.function import DEAD_LETTERS
from playbooks.engines.worker.nats.consumers import ACK_WAIT
from specs.commands.fake_cluster import FakeCluster, run
from specs.support.processes import ROOT, ahead

DOCS = ROOT / "docs"
PAGES = {
    path: path.read_text(encoding="utf-8") for path in [ROOT / "README.md", *DOCS.glob("*.md")]
}
NATS = PAGES[DOCS / "nats.md"]


def blocks(text, language):
    return re.findall(rf"```{language}\n(.*?)```", text, re.DOTALL)


def commands(program):
    """Every command line of this program that a page shows, as words."""
    shell = "\n".join(block for text in PAGES.values() for block in blocks(text, "sh"))
    lines = shell.replace("\\\n", " ").splitlines()
    found = [shlex.split(line, comments=True) for line in lines if line.startswith(program)]
    return [_until_pipe(words[1:]) for words in found]


def _until_pipe(words):
    """What the program itself is given."""
    ends = [words.index(sign) for sign in ("|", ">", "&&") if sign in words]
    return words[: min(ends, default=len(words))]


def anchors(text):
    titles = re.findall(r"^#+ (.*)$", text, re.MULTILINE)
    return {re.sub(r"[^\w -]", "", title).lower().replace(" ", "-") for title in titles}


def read(environ):
    """What bash says of each block of shell, where it cannot read it."""
    pipes = {"text": True, "capture_output": True, "env": environ}
    shell = [block for text in PAGES.values() for block in blocks(text, "sh")]
    return [subprocess.run(["bash", "-n"], input=block, **pipes).stderr for block in shell]


READ = ahead(read, {**os.environ})


def values(name):
    return yaml.safe_load((DOCS / name).read_text(encoding="utf-8"))


with description("The pages") as self:
    with it("lead to files and headings that are there"):
        broken = []
        for path, text in PAGES.items():
            for place, anchor in re.findall(r"\]\((?!https?:)([^)#]*)#?([^)]*)\)", text):
                target = path.parent / place if place else path
                there = target.exists()
                if not there or (anchor and anchor not in anchors(target.read_text("utf-8"))):
                    broken.append(f"{path.name}: {place}#{anchor}")

        expect(broken).to(equal([]))

    with it("show shell that bash can read"):
        said = READ.result()

        expect(len(said)).to(be_above(10))
        expect([each for each in said if each]).to(equal([]))

    with it("show command lines of deploy_playbook that it takes"):
        shown = [words for words in commands("./deploy_playbook") if "local" not in words]
        deployed = [words for words in shown if "-t" in words]

        expect(len(deployed)).to(be_above(2))
        for words in shown:
            command_line.parse(words)
        for words in deployed:
            options = command_line.parse(words)
            registry.checked(options, registry.named(options.engine))

    with it("have every option of deploy_playbook, and no other"):
        rows = re.findall(r"^\| (`-.*?) \|", PAGES[DOCS / "deploying.md"], re.MULTILINE)
        shown = set(re.findall(r"(?<![\w-])--?[A-Za-z][\w-]*", " ".join(rows)))
        taken = {flag for each in command_line.deploy.params for flag in each.opts}

        expect(shown).to(equal({flag for flag in taken if flag[0] == "-"} | {"-h", "--help"}))

    with it("name every command of falco-playbook"):
        text = "".join(PAGES.values())

        expect([n for n in program.commands if f"falco-playbook {n}" not in text]).to(equal([]))

    with it("say for how long claims and dead letters are kept, as the worker does"):
        upgrading = PAGES[DOCS / "upgrading.md"]

        expect(upgrading).to(contain(f"to another worker {ACK_WAIT} seconds after"))
        expect(upgrading).to(contain(f"kept for {DEAD_LETTERS.hours // 24} days"))

    with it("show command lines of falco-playbook that it takes"):
        # Another spec makes the repository that the files of playbooks are of, and runs these.
        shown = [words for words in commands("falco-playbook") if "./quarantine.py" not in words]

        expect(len(shown)).to(be_above(4))
        for words in shown:
            # It would go on until Ctrl-C.
            once = [word for word in words if word != "--watch"]
            said = run(*once, cluster=FakeCluster())
            expect((said.code, said.err)).not_to(equal((2, said.err)))


with description("The values of Helm charts") as self:
    with it("give NATS the users' file under the name that it includes"):
        chosen = values("nats-values.yaml")
        name = chosen["config"]["merge"]["$include"]
        escaped = name.replace(".", "\\.")

        expect(NATS).to(contain(f"'configMap.merge.data.{escaped}=docs/{name}'"))
        expect((DOCS / name).exists()).to(equal(True))

    with it("give NATS each password that the users' file names, from the Secret that is made"):
        users = (DOCS / "nats-users.conf").read_text(encoding="utf-8")
        given = values("nats-values.yaml")["container"]["env"]
        made = re.findall(r"--from-literal=([A-Z]+)=", NATS)[:3]

        expect(sorted(given)).to(equal(sorted(re.findall(r"password: \$(\w+)", users))))
        expect(sorted(made)).to(equal(sorted(given)))
        for name, value in given.items():
            key = {"name": "nats-users", "key": name}
            expect(value).to(equal({"valueFrom": {"secretKeyRef": key}}))

    with it("let Falco say of a pod what the page about engines asks for"):
        asked = yaml.safe_load(blocks(PAGES[DOCS / "engines.md"], "yaml")[0])["append_output"][0]

        expect(values("falco-values.yaml")["falco"]["append_output"]).to(contain(asked))

    with it("take Falcosidekick's NATS URL from the Secret that is made"):
        name = values("falco-values.yaml")["falcosidekick"]["config"]["existingSecret"]

        expect(NATS).to(contain(f"secret generic {name} -n falco", "--from-literal=NATS_HOSTPORT="))
