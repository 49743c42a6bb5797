from expects import contain, equal, expect, raise_error
from mamba import description, it

from playbooks.core.errors import InvalidSetting
from playbooks.core.notifications import links
from playbooks.core.notifications.settings import LINK
from playbooks.core.settings import read
from playbooks.testing import an_alert


def template(value):
    return read((LINK,), {"LINK_URL": value})["LINK_URL"]


def filled(text, **fields):
    return links.filled(template(text), fields)


with description("A template of a link") as self:
    with it("is a URL with fields behind its host, or nothing"):
        for text in (
            "",
            "https://wiki.example/{rule}",
            "https://wiki.example:8443/a/b?rule={rule}&ns={namespace}#{pod}",
            "http://wiki.example/",
        ):
            expect(template(text)).to(equal(text))

    with it("is refused where a field is none, stands in the host, or breaks a message"):
        for text, why in (
            ("https://wiki.example/{output}", "not {output}"),
            ("https://wiki.example/{rule.__class__}", "not {rule.__class__}"),
            ("https://{cluster}.example/", "behind its host only"),
            ("https://user:{pod}@wiki.example/", "behind its host only"),
            ("{rule}://wiki.example/", "a URL"),
            ("https://wiki.example?x={rule}{", "behind its host only"),
            ("https://wiki.example/{rule}|x", "behind its host only"),
            ("https://wiki.example/<{rule}>", "behind its host only"),
            ("javascript:alert({rule})", "a URL"),
            ("https://wiki.example/a b", "a URL"),
        ):
            expect(lambda text=text: template(text)).to(raise_error(InvalidSetting, contain(why)))


with description("A link") as self:
    with it("is filled in from a safe alphabet, whoever wrote it"):
        for value, safe in (
            ("web-0", "web-0"),
            ("../../admin", "%2F..%2Fadmin"),
            ("..", ""),
            ("a/b?c=d&e#f", "a%2Fb%3Fc%3Dd%26e%23f"),
            ("x|Click>", "x%7CClick%3E"),
            ("{rule}", "%7Brule%7D"),
            ("a\u202eb c", "a%E2%80%AEb%20c"),
            ("x" * 5000, "x" * 200),
        ):
            expect(filled("https://wiki.example/{pod}", pod=value)).to(
                equal(f"https://wiki.example/{safe}")
            )

    with it("has an empty text for what is not known"):
        expect(filled("https://wiki.example/{trace_id}/{node}")).to(equal("https://wiki.example//"))

    with it("knows every field that a template may have"):
        fields = links.of_outcome("delete", an_alert(), None, "prod")

        expect(set(fields)).to(equal(set(links.FIELDS)))
        expect(fields["rule"]).to(equal("terminal_shell_in_container"))
        expect((fields["namespace"], fields["pod"], fields["cluster"])).to(
            equal(("shop", "web-0", "prod"))
        )
