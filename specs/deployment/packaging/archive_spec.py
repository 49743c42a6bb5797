import ast
import base64
import io
import os
import tempfile
import zipfile
from functools import lru_cache
from pathlib import Path

from expects import be_below, be_empty, contain, equal, expect, have_len, raise_error
from mamba import after, before, description, it

from playbooks.core import catalogue
from playbooks.deployment.errors import DeploymentError, TooLarge
from playbooks.deployment.packaging.archive import (
    archive,
    import_of,
    package_files,
    too_large,
    worker_archive,
)
from specs.support.own_playbooks import a_directory, declared, install
from specs.support.sources import nodes_in

made = lru_cache(maxsize=None)(archive)


def the_files(content):
    return zipfile.ZipFile(io.BytesIO(content)).namelist()


@lru_cache(maxsize=None)
def ours_in(source):
    """The modules of ours that it imports from."""
    return {
        node.module
        for node in nodes_in(source)
        if isinstance(node, ast.ImportFrom) and node.module.startswith("playbooks")
    }


with description("The archive of a worker") as self:
    with it("has the programs that run in its pod, and what they import"):
        files = the_files(worker_archive("isolate"))
        worker = "playbooks/engines/worker"

        for program in ("__main__", "operator/__main__", "operator/inspection"):
            expect(files).to(contain(f"{worker}/{program}.py"))
        expect(files).to(contain("playbooks/isolate.py", f"{worker}/nats/jetstream.py"))


with description("The files for an engine of its own") as self:
    with it("has the playbook, the modules that the engine names, and what they import"):
        files = [*package_files("delete", ["engines/recorders"])]

        for path in ("delete", "engines/recorders", "engines/outcome_log", "reactions/delete_pod"):
            expect(files).to(contain(f"playbooks/{path}.py"))
        expect([path for path in files if "/worker/" in path]).to(be_empty)


with description("The archive of a playbook") as self:
    with it("has its entrypoint at the top and the package beside it"):
        expect(the_files(made("delete"))).to(
            contain("delete.py", "playbooks/__init__.py", "playbooks/core/__init__.py")
        )

    with it("has what the entrypoint imports, and what that imports"):
        expect(the_files(made("delete"))).to(
            contain(
                "playbooks/reactions/delete_pod.py",
                "playbooks/engines/kubeless.py",
                "playbooks/engines/outcome_log.py",
                "playbooks/core/alert.py",
                "playbooks/infrastructure/kubernetes/api.py",
            )
        )

    with it("has nothing else"):
        for playbook in catalogue.names():
            files = the_files(made(playbook))
            top = {file for file in files if "/" not in file}
            entrypoints = {f"playbooks/{name}.py" for name in catalogue.names()}
            foreign = [
                f for f in files if "deployment" in f or "local" in f or not f.endswith(".py")
            ]

            expect(top).to(equal({f"{playbook}.py"}))
            expect(entrypoints & set(files)).to(be_empty)
            expect(foreign).to(be_empty)

    with it("has only the reaction and the clients that it uses"):
        expect(the_files(made("slack"))).not_to(
            contain("playbooks/infrastructure/kubernetes/api.py")
        )

    with it("holds every module of ours that its modules import"):
        for playbook in catalogue.names():
            opened = zipfile.ZipFile(io.BytesIO(made(playbook)))
            modules = {name[: -len(".py")].replace("/", ".") for name in opened.namelist()}
            packages = {m[: -len(".__init__")] for m in modules if m.endswith(".__init__")}
            wanted = {each for name in opened.namelist() for each in ours_in(opened.read(name))}

            expect(wanted - modules - packages).to(be_empty)

    with it("has the same bytes every time, whenever the files were written"):
        opened = zipfile.ZipFile(io.BytesIO(made("delete")))

        expect(archive("delete")).to(equal(made("delete")))
        expect({entry.date_time for entry in opened.infolist()}).to(equal({(1980, 1, 1, 0, 0, 0)}))
        expect(opened.namelist()).to(equal(sorted(opened.namelist())))

    with it("can be read by the function's user"):
        opened = zipfile.ZipFile(io.BytesIO(made("delete")))

        expect({entry.external_attr >> 16 for entry in opened.infolist()}).to(equal({0o100644}))

    with it("is small"):
        for playbook in catalogue.names():
            expect(len(made(playbook))).to(be_below(256 * 1024))

    with description("of a package of its own"):
        with before.each:
            self.directory = tempfile.TemporaryDirectory()
            self.package = Path(self.directory.name, "playbooks")
            self.package.mkdir()
            (self.package / "__init__.py").touch()

        with after.each:
            self.directory.cleanup()

        with it("is refused above 700 KiB, with its size"):
            noise = base64.b85encode(os.urandom(700 * 1024)).decode()
            (self.package / "big.py").write_text(f"# {noise}")

            expect(lambda: archive("big", self.package)).to(
                raise_error(
                    TooLarge,
                    contain("the archive of big has", "KiB, and a Function can hold 700"),
                )
            )
            expect(too_large(lambda: archive("big", self.package))).to(have_len(1))
            expect(too_large(lambda: archive("delete"))).to(be_empty)

        with it("follows every way to import a module"):
            for name in ("one", "two", "three", "unused"):
                (self.package / f"_{name}.py").touch()
            (self.package / "entry.py").write_text(
                "import playbooks._one\nfrom playbooks import _two\n"
                "from playbooks._three import something\n"
            )

            expect(the_files(archive("entry", self.package))).to(
                equal(
                    [
                        "entry.py",
                        "playbooks/__init__.py",
                        "playbooks/_one.py",
                        "playbooks/_three.py",
                        "playbooks/_two.py",
                    ]
                )
            )


