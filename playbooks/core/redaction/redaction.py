"""What must not leave: passwords, tokens and keys, as they stand in command lines and messages.

=====================  =====================================================  ====================
What                   Looks like                                             What is left
=====================  =====================================================  ====================
private keys           ``-----BEGIN RSA PRIVATE KEY----- ...``                ``***``
URLs                   ``postgres://app:PASSWORD@db/shop``, ``//TOKEN@host``  ``//app:***@db/shop``
webhooks               ``https://hooks.slack.com/services/T0/B0/SECRET``      the host
headers                ``Authorization: Bearer TOKEN``, ``Cookie: ...``       name and scheme
bearer tokens          ``Bearer TOKEN`` anywhere                              ``Bearer ***``
named values           ``password=X``, ``DB_PASS=X``, ``"token": "X"``        the name
options                ``--password X``, ``--api-key X``, ``-passin pass:X``  the option
settings               ``aws configure set aws_secret_access_key X``          the name
options of a program   ``mysql -pX``, ``sshpass -p X``, ``curl -sku me:X``    the option
places of a program    ``htpasswd -b f u X``, ``sqlplus u/X@db``              the rest
tokens by their form   AWS ``AKIA...``, GitHub, Vault, Stripe, npm, JWT ...   ``***``
random words           20 and more letters and digits, as dice throw them     ``***``
=====================  =====================================================  ====================

Every pattern takes linear time. A value ends at the next space, unless it is quoted: of a password
with a space that is not quoted, the rest is not known to be one. Nor is a password that stands
alone, as in ``echo X``, or behind an option that only its program knows. Better too much than too
little.
"""

from __future__ import annotations

import dataclasses
import json
import re
from dataclasses import dataclass
from functools import lru_cache
from typing import Any, List, Mapping, Pattern, Sequence, Tuple

from playbooks.core.alert import Alert
from playbooks.core.outcome import Outcome
from playbooks.core.redaction import program_options, token_forms
from playbooks.core.settings import Setting, Settings, names, yes_or_no

HIDDEN = "***"

# Texts that are remembered, and the characters of the longest of them.
KNOWN, SHORT = 2048, 256


def names_of_values(value: str) -> Tuple[str, ...]:
    """Further names, separated by commas."""
    found = names(value)
    if not all(re.fullmatch(r"[A-Za-z0-9_.-]{1,60}", name, re.ASCII) for name in found):
        raise ValueError("names such as pin or x-my-key, separated by commas")
    return found


SETTINGS = (
    Setting(
        "REDACT",
        yes_or_no,
        "true",
        "Take passwords, tokens and keys out of logs, records and messages",
    ),
    Setting(
        "REDACT_NAMES",
        names_of_values,
        "",
        "Further names whose values are taken out, as in `pin=1234` or `--pin 1234`,"
        " comma-separated",
    ),
)

# A name that ends so has a value to hide. Not after a slash: /etc/passwd is a file.
_NAMES = (
    r"passw(?:or)?d",
    r"passphrase",
    r"(?<!by)(?<!com)(?<!sur)(?<!tres)pass",
    r"passin",
    r"passout",
    r"(?<=[\w;-])(?<!old)pwd",
    r"(?<=[\w-])secret",
    r"(?-i:SECRET)",
    r"token",
    r"(?<=[\w-])(?<!public)(?<!public[_-])key",
    r"secret_key_base",
    r"credentials?",
    r"(?<=[?&])sig",
    r"signature",
)

# Of the header Authorization: what stays.
_SCHEMES = r"(?:bearer|basic|digest|token|negotiate)"

# Quoted, or up to the next space; the quotes may be escaped, as in JSON within JSON.
_VALUE = (
    r'(?:"(?:[^"\\]|\\.)*(?:"|\Z)'
    r"|'[^']*(?:'|\Z)"
    r'|\\".*?(?:\\"|\Z)'
    r"|[^\s\"'][^\s]*)"
)

# By what a text shows that a pattern may match, in small letters: most texts need no more.
_HINTS = ("pass", "pwd", "secret", "token", "key", "credential", "sig")


@dataclass(frozen=True)
class _Rule:
    hints: Tuple[str, ...]
    pattern: Pattern[str]
    left: str


