import ast
import sys
from collections import Counter
from functools import lru_cache
from pathlib import Path

from expects import be_empty, equal, expect
from mamba import description, it

from playbooks.core import catalogue
from specs.support.processes import process
from specs.support.sources import PACKAGE, nodes_of

# Each layer may import itself and these. A program (__main__) wires what it runs, and so may
# import infrastructure, as entrypoints do.
LAYERS = {
    "core": (),
    "reactions": ("core",),
    "infrastructure": ("core",),
    "engines": ("core",),
    "deployment": ("core", "infrastructure", "engines"),
    "simulation": ("core", "infrastructure"),
    "testing": ("core", "infrastructure"),
    "commands": ("core", "deployment", "engines", "infrastructure", "simulation"),
}

# The folders of a layer, each of which may import those before it; and the modules beside them
# that all of them may import.
FOLDERS = {
    "deployment": (
        (
            *("request", "packaging", "manifests", "apply", "nats"),
            *("workers", "removal", "engines", "files"),
        ),
        ("errors", "terminal"),
    ),
    "engines/worker": (
        ("nats", "work", "operator"),
        ("function", "metrics", "settings", "threads", "topics"),
    ),
}

# What core and reactions leave to infrastructure: threads, sleeping, clocks, chance, environment.
IMPURE = ("threading", "time", "random", "os", "secrets", "asyncio", "subprocess", "socket")

# Modules of a folder, beside __init__.
MOST = 14

SUPPORT = PACKAGE.parent / "specs" / "support"

# Public names that two classes have: of the ledger, which asks for a place, and of what is typed.
TWICE = {"Request"}

# Whose names stand in entrypoints, reactions and the playbook's own containment only. Verbs of the
# API are no names, nor is what OUTCOMES_TO calls those who hear of outcomes, or what proves a
# target.
PLAYBOOKS = sorted(path.stem for path in PACKAGE.glob("*.py") if path.stem != "__init__")
VERBS = ("delete", "scale")
TOLD = ("evidence", "notify", "webhook")


def containment_of(playbook):
    """The module of what the playbook leaves on a target; None where it leaves nothing."""
    containment = catalogue.load(playbook).reaction.CONTAINMENT
    return Path(sys.modules[containment.__module__].__file__) if containment else None


def named_elsewhere(sources, containments):
    """Where modules name a playbook beside its entrypoint, reactions, and its own containment."""
    return [
        f"{path.relative_to(PACKAGE).as_posix()}:{node.lineno} {node.value}"
        for path, nodes in sources.items()
        if path.parent != PACKAGE and "reactions" not in path.parts
        for node in nodes
        if isinstance(node, ast.Constant)
        and node.value in containments
        and node.value not in (*VERBS, *TOLD)
        and path != containments[node.value]
    ]


# Imports each module as if it were the first of the package.
ALONE = """\
import sys
for name in sys.argv[1:]:
    for known in [known for known in sys.modules if known.startswith("playbooks")]:
        del sys.modules[known]
    __import__(name)
"""
EACH_ALONE = process(
    *(sys.executable, "-c", ALONE),
    *(f"playbooks.core.{name}" for name in ("ledger.book", "containment.expiry")),
)


@lru_cache(maxsize=None)
def imports_of(path):
    return tuple(_imports(path))


def _imports(path):
    for node in nodes_of(path):
        if isinstance(node, ast.Import):
            yield from (alias.name for alias in node.names)
        elif isinstance(node, ast.ImportFrom):
            package = PACKAGE.parent.joinpath(*node.module.split(".")).is_dir()
            names = [f".{alias.name}" for alias in node.names] if package else [""]
            yield from (f"{node.module}{name}" for name in names)


def imports_of_layer(layer):
    for path in sorted((PACKAGE / layer).rglob("*.py")):
        for name in imports_of(path):
            yield f"{layer}/{path.name}", name


def is_standard(name):
    known = getattr(sys, "stdlib_module_names", None)
    if known is not None:
        return name.partition(".")[0] in known
    return name.partition(".")[0] not in (
        "kubernetes",
        "requests",
        "urllib3",
        "nats",
        "rich",
        "click",
        "yaml",
        "fsspec",
    )


