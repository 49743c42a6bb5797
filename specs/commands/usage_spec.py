from expects import be_none, contain, equal, expect
from mamba import description, it

from playbooks.commands.command_line import parse
from specs.commands.fake_cluster import run


def the_error_of(*arguments):
    answer = run(*arguments)
    expect(answer.code).to(equal(2))
    return answer.err


with description("What was typed to falco-playbook") as self:
    with it("is refused without a command, with a list of them"):
        expect(the_error_of()).to(contain("COMMAND", "falco-playbook -h shows how it is used"))
        expect(the_error_of("bury")).to(contain("'bury'", "check", "dead", "token"))

    with it("is refused without a playbook"):
        expect(the_error_of("dead")).to(contain("no playbook is given: -p PLAYBOOK, or -N NAME"))

    with it("is refused for what cannot be a name or a namespace, both at once"):
        expect(the_error_of("token", "-p", "Delete", "-n", "my_shop")).to(
            contain("'Delete' cannot be a name", "'my_shop' cannot be a namespace: small letters")
        )

    with it("is refused for ids that are none, each named"):
        for wrong in ("x", "0", "1.5", "FALCO:5", "9" * 30):
            expect(the_error_of("dead", "-p", "delete", "--redeliver", "3", wrong)).to(
                contain(f"--redeliver '{wrong}' is no id, expected a number as 'dead' lists them")
            )

    with it("is refused for an unknown output"):
        expect(the_error_of("dead", "-p", "delete", "-o", "yaml")).to(contain("'yaml'", "json"))

    with it("takes --output as it takes -o"):
        expect(parse(["check", "-p", "delete", "--output", "json"]).json).to(equal(True))

    with it("is refused for an image that has no name"):
        for wrong in ("", "a b"):
            expect(the_error_of("check", "-p", "isolate", "--image", wrong)).to(
                contain(f"--image is {wrong!r}, expected the name of an image")
            )
        expect(parse(["check", "-p", "isolate", "--image", "a:1"]).image).to(equal("a:1"))

    with it("is refused for an option of the other command"):
        expect(the_error_of("dead", "-p", "delete", "--image", "a:1")).to(contain("--image"))
        expect(the_error_of("dead", "-p", "delete", "--rotate")).to(contain("--rotate"))

    with it("is for the name that was deployed, which is the playbook's unless -N gives another"):
        expect(parse(["dead", "-p", "delete"]).function).to(equal("falco-delete"))
        expect(parse(["dead", "-p", "slack", "-N", "audit"]).function).to(equal("falco-audit"))
        expect(parse(["dead", "-N", "audit"]).function).to(equal("falco-audit"))

    with it("is for the kubeconfig's namespace unless -n gives another"):
        expect(parse(["dead", "-p", "delete"]).namespace).to(be_none)
        expect(parse(["token", "-p", "delete", "-n", "shop"]).namespace).to(equal("shop"))

    with it("lists, unless --redeliver is given: all, or some once each"):
        expect(parse(["dead", "-p", "delete"]).redeliver).to(equal(False))
        everything = parse(["dead", "--redeliver", "-p", "delete"])
        expect((everything.redeliver, everything.ids)).to(equal((True, ())))
        expect(parse(["dead", "-p", "delete", "--redeliver", "18", "3", "18"]).ids).to(
            equal((3, 18))
        )

    with it("drops, where --drop is given, and does not put back as well"):
        typed = parse(["dead", "-p", "delete", "--drop", "18", "3"])
        expect((typed.drop, typed.redeliver, typed.ids)).to(equal((True, False, (3, 18))))
        expect(parse(["dead", "--drop", "-p", "delete"]).drop).to(equal(True))
        expect(the_error_of("dead", "-p", "delete", "--drop", "x")).to(contain("--drop 'x' is no"))
        expect(the_error_of("dead", "-p", "delete", "--drop", "3", "--redeliver", "4")).to(
            contain("--redeliver", "not allowed with", "--drop")
        )

    with it("is of no use without kubectl"):
        answer = run("dead", "-p", "delete", has_kubectl=False)

        expect(answer.code).to(equal(1))
        expect(answer.err).to(contain("kubectl is not on the PATH"))