def _rules(further: Sequence[str]) -> List[_Rule]:
    named = "|".join((*_NAMES, *(rf"(?<![A-Za-z0-9]){re.escape(name)}" for name in further)))
    hints = (*_HINTS, *(name.lower() for name in further))
    kept = rf"\g<kept>{HIDDEN}"

    def rule(
        hints: Tuple[str, ...],
        pattern: str,
        left: str = kept,
        flags: int = re.IGNORECASE,
    ) -> _Rule:
        return _Rule(hints, re.compile(pattern, flags | re.DOTALL), left)

    return [
        rule(
            ("-----begin",),
            r"-----BEGIN [A-Z ]{0,40}PRIVATE KEY(?: BLOCK)?-----.*?"
            r"(?:-----END [A-Z ]{0,40}-----|\Z)",
            HIDDEN,
        ),
        rule(("hooks.slack.com",), r"(?P<kept>hooks\.slack\.com/)[^\s\"'>|)]+"),
        rule(("://",), r"(?P<kept>://(?:[^\s/?#@:]{0,200}:)?)[^\s/?#@][^\s/?#]*(?=@)"),
        rule(
            ("authorization",),
            r"(?P<kept>authorization\\?[\"']?\s{0,4}[:=]\s{0,4}\\?[\"']?"
            rf"(?!(?:{_SCHEMES}\s{{1,4}})?\*\*\*)(?P<scheme>{_SCHEMES}\s{{1,4}})?)[^\s\"'\\]+"
            # Behind a scheme that is not known there is another word: no option, URL or a=b.
            r"(?(scheme)|(?:\s{1,4}(?!-|[a-z]{1,10}://|[a-z_.]{1,30}=[^\s=])[^\s\"'\\]+)?)",
        ),
        # All of its pairs, which semicolons part.
        rule(
            ("cookie",),
            r"(?P<kept>(?<![a-z])(?:set-)?cookie\\?[\"']?:\s{0,4}\\?[\"']?)"
            r"[^\s;\"'=]+(?:=(?:\"[^\"\s]*\"|[^\s;\"']*))?"
            r"(?:;\s{0,4}[^\s;\"'=]+(?:=(?:\"[^\"\s]*\"|[^\s;\"']*))?)*",
        ),
        rule(("bearer",), r"(?P<kept>(?<![a-z])bearer\s{1,4})[a-z0-9._~+/=-]{8,}"),
        rule(
            hints,
            rf"(?P<kept>(?<!/)(?:{named})(?:_?\d{{1,2}})?\\?[\"']?\s{{0,4}}[=:]\s{{0,4}}(?!\*\*\*)){_VALUE}",
        ),
        rule(
            hints,
            rf"(?P<kept>(?<!\S)--?[a-z0-9_.-]{{0,40}}(?:{named})\s{{1,4}}(?!-)){_VALUE}",
        ),
        rule(
            ("config",),
            rf"(?P<kept>\bconfig(?:ure)?\s{{1,4}}set\s{{1,4}}\S{{0,80}}(?:{named})\s{{1,4}}){_VALUE}",
        ),
        rule(
            ("--from-literal",),
            rf"(?P<kept>--from-literal(?:=|\s{{1,4}})[^\s=]{{1,80}}=){_VALUE}",
        ),
        *(rule(hints, form, HIDDEN, re.ASCII) for hints, form in token_forms.FORMS),
    ]


class Redaction:
    """``further``: names of values beside those of the table. Off, it leaves everything."""

    def __init__(self, *, on: bool = True, further: Sequence[str] = ()) -> None:
        self._rules = _rules(further) if on else []
        self._hints = tuple({hint for rule in self._rules for hint in rule.hints})
        # The same words come again and again: in the log, in records and in messages.
        self._short = lru_cache(maxsize=KNOWN)(self._text)

    @classmethod
    def of(cls, settings: Settings) -> Redaction:
        return cls(on=settings["REDACT"], further=settings["REDACT_NAMES"])

    def text(self, text: str) -> str:
        if not self._rules or not text:
            return text
        return self._short(text) if len(text) <= SHORT else self._text(text)

    def _text(self, text: str) -> str:
        lowered = text.lower()
        hints = {hint for hint in self._hints if hint in lowered}
        if hints:
            for rule in self._rules:
                if not hints.isdisjoint(rule.hints):
                    text = rule.pattern.sub(rule.left, text)
        text = program_options.hidden(text, HIDDEN)
        return token_forms.without_random_words(text, HIDDEN)

    def document(self, found: Any) -> Any:
        """The same, with every text in it redacted; keys stay."""
        if isinstance(found, str):
            return self.text(found)
        if isinstance(found, dict):
            return {key: self.document(value) for key, value in found.items()}
        if isinstance(found, (list, tuple)):
            return type(found)(self.document(value) for value in found)
        return found

    def named(self, found: Any) -> Any:
        """As ``document``, and hidden what stands beside the name of a secret: a value whose name
        tells that it is one tells so only beside its name."""
        if isinstance(found, Mapping):
            return {key: self._beside(key, value) for key, value in found.items()}
        if isinstance(found, (list, tuple)):
            return [self.named(value) for value in found]
        return self.document(found)

    def _beside(self, name: str, value: Any) -> Any:
        secret = isinstance(value, str) and self.text(f"{name}=x") == f"{name}={HIDDEN}"
        return HIDDEN if secret else self.named(value)

    def body(self, body: bytes) -> str:
        """An alert as it was sent: still JSON where it is JSON, with every text in it redacted."""
        text = body.decode("utf-8", "replace")
        try:
            return json.dumps(self.named(json.loads(text, strict=False)), ensure_ascii=False)
        except (ValueError, RecursionError):
            return self.text(text)

    def alert(self, alert: Alert) -> Alert:
        return dataclasses.replace(
            alert,
            rule=self.text(alert.rule),
            output=self.text(alert.output),
            hostname=self.text(alert.hostname),
            tags=self.document(alert.tags),
            fields=self.document(alert.fields),
        )

    def outcome(self, outcome: Outcome) -> Outcome:
        return dataclasses.replace(
            outcome,
            message=self.text(outcome.message),
            details=self.document(dict(outcome.details)),
            why=self.document(outcome.why),
        )
