"""Options that mean a password to one program and something else to others."""

from __future__ import annotations

import re
from typing import Dict, List, Optional, Tuple

_WORDS = re.compile(r"(\S+)")

# Where a command ends and another begins.
_ENDS = ("|", "||", "&&", ";", "&")

_MYSQL, _LDAP = ("-p",), ("-w",)
_OPTIONS: Dict[str, Tuple[str, ...]] = {
    **dict.fromkeys(("mysql", "mysqldump", "mysqladmin", "mysqlimport", "mysqlsh"), _MYSQL),
    **dict.fromkeys(("mariadb", "mariadb-dump", "mariadb-admin"), _MYSQL),
    **dict.fromkeys(("mongo", "mongosh", "mongodump", "mongorestore"), ("-p",)),
    **dict.fromkeys(("ldapsearch", "ldapadd", "ldapmodify", "ldapdelete", "ldapwhoami"), _LDAP),
    "sshpass": ("-p",),
    "redis-cli": ("-a", "--pass"),
    "curl": ("-u", "--user", "-U", "--proxy-user"),
    "sqlcmd": ("-P",),
    # docker login, podman login, helm registry login, az login, oc login
    "login": ("-p", "--pass"),
}

_KNOWN = re.compile("|".join(map(re.escape, _OPTIONS)))


def hidden(text: str, left: str) -> str:
    """The text with ``left`` in place of the values of such options: ``-p X``, ``-pX``, ``-u a:X``.

    One look at every word.
    """
    if not _KNOWN.search(text):
        return text
    parts: List[str] = _WORDS.split(text)
    options: Tuple[str, ...] = ()
    awaited: Optional[str] = None
    # Words stand at the odd places, what is between them at the even ones.
    for place in range(1, len(parts), 2):
        word = parts[place]
        if awaited is not None and not word.startswith("-"):
            parts[place] = _value(awaited, word, left)
            awaited = None
            continue
        awaited = None
        options = _OPTIONS.get(_program(word)) or (() if word in _ENDS else options)
        if word in options:
            awaited = word
            continue
        for option in options:
            if len(option) == 2 and word.startswith(option):
                parts[place] = option + _value(option, word[2:], left)
            elif word.startswith(f"{option}="):
                parts[place] = f"{option}=" + _value(option, word[len(option) + 1 :], left)
    return "".join(parts)


def _program(word: str) -> str:
    """``/usr/bin/mysql``, and ``command=mysql`` as Falco writes it."""
    return re.split(r"[/=(]", word)[-1].strip("\"'")


def _value(option: str, value: str, left: str) -> str:
    """Of ``user:password`` the user stays."""
    user, colon, _ = value.partition(":")
    if option in ("-u", "-U", "--user", "--proxy-user"):
        return f"{user}:{left}" if colon else value
    return left
