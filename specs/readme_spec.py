import re
from importlib import import_module
from pathlib import Path

from expects import contain, equal, expect
from mamba import description, it

from playbooks.core import guards
from playbooks.core.proof import Proof
from playbooks.deployment.tables import guards_table, settings_table
from playbooks.engines.worker.settings import FOR_USERS
from specs.support import fakes, mothers

ROOT = Path(__file__).resolve().parents[1]
README = (ROOT / "README.md").read_text(encoding="utf-8")


def table_of(name):
    """The settings table that the README has for a playbook, or for ``all`` of them."""
    match = re.search(f"<!-- settings of {name} -->\n(.*?)<!-- end -->", README, re.DOTALL)
    return match[1] if match else ""


def python_blocks():
    return re.findall(r"```python\n(.*?)```", README, re.DOTALL)


with description("The README") as self:
    with it("has the settings that all playbooks share, as they are declared"):
        expect(table_of("all")).to(equal(settings_table(guards.settings(acts=False))))

    with it("has the further settings of playbooks that act on the cluster, as they are declared"):
        shared = guards.settings(acts=False)
        further = [one for one in guards.settings(acts=True) if one not in shared]

        expect(table_of("those that act")).to(equal(settings_table(further)))

    with it("has the guards in their order, as they are declared"):
        expect(table_of("the guards")).to(equal(guards_table()))

    with it("has the settings of every playbook, as they are declared"):
        for name in re.findall(r"^\| \[`(\w+)`\]\(#", README, re.MULTILINE):
            reaction = import_module(f"playbooks.{name}").playbook.reaction

            expect(table_of(name)).to(equal(settings_table(reaction.SETTINGS)))

    with it("has the settings of the worker, as they are declared"):
        expect(table_of("the worker")).to(equal(settings_table(FOR_USERS)))

    with it("gives the test command that the continuous check runs"):
        commands = [line for line in README.splitlines() if "pipenv run mamba" in line]

        expect(commands[0]).to(contain("python3 -m venv .venv", "pipenv sync -q --dev"))

    with it("shows a reaction of one's own that passes the spec shown for it"):
        reaction, spec = python_blocks()
        module = {}
        exec(compile(reaction, "label_pod.py", "exec"), module)
        example = re.search(r'with it\("labels the proven pod"\):\n(.*)', spec, re.DOTALL)[1]
        module.update({"expect": expect, "equal": equal})
        module.update({**vars(fakes), **vars(mothers), "Proof": Proof})
        exec(re.sub(r"(?m)^ {8}", "", example), module)
