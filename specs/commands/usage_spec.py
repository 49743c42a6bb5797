import re

from click.shell_completion import BashComplete
from expects import be_empty, contain, end_with, equal, expect, start_with
from mamba import description, it

from playbooks.commands.__main__ import main, program
from playbooks.commands.options import Session
from playbooks.core.errors import NoCluster
from specs.commands.fake_cluster import FakeCluster, a_cluster, run
from specs.support.programs import completed_by_bash

FUNCTION = re.compile(r"there is no Function (\S+),")


def the_error_of(*arguments):
    answer = run(*arguments)
    expect(answer.code).to(equal(2))
    return answer.err


def the_function_of(*arguments, cluster=None):
    """The namespace and name that it looks for, in a cluster which has none."""
    said = run(*arguments, cluster=cluster or FakeCluster()).err
    return FUNCTION.search(said).group(1)


def the_ids_of(*arguments):
    """What the worker is asked to do, with the ids."""
    cluster = a_cluster()
    expect(run("dead", "-p", "delete", *arguments, cluster=cluster).code).to(equal(0))
    words = cluster.executed[0]
    return words[4], [int(word) for word in words if word.isdigit()]


def completed(*words):
    """What the last of the words may become."""
    complete = BashComplete(program, {}, "falco-playbook", "_FALCO_PLAYBOOK_COMPLETE")
    return [found.value for found in complete.get_completions(list(words[:-1]), words[-1])]


