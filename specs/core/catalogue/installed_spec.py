from expects import contain, equal, expect
from mamba import description, it

from playbooks.core import catalogue
from playbooks.core.errors import InvalidSetting
from specs.support.own_playbooks import a_directory, declared, install


def the_error_of(call, *arguments):
    try:
        call(*arguments)
    except InvalidSetting as error:
        return str(error)
    raise AssertionError(f"{arguments} was taken")


with description("A playbook of an installed package") as self:
    with it("is one of the playbooks, by the name of its entry point"):
        with a_directory(acme_q=declared("acme-q")) as directory:
            install(directory, acme_q="acme_q:playbook")

            expect(catalogue.names()).to(contain("acme-q", "delete"))
            expect(catalogue.own_names()).not_to(contain("acme-q"))
            expect(catalogue.load("acme-q").name).to(equal("acme-q"))
            expect(catalogue.named("acme-q")).to(equal("acme-q"))

    with it("is found by the name of its distribution, as pip takes that"):
        with a_directory(acme_q=declared("acme-q")) as directory:
            install(directory, "Acme-Playbooks", acme_q="acme_q:playbook")

            for typed in ("acme-playbooks", "Acme_Playbooks"):
                expect(catalogue.named(typed)).to(equal("acme-q"))

    with it("keeps a name that nobody has as it is"):
        expect(catalogue.named("demisto")).to(equal("demisto"))

    with description("that cannot be used"):
        with it("is refused without an entry point"):
            with a_directory() as directory:
                install(directory, "acme-none")

                expect(the_error_of(catalogue.named, "acme-none")).to(
                    equal(
                        "acme-none is installed, and has no entry point in the group"
                        ' falco_playbooks, expected one such as acme-none = "acme_none:playbook"'
                    )
                )

        with it("is refused where a distribution has several, or several have the name"):
            with a_directory() as directory:
                install(directory, "acme-many", acme_a="a:playbook", acme_b="b:playbook")
                install(directory, "acme-other", acme_b="c:playbook")

                expect(the_error_of(catalogue.named, "acme-many")).to(
                    contain("may be entry point acme-a of acme-many 1.2 (a:playbook) or entry")
                )
                expect(the_error_of(catalogue.load, "acme-b")).to(
                    contain("of acme-many 1.2 (b:playbook) or entry point acme-b of acme-other")
                )

        with it("is refused with the name of one of ours, which stays what it is"):
            with a_directory(acme_q=declared("delete")) as directory:
                install(directory, delete="acme_q:playbook")

                for typed in ("delete", "acme-playbooks"):
                    expect(the_error_of(catalogue.named, typed)).to(
                        equal(
                            "entry point delete of acme-playbooks 1.2 (acme_q:playbook) has the"
                            " name of a playbook of this package: expected another name"
                        )
                    )
                expect(catalogue.load("delete").build.__module__).to(equal("playbooks.delete"))

        with it("is refused with a name that a deployment of one of ours may have"):
            with a_directory(acme_q=declared("taint-all")) as directory:
                install(directory, taint_all="acme_q:playbook")

                expect(the_error_of(catalogue.load, "taint-all")).to(
                    contain("declares the playbook taint-all, expected a name that does not begin")
                )

        with it("is refused where it declares a playbook of another name"):
            with a_directory(acme_q=declared("quarantine")) as directory:
                install(directory, acme_q="acme_q:playbook")

                expect(the_error_of(catalogue.load, "acme-q")).to(
                    contain("declares the playbook quarantine, expected acme-q")
                )

        with it("is refused where its entry point leads nowhere"):
            for value, said in (
                ("nowhere:playbook", "cannot be used: ImportError: No module named 'nowhere'"),
                ("acme_q", "cannot be used: expected MODULE:NAME of a Playbook"),
                ("acme_q:none", "cannot be used: AttributeError"),
                ("zlib:playbook", "is no file of Python source"),
            ):
                with a_directory(acme_q=declared("acme-q")) as directory:
                    install(directory, acme_q=value)

                    expect(the_error_of(catalogue.load, "acme-q")).to(contain(said))

        with it("keeps nothing of ours from being released"):
            with a_directory(acme_q="1 / 0") as directory:
                install(directory, acme_q="acme_q:playbook")

                expect([each.name for each in catalogue.containing("node")]).to(
                    contain("cordon", "taint")
                )
