"""The errors of the database, in words: damage, a full disk, a file that was taken away."""

from __future__ import annotations

import errno
import os
import sqlite3
from pathlib import Path

from xdpwall.errors import ANOTHER_STATE, Conflict, Failed, Full, NeedsPrivileges, XdpwallError
from xdpwall.kernel.os_errors import os_error

from .schema import SCHEMA_VERSION

_ENVIRONMENT = frozenset(
    (
        sqlite3.SQLITE_PERM,
        sqlite3.SQLITE_NOMEM,
        sqlite3.SQLITE_READONLY,
        sqlite3.SQLITE_INTERRUPT,
        sqlite3.SQLITE_IOERR,
        sqlite3.SQLITE_CANTOPEN,
        sqlite3.SQLITE_AUTH,
        sqlite3.SQLITE_NOLFS,
    )
)
"""Errors that say nothing about the file's content. Any other does, since the statements are right: a
table that is not there, a row that breaks a constraint, text that is no UTF-8."""


_UNTOLD = (sqlite3.SQLITE_CANTOPEN, sqlite3.SQLITE_READONLY, sqlite3.SQLITE_IOERR)


def damaged(path: Path, detail: str) -> Failed:
    """The error of a database whose content is not what was written."""
    return Failed(
        f"{path} is damaged: nothing was changed, what is attached filters as before",
        code="corrupt",
        hint="xdpwall repair puts it right from its second copy",
        detail=detail,
    )


def newer_store(path: Path, detail: str | None) -> Failed:
    """The error of a database of a later release."""
    return Failed(
        f"{path} was written by a newer xdpwall ({detail}, this one reads {SCHEMA_VERSION})",
        code="newer-store",
        hint="upgrade xdpwall, or give another --state-dir",
        detail=detail,
    )


def moved_away(path: Path, how: str) -> Conflict:
    """The error of a file that somebody took away under a process that has it open."""
    return Conflict(
        f"{path} {how} while it was in use: nothing was changed, what is attached filters as before",
        code=ANOTHER_STATE,
        hint="put the file back where it was, or xdpwall repair",
    )


def explain_sqlite(path: Path, error: sqlite3.Error, verb: str) -> XdpwallError:
    """The error of SQLite in our words; `verb` says what could not be done with the file."""
    code = getattr(error, "sqlite_errorcode", sqlite3.SQLITE_ERROR) & 0xFF
    detail = f"{getattr(error, 'sqlite_errorname', 'SQLITE_ERROR')}: {error}"
    if code == sqlite3.SQLITE_FULL or (code == sqlite3.SQLITE_IOERR and _no_space(path)):
        return disk_full(path, detail)
    if code in (sqlite3.SQLITE_BUSY, sqlite3.SQLITE_LOCKED):
        return Conflict(
            f"{path}: the database is locked by another process",
            code="busy",
            hint=f"see who has it open (fuser -v {path}), or try again",
            detail=detail,
        )
    short = getattr(error, "sqlite_errorcode", 0) == sqlite3.SQLITE_IOERR_SHORT_READ
    if code not in _ENVIRONMENT or short:
        return damaged(path, detail)
    if code in _UNTOLD and (cause := _cause(path)):
        return os_error(cause, f"{path}: cannot {verb}", more=detail)
    readonly = (sqlite3.SQLITE_READONLY, sqlite3.SQLITE_PERM, sqlite3.SQLITE_CANTOPEN)
    if code in readonly and os.geteuid() != 0:
        return NeedsPrivileges(f"{path}: cannot {verb}", hint="run as root (sudo)", detail=detail)
    return Failed(f"{path}: cannot {verb}: {error}", code="store", detail=detail)


def disk_full(path: Path, detail: str) -> Full:
    """The error of a write for which there is no room."""
    return Full(
        f"{path}: the disk is full; nothing was changed",
        code="disk-full",
        hint=f"make room on the file system of {path.parent}",
        detail=detail,
    )


def _cause(path: Path) -> int | None:
    """The errno that SQLite does not tell: of a process without descriptors, or a read-only disk."""
    try:
        os.close(os.open(path.parent, os.O_RDONLY | os.O_CLOEXEC))
        return errno.EROFS if os.statvfs(path.parent).f_flag & os.ST_RDONLY else None
    except OSError as error:
        return error.errno if error.errno in (errno.EMFILE, errno.ENFILE) else None


def _no_space(path: Path) -> bool:
    try:
        return os.statvfs(path.parent).f_bavail == 0
    except OSError:
        return False