with description("What was typed to falco-playbook") as self:
    with it("is refused without a command, with the help"):
        expect(the_error_of()).to(contain("COMMAND", "check", "dead", "token"))

    with it("is refused for a command that is none, and says where the help is"):
        expect(the_error_of("ded")).to(
            contain("falco-playbook: error: no such command 'ded'", "(see 'falco-playbook -h')")
        )

    with it("is refused without a playbook"):
        expect(the_error_of("dead")).to(
            contain("no playbook is given: expected -p PLAYBOOK, or -N NAME")
        )

    with it("is refused for what cannot be a name or a namespace, both at once"):
        expect(the_error_of("token", "-p", "Delete", "-n", "my_shop")).to(
            contain("'Delete' cannot be a name", "'my_shop' cannot be a namespace: ")
        )

    with it("is refused for ids that are none, each named"):
        for wrong in ("x", "0", "1.5", "FALCO:5", "9" * 30):
            expect(the_error_of("dead", "-p", "delete", "--redeliver", "3", wrong)).to(
                contain(f"--redeliver '{wrong}' is no ID, expected a number")
            )

    with it("is refused for an unknown output"):
        expect(the_error_of("dead", "-p", "delete", "-o", "yaml")).to(contain("'yaml'", "json"))

    with it("may have long options, and a value with or without a space or an equals sign"):
        for typed in (
            ("-p", "slack", "-N", "audit", "-n", "shop"),
            ("--playbook", "slack", "--name", "audit", "--namespace", "shop"),
            ("--playbook=slack", "--name=audit", "--namespace=shop"),
            ("-p=slack", "-N=audit", "-n=shop"),
            ("-pslack", "-Naudit", "-nshop"),
        ):
            expect(the_function_of("dead", *typed)).to(equal("shop/falco-audit"))

    with it("may name another context of the kubeconfig, which every call then is about"):
        asked = []

        def connect(context):
            asked.append(context)
            return a_cluster()

        def client(context):
            asked.append(context)
            raise NoCluster(f"there is no context {context}")

        dead = run("dead", "-p", "delete", "--context", "staging", connect=connect)
        undo = run("undo", "pod/a", "--context=prod", connect=connect, client=client)

        expect(dead.code).to(equal(0))
        expect((undo.code, undo.err)).to(
            equal((1, "falco-playbook: error: there is no context prod\n"))
        )
        expect(asked).to(equal(["staging", "prod", "prod"]))

    with it("has no options that are cut short"):
        expect(the_error_of("dead", "-p", "delete", "--redel")).to(contain("--redel"))

    with it("is refused for an image that has no name"):
        for wrong in ("", "a b"):
            expect(the_error_of("check", "-p", "isolate", "--image", wrong)).to(
                contain(f"--image is {wrong!r}, expected the name of an image")
            )

    with it("is refused for an option of another command, with that command's help"):
        expect(the_error_of("dead", "-p", "delete", "--image", "a:1")).to(
            contain("no such option", "--image", "(see 'falco-playbook dead -h')")
        )
        expect(the_error_of("dead", "-p", "delete", "--rotate")).to(contain("--rotate"))

    with it("is for the name that was deployed, which is the playbook's unless -N gives another"):
        expect(the_function_of("dead", "-p", "taint")).to(end_with("/falco-taint"))
        expect(the_function_of("dead", "-p", "slack", "-N", "audit")).to(end_with("/falco-audit"))
        expect(the_function_of("dead", "-N", "audit")).to(end_with("/falco-audit"))

    with it("is for the kubeconfig's namespace unless -n gives another"):
        cluster = FakeCluster(namespace="ops")
        expect(the_function_of("dead", "-p", "delete", cluster=cluster)).to(start_with("ops/"))
        expect(the_function_of("token", "-p", "delete", "-n", "shop", cluster=cluster)).to(
            start_with("shop/")
        )

    with it("lists, unless --redeliver is given: all, or some once each"):
        expect(the_ids_of()).to(equal(("dead-letters", [])))
        expect(the_ids_of("--redeliver", "--all")).to(equal(("redeliver", [])))
        expect(the_ids_of("--redeliver", "18", "3", "18")).to(equal(("redeliver", [3, 18])))

    with it("drops, where --drop is given, and does not redeliver as well"):
        expect(the_ids_of("--drop", "18", "3")).to(equal(("drop", [3, 18])))
        expect(the_ids_of("--all", "--drop")).to(equal(("drop", [])))
        expect(the_error_of("dead", "-p", "delete", "--drop", "x")).to(contain("--drop 'x' is no"))
        expect(the_error_of("dead", "-p", "delete", "--drop", "3", "--redeliver", "4")).to(
            contain("--redeliver is not allowed with --drop")
        )

    with it("is refused for all dead letters where --all is not given, or given with ids"):
        for option in ("--redeliver", "--drop"):
            expect(the_error_of("dead", "-p", "delete", option)).to(
                contain(f"{option} is given alone, expected IDs", "or --all")
            )
            expect(the_error_of("dead", "-p", "delete", option, "--all", "3")).to(
                contain("--all is not allowed with IDs (3)")
            )
        expect(the_error_of("dead", "-p", "delete", "--all")).to(
            contain("--all: expected --redeliver or --drop")
        )

    with it("is refused for ids without what to do with them"):
        expect(the_error_of("dead", "-p", "delete", "17")).to(
            contain("expected --redeliver or --drop")
        )


with description("falco-playbook") as self:
    with it("says its version, and helps, without a cluster"):
        for words in (["--version"], ["-h"], *([name, "-h"] for name in program.commands)):
            said = run(*words, cluster=FakeCluster())

            expect((said.code, said.err)).to(equal((0, "")))
            expect(said.out).to(contain("falco-playbook"))

    with it("shows examples of every command that it takes, in 80 columns"):
        for name in program.commands:
            text = run(name, "-h").out
            shown = [line for line in text.splitlines() if line.startswith("    falco-playbook ")]

            expect(shown).not_to(be_empty)
            expect([line for line in text.splitlines() if len(line) > 80 and "|" not in line]).to(
                be_empty
            )

    with it("prints completion scripts, and completes commands, options and playbooks"):
        expect(run("completion", "zsh").out).to(contain("#compdef falco-playbook"))
        for words, found in (
            (["pa"], "pause"),
            (["dead", "--re"], "--redeliver"),
            (["dead", "-p", "ta"], "taint"),
            (["dead", "-o", "j"], "json"),
        ):
            expect(completed(*words)).to(equal([found]))

    with it("completes in the shell what was typed"):
        found = completed_by_bash(
            lambda: main((), Session(FakeCluster, {})), "falco-playbook", "pa"
        )

        expect(found).to(equal(["pause"]))
