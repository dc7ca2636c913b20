"""The tables, as migrations from one version of the file to the next."""

from __future__ import annotations

import sqlite3
from collections.abc import Iterable
from contextlib import closing

_RULES = """
CREATE TABLE meta (key TEXT PRIMARY KEY, value TEXT NOT NULL) WITHOUT ROWID;
CREATE TABLE rules (
    id TEXT PRIMARY KEY, rank INTEGER NOT NULL, rule TEXT NOT NULL, slot INTEGER NOT NULL,
    created TEXT NOT NULL, base_packets INTEGER NOT NULL, base_bytes INTEGER NOT NULL
) WITHOUT ROWID;
CREATE TABLE revisions (
    number INTEGER PRIMARY KEY, state TEXT NOT NULL CHECK (state IN ('pending', 'committed')),
    time TEXT NOT NULL, author TEXT NOT NULL, via TEXT NOT NULL, action TEXT NOT NULL, message TEXT,
    delta BLOB NOT NULL
);
CREATE TABLE attachments (
    iface TEXT NOT NULL, place TEXT NOT NULL, ifindex INTEGER NOT NULL, wanted TEXT,
    number INTEGER NOT NULL UNIQUE, since TEXT NOT NULL, mode TEXT, kind TEXT,
    intent TEXT NOT NULL, PRIMARY KEY (iface, place)
) WITHOUT ROWID;
CREATE TABLE audit (
    id INTEGER PRIMARY KEY, time TEXT NOT NULL, author TEXT NOT NULL, via TEXT NOT NULL,
    action TEXT NOT NULL, message TEXT, revision INTEGER
);
"""

# set_held  every set number that the kernel may hold entries of: those of `sets`, and of sets that
#           are being loaded or swept (a number without a name); how many entries of which kind
# set_part  entries for good, as arrays (sets/entries.py), a million a part
# set_log   single changes since; `expires` NULL is a removal, 0 for good, else seconds since 1970.
#           `key` is the address in network order and the length
# set_timed every entry that expires
# classes   what the kernel's class numbers stand for, while its maps live (sets/classes.py)
_SETS = """
CREATE TABLE sets (
    name TEXT PRIMARY KEY, number INTEGER NOT NULL UNIQUE, created TEXT NOT NULL
) WITHOUT ROWID;
CREATE TABLE set_held (
    number INTEGER PRIMARY KEY, v4 INTEGER NOT NULL, v6 INTEGER NOT NULL, p4 INTEGER NOT NULL,
    p6 INTEGER NOT NULL, timed INTEGER NOT NULL, folds INTEGER NOT NULL
);
CREATE TABLE set_part (
    number INTEGER NOT NULL, kind TEXT NOT NULL, part INTEGER NOT NULL, data BLOB NOT NULL,
    UNIQUE (number, kind, part)
);
CREATE TABLE set_log (
    seq INTEGER PRIMARY KEY, number INTEGER NOT NULL, key BLOB NOT NULL, expires INTEGER
);
CREATE TABLE set_timed (
    number INTEGER NOT NULL, key BLOB NOT NULL, expires INTEGER NOT NULL,
    PRIMARY KEY (number, key)
) WITHOUT ROWID;
CREATE INDEX set_timed_expires ON set_timed (expires);
CREATE TABLE classes (id INTEGER PRIMARY KEY, members TEXT NOT NULL);
"""

# carried  counts of rules on slots that they left, so that the counters of /metrics never decrease
_FIGURES = """
CREATE TABLE carried (id TEXT PRIMARY KEY, packets INTEGER NOT NULL, bytes INTEGER NOT NULL);
"""

# sum     of the row's other values (store/seal.py); NULL in rows of before
# arrays  checksum of the set's arrays in set_part
_SUMS = """
ALTER TABLE set_held ADD COLUMN arrays INTEGER;
ALTER TABLE set_held ADD COLUMN sum INTEGER;
ALTER TABLE set_log ADD COLUMN sum INTEGER;
ALTER TABLE set_timed ADD COLUMN sum INTEGER;
ALTER TABLE classes ADD COLUMN sum INTEGER;
"""

MIGRATIONS = (_RULES, _SETS, _FIGURES, _SUMS)
"""Script n migrates from version n to n + 1."""
SCHEMA_VERSION = len(MIGRATIONS)


def migrate(connection: sqlite3.Connection, scripts: Iterable[str]) -> None:
    """Run these of MIGRATIONS within the caller's transaction."""
    for script in scripts:
        for statement in script.split(";\n"):
            connection.execute(statement)


def has_known_tables(connection: sqlite3.Connection) -> bool:
    """Whether the tables are those that this version makes: each later one has others."""
    with closing(sqlite3.connect(":memory:")) as made:
        migrate(made, MIGRATIONS)
        return _definitions(made) == _definitions(connection)


def _definitions(connection: sqlite3.Connection) -> set[tuple[str, str]]:
    return set(connection.execute("SELECT name, sql FROM sqlite_master WHERE sql IS NOT NULL"))
