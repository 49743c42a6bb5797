from pathlib import Path

from expects import contain, end_with, equal, expect, raise_error
from mamba import description, it

from playbooks.core import catalogue
from playbooks.core.errors import InvalidSetting
from specs.support.own_playbooks import a_directory, declared


def the_error_of(path):
    try:
        catalogue.named(str(path))
    except InvalidSetting as error:
        return str(error)
    raise AssertionError(f"{path} was taken")


with description("A playbook in a file") as self:
    with it("is one of the playbooks from then on, by the name that it declares"):
        with a_directory(acme_quarantine=declared("acme-quarantine")) as directory:
            expect(catalogue.names()).not_to(contain("acme-quarantine"))

            expect(catalogue.named(str(directory / "acme_quarantine.py"))).to(
                equal("acme-quarantine")
            )
            expect(catalogue.names()).to(contain("acme-quarantine", "delete"))
            expect(catalogue.typed("acme-quarantine")).to(
                equal(str(directory / "acme_quarantine.py"))
            )
            expect(catalogue.typed("delete")).to(equal("delete"))
            expect(catalogue.load("acme-quarantine").name).to(equal("acme-quarantine"))
            expect(catalogue.summary("acme-quarantine")).to(equal("Do what is done about it here."))

    with it("may lie beside something else, such as the file that names it"):
        with a_directory(acme_beside=declared("beside")) as directory:
            expect(catalogue.named("./acme_beside.py", directory)).to(equal("beside"))

    with it("imports what lies beside it"):
        text = f"from acme_shared import X\n{declared('sharing')}"
        with a_directory(acme_sharing=text, acme_shared="X = 1") as directory:
            expect(catalogue.named(str(directory / "acme_sharing.py"))).to(equal("sharing"))

    with it("is one of ours where it lies among them"):
        own = Path(catalogue.PACKAGE) / "delete.py"

        expect(catalogue.named(str(own))).to(equal("delete"))

    with description("that cannot be used"):
        with it("is refused where there is none"):
            expect(the_error_of("./nowhere.py")).to(
                equal("there is no playbook nowhere.py: there is no such file")
            )
            expect(the_error_of("core/alert")).to(contain("there is no playbook core/alert"))

        with it("is refused with the name of one of ours"):
            with a_directory(acme_delete=declared("delete")) as directory:
                path = directory / "acme_delete.py"

                expect(the_error_of(path)).to(
                    equal(
                        f"{path} declares the playbook delete, which is one of this package:"
                        " expected another name"
                    )
                )
                expect(catalogue.load("delete").name).to(equal("delete"))

        with it("is refused with a name that a deployment of one of ours may have"):
            with a_directory(acme_all=declared("delete-all")) as directory:
                path = directory / "acme_all.py"

                expect(the_error_of(path)).to(
                    equal(
                        f"{path} declares the playbook delete-all, expected a name that does not"
                        " begin with delete-: accounts of such names are those of delete"
                    )
                )

        with it("is refused with a name that no Function can have"):
            with a_directory(acme_name=declared("Acme_Q")) as directory:
                expect(the_error_of(directory / "acme_name.py")).to(
                    contain("declares a playbook 'Acme_Q', expected a name of lowercase letters")
                )

        with it("is refused without a playbook"):
            with a_directory(acme_none="x = 1", acme_other="playbook = 1") as directory:
                expect(the_error_of(directory / "acme_none.py")).to(
                    contain("acme_none.py cannot be used: AttributeError: ", "'playbook'")
                )
                expect(the_error_of(directory / "acme_other.py")).to(
                    contain("declares no playbook: playbook is of int, expected a Playbook")
                )

        with it("is refused with what it raises"):
            with a_directory(acme_broken="import nowhere", acme_wrong="1 / 0") as directory:
                expect(the_error_of(directory / "acme_broken.py")).to(
                    contain("cannot be used: ModuleNotFoundError: No module named 'nowhere'")
                )
                expect(the_error_of(directory / "acme_wrong.py")).to(
                    contain("cannot be used: ZeroDivisionError: division by zero")
                )

        with it("is refused with the line that raises, in whichever of its files that is"):
            files = {
                "acme_calls": "\nimport acme_table",
                "acme_table": "import json\njson.loads('')",
            }
            with a_directory(acme_syntax="x = (", **files) as directory:
                expect(the_error_of(directory / "acme_calls.py")).to(
                    end_with(f"char 0) ({directory / 'acme_table.py'}, line 2)")
                )
                expect(the_error_of(directory / "acme_syntax.py")).to(
                    end_with("(acme_syntax.py, line 1)")
                )

        with it("is refused where it ends the program"):
            with a_directory(acme_ends="raise SystemExit(3)") as directory:
                expect(the_error_of(directory / "acme_ends.py")).to(
                    contain("acme_ends.py cannot be used: SystemExit: 3 (")
                )

        with it("is refused where it is called as another module, which is not imported for it"):
            with a_directory(token=declared("acme"), this=declared("zen")) as directory:
                for name in ("token", "this"):
                    expect(the_error_of(directory / f"{name}.py")).to(
                        contain(f"{name} is another module of this Python", "rename the file")
                    )

        with it("is refused with a name that cannot be imported"):
            with a_directory(**{"acme-q": declared("acme-q")}) as directory:
                expect(the_error_of(directory / "acme-q.py")).to(
                    contain("expected letters, digits and '_', and .py, as its name")
                )

    with it("hides nothing that is installed: its directory is looked in last"):
        with a_directory(acme_last=declared("last"), json="raise SystemExit") as directory:
            catalogue.named(str(directory / "acme_last.py"))

            expect(lambda: __import__("json").loads("{")).to(raise_error(ValueError))
