"""Waiting for the disk: what went wrong is told to whoever waits."""

from __future__ import annotations

from pathlib import Path

import pytest

from xdpwall.errors import XdpwallError
from xdpwall.store.database import Database
from xdpwall.store.fsync import Syncer

REFUSING = Path("/dev/null")
"""The kernel answers EINVAL: there is no disk behind it."""


def test_now_and_meanwhile(tmp_path: Path) -> None:
    path = tmp_path / "log"
    path.write_text("one")
    syncer = Syncer(path)
    syncer.wait()
    syncer.now()
    syncer.begin()
    path.unlink()
    path.write_text("another file")
    syncer.begin()
    syncer.wait()
    syncer.wait()
    syncer.close()
    syncer.close()


def test_errors_are_told_once() -> None:
    syncer = Syncer(REFUSING)
    with pytest.raises(OSError, match="Invalid argument"):
        syncer.now()
    syncer.begin()
    with pytest.raises(OSError, match="Invalid argument"):
        syncer.wait()
    syncer.wait()
    syncer.begin()
    syncer.close()


def test_a_transaction_that_did_not_get_to_the_disk(tmp_path: Path) -> None:
    database = Database(tmp_path / "x.db")
    database._syncer.close()
    database._syncer = Syncer(REFUSING)
    insert = "INSERT INTO meta VALUES ('a', '1')"
    with pytest.raises(XdpwallError, match="cannot write"), database.transaction() as connection:
        connection.execute(insert)
    with database.transaction(wait=False) as connection:
        connection.execute(insert.replace("'a'", "'b'"))
    with pytest.raises(XdpwallError, match="cannot write"):
        database.synced()
    database.synced()
    database.close()
