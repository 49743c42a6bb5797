import io
import shlex
from contextlib import redirect_stdout
from unittest.mock import patch

import click
from click.shell_completion import BashComplete
from expects import be_above, be_empty, contain, equal, expect, have_len, start_with
from mamba import before, description, it

from playbooks.core import catalogue
from playbooks.deployment import VERSION, command_line, verbs
from playbooks.deployment.__main__ import main
from playbooks.deployment.engines import registry
from playbooks.deployment.request.options import Options
from specs.deployment.fake_objects import FakeObjects
from specs.deployment.mothers import run
from specs.support.programs import completed_by_bash

LONG = {
    "-p": "--playbook",
    "-f": "--filename",
    "-t": "--topic",
    "-e": "--env",
    "-s": "--secret",
    "-n": "--namespace",
    "-N": "--name",
    "-r": "--runtime",
    "-E": "--engine",
    "-i": "--image",
    "-R": "--replicas",
    "-P": "--patch",
    "-v": "--verbose",
    "-S": "--set-up",
    "-d": "--dry-run",
    "-y": "--yes",
    "-x": "--remove",
    "-l": "--list",
}

TYPED = (
    *("-p", "delete", "-t", "a", "-t", "b", "-e", "A=1", "-e", "B=2", "-s", "C=d/e", "-n", "ops"),
    *("-N", "quick", "-r", "python3.9", "-E", "kubernetes", "-i", "x", "-R", "2", "-P", "file"),
    *("-v", "-S", "-d", "-y", "-x", "-l"),
)


def completed(*words):
    """What a shell offers for the last word."""
    name, variable = "deploy_playbook", "_DEPLOY_PLAYBOOK_COMPLETE"
    shell = BashComplete(command_line.program, {}, name, variable)
    return [item.value for item in shell.get_completions(list(words[:-1]), words[-1])]