with description("The archive of a playbook outside of the package") as self:
    with it("has its file at the top, and what that imports from its directory"):
        text = f"from acme_shared import X\n{declared('acme-net')}"
        files = {
            "acme_net": text,
            "acme_shared": "import acme_more\nX = 1",
            "acme_more": "",
            "other": "",
        }
        with a_directory(**files) as directory:
            name = catalogue.named(str(directory / "acme_net.py"))
            found = the_files(worker_archive(name))
            handled = zipfile.ZipFile(io.BytesIO(archive(name)))

        expect(found).to(contain("acme_net.py", "acme_shared.py", "acme_more.py"))
        expect(found).to(contain("playbooks/acme-net.py", "playbooks/reactions/delete_pod.py"))
        expect(found).not_to(contain("other.py"))
        expect(handled.read("acme-net.py")).to(
            equal(
                b"from acme_net import playbook\n"
                b"from playbooks.engines import kubeless\n\n"
                b"handler = kubeless.handler(playbook)\n"
            )
        )

    with it("is imported by the module of an engine from where it is, whatever its name"):
        text = (
            declared("acme-net").replace("playbook = ", "ours = ").replace("(playbook)", "(ours)")
        )
        with a_directory(acme_net=text) as directory:
            install(directory, acme_net="acme_net:ours")

            expect(import_of("acme-net")).to(equal("from acme_net import ours as playbook"))
        expect(import_of("delete")).to(equal("from playbooks.delete import playbook"))

    with it("has the file itself for Kubeless, where it is called as the playbook"):
        with a_directory(acmenet=declared("acmenet")) as directory:
            name = catalogue.named(str(directory / "acmenet.py"))
            opened = zipfile.ZipFile(io.BytesIO(archive(name)))

        expect(opened.read("acmenet.py").decode()).to(equal(declared("acmenet")))
        expect(opened.namelist()).to(contain("playbooks/engines/kubeless.py"))

    with it("has what an installed package imports of itself, also relatively"):
        with a_directory() as directory:
            package = directory / "acme_package"
            (package / "deep").mkdir(parents=True)
            (package / "__init__.py").write_text(f"from .deep import one\n{declared('acme')}")
            (package / "deep" / "__init__.py").touch()
            (package / "deep" / "one.py").write_text("from ..two import X\nimport acme_else")
            (package / "two.py").write_text("X = 1")
            (package / "three.py").touch()
            (directory / "acme_else.py").touch()
            install(directory, acme="acme_package:playbook")
            found = [path for path in the_files(worker_archive("acme")) if "acme" in path]

        expect(found).to(
            equal(
                [
                    "acme_package/__init__.py",
                    "acme_package/deep/__init__.py",
                    "acme_package/deep/one.py",
                    "acme_package/two.py",
                    "playbooks/acme.py",
                ]
            )
        )

    with it("is refused for Kubeless without a handler, and for nothing else"):
        text = declared("acmebare").replace("handler = ", "other = ")
        with a_directory(acmebare=text) as directory:
            name = catalogue.named(str(directory / "acmebare.py"))

            expect(lambda: archive(name)).to(
                raise_error(DeploymentError, contain("acmebare.py has no handler, which Kubeless"))
            )
            expect(the_files(worker_archive(name))).to(contain("acmebare.py"))

    with it("is refused with a module that would hide another's"):
        with a_directory(acme_h=f"import yaml\n{declared('acme-h')}", yaml="") as directory:
            name = catalogue.named(str(directory / "acme_h.py"))

            expect(lambda: worker_archive(name)).to(
                raise_error(DeploymentError, contain("yaml.py is called as another module"))
            )
