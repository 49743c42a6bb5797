import sys
import tempfile
from pathlib import Path
from unittest.mock import patch

from expects import contain, equal, expect, start_with
from mamba import after, before, description, it

import playbooks
from playbooks.core import catalogue
from playbooks.core.errors import InvalidSetting


def the_error_of(name):
    try:
        catalogue.load(name)
    except InvalidSetting as error:
        return str(error)
    raise AssertionError(f"{name} was loaded")


with description("The catalogue of playbooks") as self:
    with it("has every module at the top of the package"):
        expect(catalogue.names()).to(contain("delete", "isolate", "slack", "taint"))
        expect(catalogue.names()).not_to(contain("__init__", "core"))

    with it("loads what each of them declares"):
        expect([catalogue.load(name).name for name in catalogue.names()]).to(
            equal(catalogue.names())
        )

    with it("has a line about each of them"):
        expect(all(map(catalogue.summary, catalogue.names()))).to(equal(True))

    with it("refuses what is none of them, with a list of those there are"):
        for name in ("demisto", "core", "core/alert", "__init__", ""):
            expect(the_error_of(name)).to(
                equal(f"there is no playbook {name!r}: one of {', '.join(catalogue.names())}")
            )

    with description("where a module is broken"):
        with before.each:
            self.directory = tempfile.TemporaryDirectory()
            self.paths = patch.object(
                playbooks, "__path__", [*playbooks.__path__, self.directory.name]
            )
            self.package = patch.object(catalogue, "PACKAGE", Path(self.directory.name))
            self.paths.start()
            self.package.start()

        with after.each:
            self.package.stop()
            self.paths.stop()
            self.directory.cleanup()
            sys.modules.pop("playbooks.broken", None)

        def declared(self, text):
            Path(self.directory.name, "broken.py").write_text(text)
            return the_error_of("broken")

        with it("says why it cannot be imported"):
            said = "cannot be used: ModuleNotFoundError: No module named 'nowhere'"

            expect(self.declared("import nowhere")).to(start_with(f"playbooks/broken.py {said} ("))

        with it("says that it declares nothing, or a playbook of another name"):
            expect(self.declared("playbook = 1")).to(
                contain("playbooks/broken.py declares no playbook: playbook is of int")
            )
            sys.modules.pop("playbooks.broken")
            expect(self.declared("from playbooks.delete import playbook")).to(
                equal("playbooks/broken.py declares the playbook delete, expected broken")
            )
