"""What means a password to one program and something else to others: options, and places."""

from __future__ import annotations

import re
from typing import Dict, List, Mapping, Optional, Tuple

_WORDS = re.compile(r"(\S+)")

# Where a command ends and another begins.
_ENDS = ("|", "||", "&&", ";", "&")

_MYSQL, _LDAP = ("-p",), ("-w", "-s", "-a")
_OPTIONS: Dict[str, Tuple[str, ...]] = {
    **dict.fromkeys(("mysql", "mysqldump", "mysqladmin", "mysqlimport", "mysqlsh"), _MYSQL),
    **dict.fromkeys(("mariadb", "mariadb-dump", "mariadb-admin"), _MYSQL),
    **dict.fromkeys(("mongo", "mongosh", "mongodump", "mongorestore"), ("-p",)),
    **dict.fromkeys(("ldapsearch", "ldapadd", "ldapmodify", "ldapdelete", "ldapwhoami"), ("-w",)),
    **dict.fromkeys(("smbclient", "rpcclient", "smbget"), ("-U", "--user")),
    **dict.fromkeys(("mosquitto_pub", "mosquitto_sub", "zip", "unzip", "sqlcmd"), ("-P",)),
    **dict.fromkeys(("useradd", "usermod", "cqlsh", "7z", "7za"), ("-p",)),
    **dict.fromkeys(("http", "https"), ("-a", "--auth")),
    "ldappasswd": _LDAP,
    "sshpass": ("-p",),
    "redis-cli": ("-a", "--pass"),
    "curl": ("-u", "--user", "-U", "--proxy-user", "-b", "--cookie", "--oauth2-bearer"),
    "etcdctl": ("--user",),
    "openssl": ("-k", "-K"),
    # docker login, podman login, helm registry login, az login, oc login
    "login": ("-p", "--pass"),
}

# Letters that stand for options without a value, in front of one with a value: curl -sku me:X.
# Source: the manual of each.
_FLAGS = {
    "curl": "aBfgGiIjJkKlLMnNOpqRsSvVZ0123456#",
    **dict.fromkeys(("ldapsearch", "ldapadd", "ldapmodify", "ldapdelete"), "AcCILMnPtuvxZ"),
}

# Options of which a part may stay: of user:password the user, of a file with cookies its name.
_USERS = ("-u", "-U", "--user", "--proxy-user")
_COOKIES = ("-b", "--cookie")

# Which of the words that are no options is one to hide, counted from 0 behind the name.
_PLACES: Mapping[str, Mapping[str, int]] = {
    "htpasswd": {"": 2},
    "vault": {"login": 0},
    "rabbitmqctl": {"add_user": 1, "change_password": 1, "authenticate_user": 1},
    "redis-cli": {"auth": 0},
}

# Programs that are given user/password@database.
_ORACLE = ("sqlplus", "sqlldr", "exp", "imp", "expdp", "impdp", "sql", "sqlcl")
_LOGON = re.compile(r"([^/\s=]{1,128}/)[^/\s@]+((?:@\S+)?)")

# What stands before a program's name.
_PARTS = re.compile(r"[/=(]")

_KNOWN = re.compile("|".join(map(re.escape, (*_OPTIONS, *_PLACES, *_ORACLE))))


def hidden(text: str, left: str) -> str:
    """The text with ``left`` in place of such values: ``-p X``, ``-pX``, ``-u a:X``, ``-sku a:X``,
    ``htpasswd -b f u X``, ``sqlplus u/X@db``.

    One look at every word.
    """
    if not _KNOWN.search(text):
        return text
    parts: List[str] = _WORDS.split(text)
    command = _Command(left)
    # Words stand at the odd places, what is between them at the even ones.
    for place in range(1, len(parts), 2):
        parts[place] = command.read(parts[place])
    return "".join(parts)


class _Command:
    """The command that the words belong to, as far as they were read."""

    def __init__(self, left: str) -> None:
        self._left = left
        self._begin("")

    def _begin(self, program: str) -> None:
        self._program = program
        self._options = _OPTIONS.get(program, ())
        self._awaited: Optional[str] = None
        self._places = _PLACES.get(program, {})
        self._wanted = self._places.get("")

    def read(self, word: str) -> str:
        """The word, or what is left of it."""
        awaited, self._awaited = self._awaited, None
        if awaited is not None and not word.startswith("-"):
            return _value(awaited, word, self._left)
        program = _program(word)
        if program in _OPTIONS or program in _PLACES or program in _ORACLE:
            return self._named(program, word)
        if word in _ENDS:
            self._begin("")
            return word
        return self._option(word) if word.startswith("-") else self._operand(word)

    def _named(self, program: str, word: str) -> str:
        """``vault login`` is one command still."""
        if program in self._places:
            self._wanted = self._places[program]
            self._options = _OPTIONS.get(program, ())
        else:
            self._begin(program)
        return word

    def _option(self, word: str) -> str:
        if self._program == "htpasswd" and not word.startswith("--") and "n" in word:
            self._wanted = 1
        if word in self._options:
            self._awaited = word
            return word
        for option in self._options:
            flags = self._flags_before(option, word)
            if flags is not None:
                value = word[len(flags) + 2 :]
                if value:
                    return word[: len(flags) + 2] + _value(option, value, self._left)
                self._awaited = option
                return word
            if word.startswith(f"{option}="):
                return f"{option}=" + _value(option, word[len(option) + 1 :], self._left)
        return word

    def _flags_before(self, option: str, word: str) -> Optional[str]:
        """What stands between ``-`` and the letter of a short option, or None."""
        if len(option) != 2 or word.startswith("--"):
            return None
        flags, found, _ = word[1:65].partition(option[1])
        known = _FLAGS.get(self._program, "")
        return flags if found and all(flag in known for flag in flags) else None

    def _operand(self, word: str) -> str:
        if self._program in _ORACLE:
            return _LOGON.sub(rf"\g<1>{self._left}\g<2>", word, count=1)
        if word.lower() in self._places:
            self._wanted = self._places[word.lower()]
            return word
        if self._wanted is None or "=" in word:
            return word
        self._wanted -= 1
        if self._wanted >= 0:
            return word
        self._wanted = None
        return self._left


def _program(word: str) -> str:
    """``/usr/bin/mysql``, and ``command=mysql`` as Falco writes it."""
    return _PARTS.split(word)[-1].strip("\"'")


def _value(option: str, value: str, left: str) -> str:
    if option in _COOKIES:
        return left if "=" in value else value
    user, separator, _ = value.partition("%" if "%" in value and ":" not in value else ":")
    if option in _USERS:
        return f"{user}{separator}{left}" if separator else value
    return left
