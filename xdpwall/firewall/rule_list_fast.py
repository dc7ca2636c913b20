"""The rules as `rule list` shows them, read by a command that needs nothing else.

The store imports models, which take longer to import than all the rest of the command. So a list in
the ordinary case (nothing unfinished, this namespace, a few hundred rules) is read here, straight
from the store's rows and the kernel's counters; in any other case the answer is None, and the
firewall itself is asked. A test compares the two.
"""

from __future__ import annotations

import json
import os
import sqlite3
from contextlib import closing
from types import SimpleNamespace
from typing import Any

from xdpwall.dataplane.pinned_clock import PinnedClock
from xdpwall.dataplane.pinned_counters import read_pinned
from xdpwall.dataplane.pinned_identity import PinnedIdentity
from xdpwall.dataplane.pinned_switch import is_switched_off, pinned_revision
from xdpwall.errors import XdpwallError
from xdpwall.instance import namespace
from xdpwall.instance.clock import InstanceClock
from xdpwall.kernel.bpf import bpffs
from xdpwall.kernel.clock import SystemClock
from xdpwall.rule.field_names import RATE_FIELDS, RULE_FIELDS
from xdpwall.rule.sentence_write import write_sentence
from xdpwall.settings import Settings
from xdpwall.store.seal import check_seal
from xdpwall.trusted import check_file

__all__ = ["is_switched_off", "list_rules"]

SCHEMA = 4
"""Of the store; another is the firewall's business."""
MOST = 500
"""Rules; the counters of more are read faster by whoever has the data plane open."""

_FREE = dict.fromkeys(RULE_FIELDS) | {"enabled": True, "keep": False, "cookie": False, "log": False}
_Row = tuple[str, int, str, int, int]


def list_rules(settings: Settings) -> dict[str, Any] | None:
    """`RuleList` as JSON; None when the firewall itself must be asked."""
    try:
        found = _read(settings)
        if found is None:
            return None
        revision, rows, newest, identity = found
        if not _is_in_force(settings, revision, identity):
            return None
        clock = InstanceClock(SystemClock(), lambda: newest, PinnedClock(settings.bpffs))
        clock.look()
        clock.close()
        if clock.kept is not None and clock.outdated:
            return None
        counts = read_pinned(settings.bpffs, [slot for _, slot, *_ in rows])
        now = clock.now_text()
        rules = [
            _view(at, row, pair, now)
            for at, (row, pair) in enumerate(zip(rows, counts, strict=True), 1)
        ]
    except (sqlite3.Error, OSError, ValueError, XdpwallError):
        return None  # The firewall meets the same and says it in words.
    return {"revision": revision, "rules": rules}


def _is_in_force(settings: Settings, revision: int, identity: str | None) -> bool:
    """Whether the kernel judges by this revision of this instance, or by none."""
    held = pinned_revision(settings.bpffs)
    if held is None:
        return True
    theirs = PinnedIdentity(settings.bpffs).read()
    return held == revision and theirs in (None, identity)


def _read(settings: Settings) -> tuple[int, list[_Row], str | None, str | None] | None:
    """Revision, (rule, slot, created, base packets, base bytes) of each rule in order, the time of the
    newest change, and the instance's id."""
    path = settings.state_dir / "xdpwall.db"
    if os.stat(path).st_mode & 0o077:
        return None
    check_file(path)
    bpffs.check_trusted(settings.bpffs)
    with closing(sqlite3.connect(path, isolation_level=None)) as connection:
        if connection.execute("PRAGMA user_version").fetchone()[0] != SCHEMA:
            return None
        connection.execute("BEGIN")
        meta = dict(connection.execute("SELECT key, value FROM meta").fetchall())
        unfinished = connection.execute(
            "SELECT EXISTS (SELECT 1 FROM revisions WHERE state = 'pending')"
            " OR EXISTS (SELECT 1 FROM attachments WHERE intent != 'attached')"
        ).fetchone()[0]
        if unfinished or "unconfirmed" in meta or not _is_here(meta):
            return None
        rows = connection.execute(
            "SELECT * FROM rules ORDER BY rank LIMIT ?", (MOST + 1,)
        ).fetchall()
        newest = connection.execute("SELECT time FROM audit ORDER BY id DESC LIMIT 1").fetchone()
        others = [
            connection.execute(f"SELECT * FROM {table} ORDER BY 1, 2").fetchall()
            for table in ("attachments", "sets")
        ]
    if len(rows) > MOST or any(map(_counts_more, rows)):
        return None
    check_seal(meta, rows, *others)
    known = int(meta.get("revision", "0")), [row[2:] for row in rows]
    return *known, newest and newest[0], meta.get("identity")


def _counts_more(row: _Row) -> bool:
    """Whether it has counters of its own besides packets and bytes."""
    return any(f'"{name}"' in row[2] for name in (*RATE_FIELDS, "cookie"))


def _is_here(meta: dict[str, str]) -> bool:
    """Whether the instance belongs to this namespace, or to none in this boot."""
    if "netns" not in meta or meta.get("boot_id") != namespace.boot_id():
        return True
    mine = str(namespace.netns_inode()), str(namespace.netns_cookie())
    return (meta["netns"], meta.get("netns_cookie")) == mine


def _view(position: int, row: _Row, counted: tuple[int, int], now: str) -> dict[str, Any]:
    text, _, created, base_packets, base_bytes = row
    fields = _FREE | json.loads(text)
    if len(fields) != len(RULE_FIELDS):
        raise ValueError("a rule with fields that are not known here")
    view = {name: value for name, value in fields.items() if value is not None}
    view["text"] = write_sentence(SimpleNamespace(**fields))
    view["position"] = position
    view["packets"] = max(0, counted[0] - base_packets)
    view["bytes"] = max(0, counted[1] - base_bytes)
    view["created"] = created
    view["expired"] = fields["expires"] is not None and fields["expires"] <= now
    return view
