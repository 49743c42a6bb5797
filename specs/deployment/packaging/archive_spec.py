import ast
import base64
import io
import os
import tempfile
import zipfile
from functools import lru_cache
from pathlib import Path

from expects import be_below, be_empty, contain, equal, expect, raise_error
from mamba import after, before, description, it

from playbooks.core import catalogue
from playbooks.deployment.errors import DeploymentError
from playbooks.deployment.packaging.archive import archive, package_archive, worker_archive

made = lru_cache(maxsize=None)(archive)


def the_files(content):
    return zipfile.ZipFile(io.BytesIO(content)).namelist()


@lru_cache(maxsize=None)
def ours_in(source):
    """The modules of ours that it imports from."""
    return {
        node.module
        for node in ast.walk(ast.parse(source))
        if isinstance(node, ast.ImportFrom) and node.module.startswith("playbooks")
    }


with description("The archive of a worker") as self:
    with it("has the programs that run in its pod, and what they import"):
        files = the_files(worker_archive("isolate"))
        worker = "playbooks/engines/worker"

        for program in ("__main__", "operator/__main__", "operator/inspection"):
            expect(files).to(contain(f"{worker}/{program}.py"))
        expect(files).to(contain("playbooks/isolate.py", f"{worker}/nats/jetstream.py"))


with description("The archive for an engine of its own") as self:
    with it("has the playbook, the modules that the engine names, and what they import"):
        files = the_files(package_archive("delete", ["engines/recorders"]))

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
            expect(len(made(playbook))).to(be_below(160 * 1024))

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
                    DeploymentError,
                    contain("the archive of big has", "KiB, and a Function can hold 700"),
                )
            )

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
