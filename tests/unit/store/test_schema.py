"""Databases of other versions."""

from __future__ import annotations

import sqlite3
from contextlib import closing
from pathlib import Path

import pytest

from xdpwall.errors import Failed
from xdpwall.store.store import Store
from xdpwall.values.author import Author

BY, NOW = Author("uid 0", "cli"), "2026-12-01T12:00:00Z"


@pytest.mark.parametrize(
    ("table", "code"), [("CREATE TABLE later (id)", "newer-store"), ("SELECT 1", "corrupt")]
)
def test_a_newer_schema_is_refused(tmp_path: Path, table: str, code: str) -> None:
    """A number that is newer, with the tables of this version, is damage: `repair` may put it right."""
    with closing(Store(tmp_path / "state")) as store:
        store.set_switch(False, by=BY, action="off", now=NOW)
    with closing(sqlite3.connect(tmp_path / "state" / "xdpwall.db")) as raw:
        raw.execute(table)
        raw.execute("PRAGMA user_version = 99")
    with closing(Store(tmp_path / "state")) as newer, pytest.raises(Failed) as caught:
        newer.set_switch(False, by=BY, action="off", now=NOW)
    assert caught.value.code == code and newer.is_blank
