"""Connections to databases: opened to read, closed with nothing changed, their secrets kept out of messages."""

from __future__ import annotations

import contextlib
import logging
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

from supertune.addresses import masked, refuse_written_password, sqlite_file, with_environment
from supertune.errors import MissingExtraError, UserError

_FORM = "write kind://user:${PASSWORD}@host:port/database, or sqlite:///file.db"
_LONGEST = 300


@dataclass(frozen=True)
class _Place:
    """Which database.

    Attributes:
        url: ``sqlalchemy.URL``, with what the environment holds put in.
        shown: Its address as it was written, which holds no password.
        secrets: What came from the environment: drivers repeat it in what they say.
    """

    url: Any
    shown: str
    secrets: tuple[str, ...]

    def said(self, error: BaseException) -> str:
        """What a driver says, in one line and without secrets."""
        cause = getattr(error, "orig", None) or error
        # pg8000 gives PostgreSQL's fields as they are; M is the message.
        fields = cause.args[0] if cause.args and isinstance(cause.args[0], dict) else {}
        text = " ".join(str(fields.get("M") or cause).split())
        for secret in sorted(self.secrets, key=len, reverse=True):
            text = text.replace(secret, "***")
        text = masked(text)
        return text if len(text) <= _LONGEST else f"{text[:_LONGEST]}…"


@contextlib.contextmanager
def connected(address: str, rows: int) -> Iterator[Any]:
    """A ``sqlalchemy.Connection`` that sends at most ``rows`` rows at once; rolled back and closed afterwards.

    The transaction only reads where the database can be asked for that (SQLite, PostgreSQL).

    Raises:
        MissingExtraError: SQLAlchemy is not installed.
        UserError: Address, driver or server cannot be used; or, from inside, the database refuses what it is asked.
    """
    refuse_written_password(address)
    try:
        from sqlalchemy import exc
    except ImportError as error:
        raise MissingExtraError("SQLAlchemy", "sql", purpose="reading databases") from error
    # A cursor that cannot be closed after an error is told there with its traceback; what went wrong is told here.
    logging.getLogger("sqlalchemy.pool").addHandler(logging.NullHandler())
    place = _place(address)
    engine = _engine(place)
    try:
        connection = engine.connect().execution_options(**_options(place.url, rows))
        if place.url.get_backend_name() == "sqlite":
            connection.exec_driver_sql("PRAGMA query_only = ON")
    except (exc.SQLAlchemyError, OSError, ValueError, TypeError) as error:
        what = f"the database cannot be reached: {place.said(error)}"
        fix = "check the address, whether the server runs, and the password"
        raise UserError(what, where=place.shown, fix=fix) from error
    try:
        yield connection
    except exc.SQLAlchemyError as error:
        what = f"the database refused: {place.said(error)}"
        raise UserError(what, where=place.shown, fix="correct the query; try it in the database's own shell") from error
    finally:
        with contextlib.suppress(exc.SQLAlchemyError):
            connection.rollback()
        connection.close()
        engine.dispose()


def _options(url: Any, rows: int) -> dict[str, Any]:
    options = {"stream_results": True, "max_row_buffer": rows, "no_parameters": True}
    return {**options, "postgresql_readonly": True} if url.get_backend_name() == "postgresql" else options


def _place(address: str) -> _Place:
    """The address as SQLAlchemy takes it, with what the environment holds put in."""
    import sqlalchemy as sa
    from sqlalchemy import exc

    whole = "://" not in address
    try:
        if whole:
            text, values = with_environment(address.strip(), address)
            url = sa.make_url(text)
            return _Place(url, address, (*values, *([str(url.password)] if url.password else [])))
        url = sa.make_url(address)
    except (exc.ArgumentError, ValueError) as error:
        what = "what it holds is no address of a database" if whole else "is no address of a database"
        raise UserError(what, where=address, fix=_FORM) from error
    secrets: list[str] = []

    def filled(value: Any) -> Any:
        if isinstance(value, tuple):
            return tuple(map(filled, value))
        if not isinstance(value, str):
            return value
        text, values = with_environment(value, address)
        secrets.extend(values)
        return text

    parts = {part: filled(getattr(url, part)) for part in ("username", "password", "host", "database")}
    query = {name: filled(value) for name, value in url.query.items()}
    return _Place(url.set(**parts, query=query), address, tuple(secrets))


def _engine(place: _Place) -> Any:
    import sqlalchemy as sa
    from sqlalchemy import exc

    url = place.url
    file = sqlite_file(url.render_as_string(hide_password=False))
    if file is not None and not file.is_file():
        # SQLite would make an empty one.
        fix = "check the path: sqlite:///rows.db is beside you, sqlite:////data/rows.db is absolute"
        raise UserError(f"no such file: {file}", where=place.shown, fix=fix)
    try:
        return sa.create_engine(url, poolclass=sa.pool.NullPool)
    except exc.NoSuchModuleError as error:
        what = f"SQLAlchemy knows no database {url.drivername!r}"
        fix = "e.g. sqlite:///rows.db, postgresql://…, mysql+pymysql://…; for others install their SQLAlchemy dialect"
        raise UserError(what, where=place.shown, fix=fix) from error
    except ImportError as error:
        what = f"the driver for {url.drivername} is not installed: {place.said(error)}"
        fix = f"pip install {error.name or 'it'}, or name another driver (postgresql+pg8000://, mysql+pymysql://)"
        raise UserError(what, where=place.shown, fix=fix) from error
    except (exc.ArgumentError, TypeError, ValueError) as error:
        raise UserError(f"is no address of a database: {place.said(error)}", where=place.shown, fix=_FORM) from error
