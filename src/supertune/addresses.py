"""Addresses of databases: told from other names, and never with a password in what is shown or written down.

``postgresql://reader:${DB_PASSWORD}@db.example/shop`` names an environment variable; a password that stands in the
address itself would be written into ``config.yaml`` and the manifest, so it is refused before anything is written.
"""

from __future__ import annotations

import os
import re
from pathlib import Path

from supertune.errors import UserError

_SCHEME = re.compile(r"([A-Za-z][A-Za-z0-9_]*)(?:\+[A-Za-z0-9_]+)?://")
_NO_DATABASE = frozenset({"http", "https", "ftp", "ftps", "sftp", "file", "s3", "gs", "hf", "az", "abfs", "ws", "wss"})
_VARIABLE = re.compile(r"\$\{([A-Za-z_][A-Za-z0-9_]*)\}")
# To the last @: one that stands in a password unquoted must not leave the rest of it to be seen.
_PASSWORD = re.compile(r"(?<=://)([^:/@]*):(.*)(?=@)", re.DOTALL)
_SETTING = re.compile(r"(?<=[?&])([^=&]*(?:password|passwd|passphrase|pwd|secret|token)[^=&]*)=([^&]*)", re.IGNORECASE)
# What ODBC takes is a string of its own inside the address: PWD=…; in it, with or without the signs quoted.
_ODBC = re.compile(r"(?:(?<=pwd=)|(?<=pwd%3d))((?:(?!;|%3b|&).)+)", re.IGNORECASE)
_SQLITE = re.compile(r"(sqlite(?:\+[a-z]+)?:///)([^?]+)(.*)", re.DOTALL)
_HIDDEN = "***"


def is_database(source: object) -> bool:
    """True for an address such as ``sqlite:///rows.db``, and for an environment variable that holds one."""
    if not isinstance(source, str):
        return False
    if _VARIABLE.fullmatch(source.strip()):
        return True
    found = _SCHEME.match(source)
    return found is not None and found.group(1).lower() not in _NO_DATABASE


def masked(address: str) -> str:
    """The address with every password in it as ``***``; names of environment variables stay."""
    address = _PASSWORD.sub(lambda found: f"{found.group(1)}:{_shown(found.group(2))}", address)
    address = _SETTING.sub(lambda found: f"{found.group(1)}={_shown(found.group(2))}", address)
    return _ODBC.sub(lambda found: _shown(found.group(1)), address)


def _shown(secret: str) -> str:
    return secret if _VARIABLE.fullmatch(secret) or not secret else _HIDDEN


def refuse_written_password(source: object, where: str | None = None) -> None:
    """Refuse an address that holds a password itself.

    Raises:
        UserError: It does; what is shown of it has no password.
    """
    if is_database(source) and isinstance(source, str) and (shown := masked(source)) != source:
        raise UserError(
            f"the address {shown} holds a password, which would be written down with the data",
            where=where,
            fix="put it into an environment variable and write '${NAME}' in its place; "
            "for PostgreSQL leave it out, and PGPASSWORD or ~/.pgpass is used",
        )


def with_environment(text: str, where: str) -> tuple[str, tuple[str, ...]]:
    """A text with every ``${NAME}`` replaced by that environment variable, and the values that were put in.

    Raises:
        UserError: A variable is not set.
    """
    names = _VARIABLE.findall(text)
    for name in names:
        if not os.environ.get(name):
            what = f"the environment variable {name} is not set"
            raise UserError(what, where=where, fix=f"export {name}=… before, and write the address in single quotes")
    return _VARIABLE.sub(lambda found: os.environ[found.group(1)], text), tuple(os.environ[name] for name in names)


def sqlite_file(address: str) -> Path | None:
    """The file that an SQLite address names; None for other databases, and for one in memory."""
    found = _SQLITE.fullmatch(address)
    return None if found is None or found.group(2).startswith((":memory:", "file:")) else Path(found.group(2))


def from_folder(address: str, folder: Path) -> str:
    """An SQLite address whose file was named from ``folder``, as one that leads there from anywhere."""
    found, file = _SQLITE.fullmatch(address), sqlite_file(address)
    if found is None or file is None or file.is_absolute() or not (folder / file).is_file():
        return address
    return f"{found.group(1)}{(folder / file).resolve()}{found.group(3)}"