with description("The layers") as self:
    with it("import one way"):
        backwards = [
            f"{file} imports {name}"
            for layer, lower in LAYERS.items()
            for file, name in imports_of_layer(layer)
            if name.startswith("playbooks.")
            and name.split(".")[1] not in (layer, *lower)
            and not (file.endswith("__main__.py") and name.split(".")[1] == "infrastructure")
        ]

        expect(backwards).to(be_empty)

    with it("import one way between their folders, too"):
        backwards = []
        for layer, (folders, beneath) in FOLDERS.items():
            prefix = f"playbooks.{layer.replace('/', '.')}."
            allowed = dict.fromkeys(beneath, beneath)
            allowed.update((name, (*folders[: n + 1], *beneath)) for n, name in enumerate(folders))
            for path in sorted((PACKAGE / layer).rglob("*.py")):
                inside = path.relative_to(PACKAGE / layer)
                part = inside.parts[0].partition(".")[0]
                backwards += [
                    f"{layer}/{inside.as_posix()} imports {name}"
                    for name in imports_of(path)
                    # The modules beside the folders that are not beneath them wire them.
                    if part in allowed
                    and name.startswith(prefix)
                    and name[len(prefix) :].split(".")[0] not in allowed[part]
                ]

        expect(backwards).to(be_empty)

    with it("let the ledger, and what rests on it, be imported before the guards that ask it"):
        expect(EACH_ALONE.result().stderr).to(equal(""))

    with it("keep core and reactions to the standard library"):
        foreign = [
            f"{file} imports {name}"
            for layer in ("core", "reactions")
            for file, name in imports_of_layer(layer)
            if name.partition(".")[0] != "playbooks" and not is_standard(name)
        ]

        expect(foreign).to(be_empty)

    with it("import kubernetes and requests in infrastructure only"):
        files = {
            path.relative_to(PACKAGE).parts[0]
            for path in PACKAGE.rglob("*.py")
            for name in imports_of(path)
            if name.partition(".")[0] in ("kubernetes", "requests", "urllib3", "fsspec")
        }

        expect(files).to(equal({"infrastructure"}))

    with it("import click in the programs only, so that no function needs it"):
        files = {
            path.relative_to(PACKAGE).parts[0]
            for path in PACKAGE.rglob("*.py")
            for name in imports_of(path)
            if name.partition(".")[0] == "click"
        }

        expect(files).to(equal({"commands", "deployment"}))

    with it("leave threads, sleeping, clocks, chance and the environment to infrastructure"):
        impure = [
            f"{file} imports {name}"
            for layer in ("core", "reactions")
            for file, name in imports_of_layer(layer)
            if name.partition(".")[0] in IMPURE
        ]

        expect(impure).to(be_empty)

    with it("have no more modules in a folder than one can keep in the head"):
        folders = {path.parent for path in PACKAGE.rglob("*.py")} - {PACKAGE}
        folders |= {path.parent for path in SUPPORT.rglob("*.py")}
        counted = {
            folder.relative_to(PACKAGE.parent).as_posix(): len(
                [path for path in folder.glob("*.py") if not path.stem.startswith("__init__")]
            )
            for folder in folders
        }
        over = {name: n for name, n in counted.items() if n > MOST}

        expect(over).to(equal({}))

    with it("give no two public classes one name"):
        found = Counter(
            node.name
            for path in PACKAGE.rglob("*.py")
            for node in nodes_of(path)[0].body
            if isinstance(node, ast.ClassDef) and not node.name.startswith("_")
        )

        expect({name for name, number in found.items() if number > 1} - TWICE).to(equal(set()))

    with it("name a playbook in its entrypoint, its reaction and its own containment only"):
        sources = {path: nodes_of(path) for path in PACKAGE.rglob("*.py")}
        containments = {name: containment_of(name) for name in PLAYBOOKS}

        expect(named_elsewhere(sources, containments)).to(be_empty)

    with it("let a containment have the name of its own playbook, and of no other"):
        path = PACKAGE / "core" / "containment" / "pausing.py"
        named = tuple(ast.walk(ast.parse("FIELD = 'pause'\nOTHER = 'taint'")))
        found = named_elsewhere({path: named}, {"pause": path, "taint": None})

        expect(found).to(equal(["core/containment/pausing.py:2 taint"]))

    with it("compare no playbook's name with another"):
        compared = [
            f"{path.relative_to(PACKAGE).as_posix()}:{node.lineno}"
            for path in PACKAGE.rglob("*.py")
            for node in nodes_of(path)
            if isinstance(node, ast.Compare)
            and any(
                isinstance(side, ast.Constant) and side.value in PLAYBOOKS
                for side in (node.left, *node.comparators)
            )
        ]

        expect(compared).to(be_empty)
