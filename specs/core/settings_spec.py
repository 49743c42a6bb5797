import tempfile
from pathlib import Path

from expects import contain, equal, expect, have_keys, start_with
from mamba import after, before, description, it

from playbooks.core.errors import InvalidSetting
from playbooks.core.settings import (
    Setting,
    http_url,
    label_value,
    names,
    networks,
    one_of,
    qualified_name,
    read,
    rule_names,
    text,
    whole_number,
    yes_or_no,
)

SECONDS = Setting("SECONDS", whole_number(0, 3600), "1", "How long")
URL = Setting("URL", http_url, None, "The webhook", secret=True)


def the_error_of(setting, environ):
    try:
        read([setting], environ)
    except InvalidSetting as error:
        return str(error)
    return "no error"


def of_kind(kind, value):
    return read([Setting("X", kind, None, "x")], {"X": value})["X"]


def refused(kind, value):
    return the_error_of(Setting("X", kind, None, "x"), {"X": value})


with description("A setting") as self:
    with it("is read from the environment, typed"):
        expect(read([SECONDS], {"SECONDS": "30"})).to(have_keys(SECONDS=30))

    with it("has its default where it is not set"):
        expect(read([SECONDS], {})).to(have_keys(SECONDS=1))

    with it("names variable, value and expectation when it is invalid"):
        expect(the_error_of(SECONDS, {"SECONDS": "soon"})).to(
            equal("SECONDS is 'soon', expected a whole number from 0 to 3600")
        )

    with it("says what its kind raised that is no ValueError"):
        setting = Setting("TEAM", {"web": 1}.__getitem__, None, "The team")

        expect(the_error_of(setting, {"TEAM": "shop"})).to(
            equal("TEAM is 'shop', and what reads it raised KeyError: 'shop'")
        )

    with it("says what its kind says that refuses a setting itself"):

        def refused(value):
            raise InvalidSetting(f"there is no team {value}: expected web")

        expect(the_error_of(Setting("TEAM", refused, None, "The team"), {"TEAM": "shop"})).to(
            equal("there is no team shop: expected web")
        )

    with it("says what is missing when it is required"):
        setting = Setting("NAME", text, None, "A name")

        expect(the_error_of(setting, {})).to(equal("NAME is not set, expected: A name"))

    with description("that is a secret"):
        with before.each:
            self.directory = tempfile.TemporaryDirectory()
            self.file = Path(self.directory.name, "url")
            self.file.write_text("https://hooks.example/T/B/x\n")

        with after.each:
            self.directory.cleanup()

        with it("is read from a file, without the line's end"):
            expect(read([URL], {"URL_FILE": str(self.file)})).to(
                have_keys(URL="https://hooks.example/T/B/x")
            )

        with it("is not shown when it is invalid"):
            expect(the_error_of(URL, {"URL": "hunter2"})).to(
                equal("URL is (not shown), expected a URL that starts with https:// or http://")
            )

        with it("is not shown by what its kind raised"):

            def plain(value):
                raise ValueError(f"a PIN, and no {value}")

            for kind, said in (
                (int, "expected"),
                (plain, "expected"),
                ({}.__getitem__, "and what reads it raised"),
            ):
                setting = Setting("PIN", kind, None, "A PIN", secret=True)
                error = the_error_of(setting, {"PIN": "s3cret"})

                expect(error).to(start_with(f"PIN is (not shown), {said} "))
                expect(error).not_to(contain("s3cret"))

        with it("cannot come from both"):
            expect(the_error_of(URL, {"URL": "https://a", "URL_FILE": "/f"})).to(
                equal("URL and URL_FILE are both set, expected one")
            )

        with it("names the file that cannot be read"):
            expect(the_error_of(URL, {"URL_FILE": "/nowhere"})).to(
                equal(
                    "URL_FILE is '/nowhere', expected a file that can be read:"
                    " No such file or directory"
                )
            )

    with it("loses the line end at its end, wherever it came from"):
        for value in ("web\n", "web\r\n", "web"):
            expect(of_kind(one_of("web"), value)).to(equal("web"))

    with description("of a kind"):
        with it("is text that is not empty"):
            expect(refused(text, " ")).to(contain("text that is not empty"))

        with it("is true or false"):
            expect([of_kind(yes_or_no, "True"), of_kind(yes_or_no, "false")]).to(
                equal([True, False])
            )
            expect(refused(yes_or_no, "yes")).to(contain("true or false"))

        with it("is a whole number within bounds"):
            for value in ("-1", "3601", "1.5", "", "²", "1" * 5000):
                expect(refused(whole_number(0, 3600), value)).to(contain("from 0 to 3600"))

        with it("is one of a few words"):
            expect(refused(one_of("NoSchedule", "NoExecute"), "noschedule")).to(
                equal("X is 'noschedule', expected one of NoSchedule, NoExecute")
            )

        with it("is a list of names, by commas or lines"):
            expect(of_kind(names, "a, b\nc,,")).to(equal(("a", "b", "c")))

        with it("is a list of rules, whose names may contain commas"):
            expect(of_kind(rule_names, "Read, a\\, b\nWrite\\,*,")).to(
                equal(("Read", "a, b", "Write,*"))
            )

        with it("is a list of networks"):
            expect(of_kind(networks, "10.0.0.0/8, fd00::/8")).to(equal(("10.0.0.0/8", "fd00::/8")))
            expect(refused(networks, "10.0.0.1/8")).to(contain("networks such as 10.0.0.0/8"))

        with it("is a key of a label or taint"):
            expect(of_kind(qualified_name, "falco/alert")).to(equal("falco/alert"))
            for value in ("", "/x", "a/b/c", "Falco/alert", "-x", "x" * 64):
                expect(refused(qualified_name, value)).to(contain("a key such as"))

        with it("is a value of a label or taint, or empty"):
            expect(of_kind(label_value, "")).to(equal(""))
            expect(refused(label_value, "a b")).to(contain("63 letters"))

        with it("is a URL"):
            for value in ("hooks.slack.com", "ftp://x", "https://", "https://a b", "https://[x"):
                expect(refused(http_url, value)).to(contain("https://"))
