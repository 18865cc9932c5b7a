"""Failures of the database in the product's own words."""

import errno
import sqlite3
from collections.abc import Iterator
from contextlib import contextmanager

from sqlalchemy.engine import URL, ExceptionContext
from sqlalchemy.exc import DBAPIError
from sqlalchemy.exc import TimeoutError as PoolTimeout

from sereno.domain.errors import DiskFull, StoreError, StoreUnreachable

__all__ = ["FailureTranslator"]

MAX_DETAIL = 300
# https://www.postgresql.org/docs/current/errcodes-appendix.html
POSTGRES_DISK_FULL = "53100"
# With a deadlock, a serialization failure and a session that was idle for too long: all can be tried again.
POSTGRES_UNREACHABLE = ("08", "57P", "53300", "40P01", "40001", "25P03")
# Space runs out in the shared-memory index before it does in the log: https://www.sqlite.org/rescode.html
SQLITE_DISK_FULL = (sqlite3.SQLITE_FULL, sqlite3.SQLITE_IOERR_SHMSIZE)
SQLITE_UNREACHABLE = (sqlite3.SQLITE_BUSY, sqlite3.SQLITE_LOCKED, sqlite3.SQLITE_CANTOPEN)
SQLITE_PRIMARY_CODE = 0xFF


class FailureTranslator:
    """Turns what drivers raise into `StoreError`s that never show a password."""

    def __init__(self, url: URL) -> None:
        self._store = url.render_as_string(hide_password=True)
        self._secret = url.password or ""

    def replace(self, context: ExceptionContext) -> None:
        """Raise our error instead of the driver's; a listener of SQLAlchemy's `handle_error`.

        Everything else passes: an interrupt stays one, and a mistake of ours is not the database's.
        """
        error = context.original_exception
        if isinstance(error, context.dialect.loaded_dbapi.Error):
            raise self.translate(error) from error

    @contextmanager
    def guard(self, *errors: type[Exception]) -> Iterator[None]:
        """Translate what escapes that hook: bulk copies through the driver, the pool, files.

        Args:
            errors: What may be raised besides.
        """
        others: tuple[type[Exception], ...] = (PoolTimeout, *errors)
        try:
            yield
        except DBAPIError as error:
            raise self.translate(error.orig or error) from error
        except others as error:
            raise self.translate(error) from error

    def translate(self, error: BaseException) -> StoreError:
        """The error of ours that says what the caller can do."""
        if _is_disk_full(error):
            return DiskFull(store=self._store)
        detail = self._detail(error)
        if _is_unreachable(error):
            return StoreUnreachable(store=self._store, detail=detail)
        return StoreError(store=self._store, detail=detail)

    def _detail(self, error: BaseException) -> str:
        if isinstance(error, ModuleNotFoundError):
            return f"{error}: install it with `pip install 'sereno[postgres]'`"
        lines = str(error).strip().splitlines() or [type(error).__name__]
        text = " ".join(line.strip() for line in lines).rstrip(".")[:MAX_DETAIL]
        return text.replace(self._secret, "***") if self._secret else text


def _is_disk_full(error: BaseException) -> bool:
    if isinstance(error, sqlite3.Error):
        code = _sqlite_code(error)
        return code in SQLITE_DISK_FULL or code & SQLITE_PRIMARY_CODE == sqlite3.SQLITE_FULL
    if isinstance(error, OSError):
        return error.errno in (errno.ENOSPC, errno.EDQUOT)
    return _sqlstate(error) == POSTGRES_DISK_FULL


def _is_unreachable(error: BaseException) -> bool:
    if isinstance(error, sqlite3.Error):
        return _sqlite_code(error) & SQLITE_PRIMARY_CODE in SQLITE_UNREACHABLE
    if isinstance(error, OSError | PoolTimeout):
        return True
    state = _sqlstate(error)
    # psycopg gives a failed connection no SQLSTATE, and calls it an OperationalError.
    return state.startswith(POSTGRES_UNREACHABLE) or (
        not state and type(error).__name__ == "OperationalError"
    )


def _sqlite_code(error: sqlite3.Error) -> int:
    return getattr(error, "sqlite_errorcode", None) or 0


def _sqlstate(error: BaseException) -> str:
    return getattr(error, "sqlstate", None) or ""