with description("The command line of deploy_playbook") as self:
    with it("shows its help where nothing is typed"):
        bare = run()

        expect((bare.code, bare.err)).to(equal((0, "")))
        expect(bare.out).to(equal(run("--help").out))

    with it("takes everything by short options"):
        expect(command_line.parse(TYPED)).to(
            equal(
                Options(
                    playbook="delete",
                    values=("A=1", "B=2"),
                    references=("C=d/e",),
                    topics=("a", "b"),
                    namespace="ops",
                    name="quick",
                    runtime="python3.9",
                    engine="kubernetes",
                    set_up=True,
                    show=True,
                    remove=True,
                    list=True,
                    yes=True,
                    own={"image": "x", "replicas": 2, "patch": "file", "reasons": True},
                )
            )
        )

    with it("takes the same by long ones"):
        long = [LONG.get(word, word) for word in TYPED]

        expect(command_line.parse(long)).to(equal(command_line.parse(TYPED)))

    with it("takes files of alerts between options and after them"):
        options = command_line.parse(["-E", "local", "a.jsonl", "--http", "80", "-p", "x", "-"])

        expect(options.own).to(equal({"files": ("a.jsonl", "-"), "http_port": 80}))

    with it("asks the cluster of the context that is named"):
        asked = []
        cluster = FakeObjects()

        def connect(context, kubeconfig):
            asked.append(context)
            return cluster

        tools = verbs.Tools({}, connect, lambda seconds: None)
        with redirect_stdout(io.StringIO()):
            command_line.run(["-x", "-p", "delete", "--context", "staging"], tools)
            command_line.run(["-x", "-p", "delete"], tools)

        expect(asked).to(equal(["staging", ""]))

    with it("says its version"):
        expect(run("--version").out).to(equal(f"deploy_playbook, version {VERSION}\n"))

    with it("has help with every option, every engine and examples, in a width that fits"):
        for flag in ("-h", "--help"):
            answer = run(flag)

            expect(answer.code).to(equal(0))
            expect(answer.out).to(start_with("Usage: deploy_playbook [OPTIONS] [FILE]...\n"))
            expect(answer.out).to(contain(*LONG, *LONG.values(), *registry.known()))
            expect(answer.out).to(contain("\n  deploy_playbook -x -p delete -n responders\n"))
            expect([line for line in answer.out.splitlines() if len(line) > 100]).to(be_empty)

    with it("shows examples that it takes"):
        lines = [line for line in run("-h").out.splitlines() if line.startswith("  deploy_play")]

        expect(len(lines)).to(be_above(5))
        for line in lines:
            command_line.parse(shlex.split(line)[1:])

    with it("refuses what it does not know with code 2, on one line"):
        for typed in (("--forced",), ("-R", "many"), ("-E", "no-engine"), ("-p",)):
            answer = run(*typed)

            expect(answer.code).to(equal(2))
            expect(answer.err.splitlines()).to(have_len(1))
            expect(answer.err).to(start_with("deploy_playbook: error: "))
            expect(answer.err).to(contain(typed[0], "(deploy_playbook -h shows how it is used)"))

    with it("prints what completes it in each shell"):
        for shell in ("bash", "zsh", "fish"):
            printed = run("completion", shell).out

            expect(printed).to(contain("_DEPLOY_PLAYBOOK_COMPLETE", f"{shell}_complete"))
        expect(run("completion", "tcsh").code).to(equal(2))

    with it("does the same by verbs as by options"):
        expect(run("list").out).to(equal(run("-l").out))
        expect(run("list", "-p", "taint").out).to(equal(run("-l", "-p", "taint").out))
        expect(run("set-up", "-d").out).to(equal(run("-S", "-d").out))
        cluster = FakeObjects()
        run("deploy", "-p", "delete", "-t", "falco.>", cluster=cluster)
        expect(cluster.names).to(contain("Function falco-delete"))
        run("remove", "-p", "delete", cluster=cluster)
        expect(cluster.names).not_to(contain("Function falco-delete"))

    with it("says which command is meant by one that is none"):
        said = run("remvoe", "-p", "delete")

        expect((said.code, said.out)).to(equal((2, "")))
        expect(said.err).to(contain("no such command 'remvoe', did you mean remove?"))

    with it("lists the settings of one playbook, and refuses one that is none"):
        one, none = run("-l", "-p", "taint"), run("-l", "-p", "tant")

        expect(one.out).to(start_with("taint\n    Taint the node"))
        expect(run("-l").out).to(contain(one.out))
        expect(one.out).not_to(contain("GRACE_PERIOD_SECONDS"))
        expect((none.code, "did you mean taint?" in none.err)).to(equal((2, True)))

    with it("sets a cluster up without what it would ignore"):
        deploying = run("-S", "-p", "delete", "-t", "falco.>", "--release", "-x")
        expect(run("-S", "-y", "-d").code).to(equal(0))
        of_nats = run("set-up", "-e", "A=b", "-N", "x", "-i", "y")

        expect((deploying.code, deploying.out)).to(equal((2, "")))
        expect(deploying.err).to(contain("-S only sets the cluster up: take out -t, -x, --release"))
        expect(of_nats.code).to(equal(2))
        for flag in ("-i", "-N", "-e"):
            expect(of_nats.err).to(contain(f"{flag} is for --with-nats only"))

    with it("asks the cluster of the kubeconfig that is named"):
        asked = []

        def connect(context="", kubeconfig=""):
            asked.append((context, kubeconfig))
            return FakeObjects()

        with redirect_stdout(io.StringIO()):
            given = ("--kubeconfig", "other", "--context", "staging")
            command_line.run(["remove", "-p", "delete", *given], verbs.Tools({}, connect))

        expect(asked).to(equal([("staging", "other")]))

    with it("says which playbook, topic or setting may be meant"):
        for typed, meant in (
            (("-p", "delte", "-t", "falco.>"), "delete"),
            (("-p", "delete", "-t", "falco.critcal.*"), "critical"),
            (("-p", "delete", "-t", "falco.>", "-e", "NAMESPACS=a"), "NAMESPACES"),
        ):
            expect(run(*typed).err).to(contain(f"did you mean {meant}?"))

    with it("completes options, playbooks and engines in bash"):
        in_bash = completed_by_bash(
            lambda: main((), verbs.Tools({}, FakeObjects)), "deploy_playbook", "--name"
        )

        expect(in_bash).to(equal(["--namespace", "--name"]))
        expect(completed("-p", "")).to(equal(catalogue.names()))
        expect(completed("-x", "-E", "kube")).to(equal(["kubeless", "kubernetes"]))

    with description("with a command more"):
        with before.each:

            @click.command("diff", help="Show what would change.")
            @click.option("-p", "--playbook")
            @click.pass_obj
            def diff(tools, playbook):
                print(f"{playbook} on {tools.connect('', '').current_namespace()}")
                return 3

            self.more = patch.dict(command_line.program.commands, {"diff": diff})

        with it("runs it where it is the first word, with its own arguments and exit code"):
            with self.more:
                answer = run("diff", "-p", "delete", cluster=FakeObjects(namespace="ops"))

            expect((answer.out, answer.code)).to(equal(("delete on ops\n", 3)))

        with it("completes its name and its options"):
            with self.more:
                expect(completed("di")).to(contain("diff"))
                expect(completed("diff", "--play")).to(equal(["--playbook"]))

        with it("shows it in the help"):
            with self.more:
                expect(run("-h").out).to(
                    contain("Commands:\n  diff        Show what would change.\n")
                )
                expect(run("diff", "-h").code).to(equal(2))

        with it("has files of that name as before, after an option"):
            with self.more:
                expect(command_line.parse(["-E", "local", "diff"]).own["files"]).to(
                    equal(("diff",))
                )
