from pathlib import Path

from expects import contain, equal, expect
from mamba import description, it

from playbooks.core import catalogue
from playbooks.deployment.engines import registry
from playbooks.deployment.generate import all_settings, guards_table
from playbooks.engines.worker.settings import FOR_USERS

DOCS = Path(__file__).resolve().parents[2] / "docs"


def page(name):
    return (DOCS / name).read_text(encoding="utf-8")


with description("The page of settings") as self:
    with it("is as `python -m playbooks.deployment.generate` makes it"):
        expect(page("settings.md")).to(contain(all_settings()))

    with it("has every setting of every playbook and of the worker"):
        declared = [s for name in catalogue.names() for s in catalogue.load(name).settings]
        names = [setting.name for setting in (*declared, *FOR_USERS)]

        expect([n for n in names if f"\n| `{n}` |" not in page("settings.md")]).to(equal([]))

    with it("has every setting of every engine, under its name, or as the worker's"):
        for name, engine in registry.known().items():
            worker = page("settings.md").partition("\n## The worker\n")[2].partition("\n## ")[0]
            own = page("settings.md").partition(f"\n## `-E {name}`: ")[2].partition("\n## ")[0]
            shown = worker if name == "kubernetes" else own + worker * (name == "local")

            for setting in engine.settings:
                expect(shown).to(contain(f"\n| `{setting.name}` |"))

with description("The page of guards") as self:
    with it("is as `python -m playbooks.deployment.generate` makes it"):
        expect(page("guards.md")).to(contain(guards_table()))
