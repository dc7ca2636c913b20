"""A file with a checksum, replaced as a whole: after a crash it is the one of before or the new one."""

from __future__ import annotations

import fcntl
import hashlib
import os
import struct
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import NamedTuple

from xdpwall.errors import Failed, Refused
from xdpwall.trusted import open_file

_HEAD = struct.Struct("<8s32s16sQQ")
_MAGIC = b"xdpwall1"
_LENGTH = struct.Struct("<Q")
MAX_BYTES = 1 << 30
"""A larger file is not ours."""


class FileHead(NamedTuple):
    """What can be read of the file without reading all of it."""

    identity: str | None
    """The instance's id."""
    transactions: int
    """Those of the database (seal.py) that the content has."""
    mark: int
    """The last change of an entry that it has (SetStore.last_mark)."""


def write_checked(
    path: Path, head: FileHead, parts: Sequence[bytes], reached: Callable[[str], None]
) -> None:
    """Replace the file and wait for the disk; OSError. `reached` is called with "written" before the
    file has its name and with "renamed" after. Call it inside `claimed`."""
    body = b"".join(_LENGTH.pack(len(part)) + part for part in parts)
    identity = bytes.fromhex(head.identity or "")
    rest = struct.pack("<16sQQ", identity, head.transactions, head.mark)
    digest = hashlib.blake2b(rest + body, digest_size=32).digest()
    beside = _beside(path)
    try:
        with open(beside, "r+b") as file:
            file.truncate()
            file.write(_MAGIC + digest + rest + body)
            file.flush()
            os.fsync(file.fileno())
        reached("written")
        os.rename(beside, path)
    except OSError:
        with suppress(OSError):
            beside.unlink()
        raise
    reached("renamed")
    sync_folder(path.parent)


def read_head(path: Path) -> FileHead | None:
    """The head, its checksum not looked at; None where there is no such file, or another."""
    try:
        with os.fdopen(open_file(path, os.O_RDONLY), "rb") as file:
            return _parse_head(file.read(_HEAD.size))
    except (OSError, Refused):
        return None


def read_checked(path: Path) -> tuple[FileHead, list[bytes]] | None:
    """Head and parts; None where there is no file. Failed "corrupt" unless it is whole."""
    try:
        with os.fdopen(open_file(path, os.O_RDONLY), "rb") as file:
            content = file.read(MAX_BYTES + 1)
    except FileNotFoundError:
        return None
    except OSError as error:
        raise Failed(f"{path}: cannot read: {error.strerror}", code="store") from error
    head = _parse_head(content[: _HEAD.size])
    digest = hashlib.blake2b(content[8 + 32 :], digest_size=32).digest()
    if head is None or digest != content[8:40]:
        raise Failed(f"{path} is damaged", code="corrupt", detail="wrong checksum")
    parts, at = [], _HEAD.size
    while at < len(content):
        (size,) = _LENGTH.unpack_from(content, at)
        parts.append(content[at + _LENGTH.size : at + _LENGTH.size + size])
        at += _LENGTH.size + size
    return head, parts


@contextmanager
def claimed(path: Path) -> Iterator[None]:
    """Be the only one who replaces the file, so that none puts an older content over a newer one; OSError.
    What is to be written is read inside it."""
    beside = _beside(path)
    while True:
        fd = open_file(beside, os.O_RDWR | os.O_CREAT)
        try:
            fcntl.flock(fd, fcntl.LOCK_EX)
            with suppress(FileNotFoundError):
                if os.stat(beside).st_ino == os.fstat(fd).st_ino:
                    try:
                        yield
                    finally:
                        with suppress(OSError):
                            if os.stat(beside).st_ino == os.fstat(fd).st_ino:
                                beside.unlink()  # nothing was written
                    return
            # Whoever had it has given the file its name.
        finally:
            os.close(fd)


def sync_folder(folder: Path) -> None:
    """Wait until the disk has the names in it; OSError."""
    fd = os.open(folder, os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC)
    try:
        os.fsync(fd)
    finally:
        os.close(fd)


def _beside(path: Path) -> Path:
    return path.with_name(f"{path.name}.new")


def _parse_head(content: bytes) -> FileHead | None:
    if len(content) != _HEAD.size or not content.startswith(_MAGIC):
        return None
    _, _, identity, transactions, mark = _HEAD.unpack(content)
    return FileHead(identity.hex() if any(identity) else None, transactions, mark)
