"""What must not leave: passwords, tokens and keys, as they stand in command lines and messages.

=====================  =====================================================  ====================
What                   Looks like                                             What is left
=====================  =====================================================  ====================
private keys           ``-----BEGIN RSA PRIVATE KEY----- ...``                ``***``
URLs                   ``postgres://app:PASSWORD@db/shop``, ``//TOKEN@host``  ``//app:***@db/shop``
webhooks               ``https://hooks.slack.com/services/T0/B0/SECRET``      the host
headers                ``Authorization: Bearer TOKEN``, ``Cookie: ...``       name and scheme
bearer tokens          ``Bearer TOKEN`` anywhere                              ``Bearer ***``
named values           ``password=X``, ``PGPASSWORD=X``, ``"token": "X"``     the name
options                ``--password X``, ``--api-key X``                      the option
options of a program   ``mysql -pX``, ``sshpass -p X``, ``curl -u me:X``      the option
tokens by their form   AWS ``AKIA...``, GitHub, GitLab, Slack, Google, JWT    ``***``
=====================  =====================================================  ====================

Every pattern takes linear time. A value ends at the next space, unless it is quoted: of a password
with a space that is not quoted, the rest is not known to be one. Better too much than too little.
"""

from __future__ import annotations

import dataclasses
import re
from dataclasses import dataclass
from typing import Any, List, Pattern, Sequence, Tuple

from playbooks.core.alert import Alert
from playbooks.core.outcome import Outcome
from playbooks.core.redaction import program_options
from playbooks.core.settings import Setting, Settings, names, yes_or_no

HIDDEN = "***"


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
    r"(?<=[_;-])pwd",
    r"(?<=[\w-])secret",
    r"(?-i:SECRET)",
    r"token",
    r"api[_-]?key",
    r"(?:access|account|secret|private|signing|encryption)[_-]?key",
    r"secret_key_base",
    r"credentials?",
    r"(?<=[?&])sig",
    r"signature",
)

# Quoted, or up to the next space; the quotes may be escaped, as in JSON within JSON.
_VALUE = (
    r'(?:"(?:[^"\\]|\\.)*(?:"|\Z)'
    r"|'[^']*(?:'|\Z)"
    r'|\\".*?(?:\\"|\Z)'
    r"|[^\s\"'][^\s]*)"
)

# By what a text shows that the pattern may match, in small letters: most texts need no more.
_FORMS = (
    ("akia asia", r"(?<![A-Za-z0-9])(?:AKIA|ASIA)[A-Z0-9]{16}(?![A-Za-z0-9])"),
    ("ghp_ gho_ ghu_ ghs_ ghr_", r"(?<![A-Za-z0-9])gh[pousr]_[A-Za-z0-9]{20,255}"),
    ("github_pat_", r"(?<![A-Za-z0-9])github_pat_[A-Za-z0-9_]{20,255}"),
    ("glpat-", r"(?<![A-Za-z0-9])glpat-[A-Za-z0-9_-]{20,255}"),
    ("xox", r"(?<![A-Za-z0-9])xox[abeoprs]-[A-Za-z0-9-]{10,255}"),
    ("aiza", r"(?<![A-Za-z0-9])AIza[A-Za-z0-9_-]{35}"),
    (
        "eyj",
        r"(?<![A-Za-z0-9_-])eyJ[A-Za-z0-9_-]{8,}\.[A-Za-z0-9_-]{8,}(?:\.[A-Za-z0-9_-]*)?",
    ),
)
_HINTS = ("passw", "passphrase", "pwd", "secret", "token", "key", "credential", "sig")


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
        hints: Tuple[str, ...], pattern: str, left: str = kept, flags: int = re.IGNORECASE
    ) -> _Rule:
        return _Rule(hints, re.compile(pattern, flags | re.DOTALL), left)

    return [
        rule(
            ("-----begin",),
            r"-----BEGIN [A-Z ]{0,40}PRIVATE KEY-----.*?(?:-----END [A-Z ]{0,40}-----|\Z)",
            HIDDEN,
        ),
        rule(("hooks.slack.com",), r"(?P<kept>hooks\.slack\.com/)[^\s\"'>|)]+"),
        rule(("://",), r"(?P<kept>://(?:[^\s/?#@:]{0,200}:)?)[^\s/?#@][^\s/?#]*(?=@)"),
        rule(
            ("authorization",),
            r"(?P<kept>authorization\\?[\"']?\s{0,4}[:=]\s{0,4}\\?[\"']?"
            r"(?:(?:bearer|basic|digest|token|negotiate)\s{1,4})?)[^\s\"'\\]+",
        ),
        rule(("cookie",), r"(?P<kept>(?<![a-z])(?:set-)?cookie:\s{0,4})[^\s]+"),
        rule(("bearer",), r"(?P<kept>(?<![a-z])bearer\s{1,4})[a-z0-9._~+/=-]{8,}"),
        rule(
            hints,
            rf"(?P<kept>(?<!/)(?:{named})\\?[\"']?\s{{0,4}}[=:]\s{{0,4}}(?!\*\*\*)){_VALUE}",
        ),
        rule(hints, rf"(?P<kept>(?<!\S)--?[a-z0-9_.-]{{0,40}}(?:{named})\s{{1,4}}(?!-)){_VALUE}"),
        *(rule(tuple(hint.split()), form, HIDDEN, re.ASCII) for hint, form in _FORMS),
    ]


class Redaction:
    """``further``: names of values beside those of the table. Off, it leaves everything."""

    def __init__(self, *, on: bool = True, further: Sequence[str] = ()) -> None:
        self._rules = _rules(further) if on else []

    @classmethod
    def of(cls, settings: Settings) -> Redaction:
        return cls(on=settings["REDACT"], further=settings["REDACT_NAMES"])

    def text(self, text: str) -> str:
        if not self._rules:
            return text
        lowered = text.lower()
        for rule in self._rules:
            if any(hint in lowered for hint in rule.hints):
                text = rule.pattern.sub(rule.left, text)
        return program_options.hidden(text, HIDDEN)

    def document(self, found: Any) -> Any:
        """The same, with every text in it redacted; keys stay."""
        if isinstance(found, str):
            return self.text(found)
        if isinstance(found, dict):
            return {key: self.document(value) for key, value in found.items()}
        if isinstance(found, (list, tuple)):
            return type(found)(self.document(value) for value in found)
        return found

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
