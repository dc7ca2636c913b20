"""A database damaged anywhere: no packet passes that must not, the truth is told, nothing is changed unasked.

DAMAGE_PLACES says at how many places (`make test-damage`: 200); a few of each kind in the normal suite.
"""

from __future__ import annotations

import os
import random
import shutil
import sqlite3
from collections.abc import Callable
from contextlib import closing
from pathlib import Path

import pytest

from tests.firewall.support import Site, rules
from tests.firewall.test_upgrade import flood
from xdpwall.errors import XdpwallError
from xdpwall.firewall.firewall import Firewall
from xdpwall.sets.entries import Entries

PLACES = int(os.environ.get("DAMAGE_PLACES", "8"))
PAGE = 4096
TOLD = {"corrupt", "another-state", "newer-store"}
"""Codes of what a change may be refused with."""


def flip_a_byte(data: bytearray, rng: random.Random) -> None:
    data[rng.randrange(len(data))] ^= 1 << rng.randrange(8)


def flip_in_the_header(data: bytearray, rng: random.Random) -> None:
    data[rng.randrange(100)] ^= 1 << rng.randrange(8)


def flip_in_a_page_header(data: bytearray, rng: random.Random) -> None:
    data[_page(data, rng) + rng.randrange(12)] ^= 1 << rng.randrange(8)


def zero_a_page(data: bytearray, rng: random.Random) -> None:
    at = _page(data, rng)
    data[at : at + PAGE] = bytes(PAGE)


def scribble_over_a_page(data: bytearray, rng: random.Random) -> None:
    at = _page(data, rng)
    data[at : at + PAGE] = rng.randbytes(PAGE)


def swap_two_pages(data: bytearray, rng: random.Random) -> None:
    one, two = _page(data, rng), _page(data, rng)
    data[one : one + PAGE], data[two : two + PAGE] = data[two : two + PAGE], data[one : one + PAGE]


def cut_off(data: bytearray, rng: random.Random) -> None:
    del data[rng.randrange(len(data)) :]


def append(data: bytearray, rng: random.Random) -> None:
    data += rng.randbytes(rng.randrange(1, 3 * PAGE))


def zero_a_part(data: bytearray, rng: random.Random) -> None:
    at = rng.randrange(len(data))
    end = min(len(data), at + rng.randrange(1, 600))
    data[at:end] = bytes(end - at)


HARMS: list[Callable[[bytearray, random.Random], None]] = [
    zero_a_part,
    flip_a_byte,
    zero_a_page,
    swap_two_pages,
    flip_in_a_page_header,
    scribble_over_a_page,
    cut_off,
    append,
    flip_in_the_header,
]


def _page(data: bytearray, rng: random.Random) -> int:
    return rng.randrange(max(1, len(data) // PAGE)) * PAGE


class Ground:
    """A site whose folder is put back, in a state as a crash leaves it, for each place."""

    def __init__(self, site: Site) -> None:
        self.site, self.state = site, site.settings.state_dir
        self.good = self.state.with_name("good")
        self.damaged = self.state.with_name("damaged")
        self.texts: list[str] = []
        self.sets: list[object] = []
        with site.open() as firewall:
            firewall.attach("veth0")
            firewall.replace_set("bad", Entries.of(["10.9.0.2", "198.51.100.0/24"]))
            firewall.replace_set("friends", Entries.of([f"10.8.0.{n}" for n in range(250)]))
            firewall.change_set("bad", add=["198.51.100.9"], expires="2090-01-01T00:00:00Z")
            firewall.add_rules(rules("drop icmp from @bad", "count udp from not @friends"))
            firewall.add_rules(rules(*[f"drop tcp/{port}" for port in range(1, 60)]))

    def harm(self, turn: int, harm: Callable[[bytearray, random.Random], None]) -> str:
        """Make a change, keep the folder with its log, and damage a file of it."""
        rng = random.Random(turn)
        with self.site.open() as firewall:
            firewall.set_rule("r2", {"comment": f"turn {turn}"})
            firewall.change_set("bad", add=[f"203.0.113.{turn % 250}"])
            self.texts = [rule.text for rule in firewall.rules().rules]
            self.sets = [firewall.set_entries(name).entries for name in ("bad", "friends")]
            firewall.update_copy()
            shutil.rmtree(self.good, ignore_errors=True)
            shutil.copytree(self.state, self.good)
        shutil.rmtree(self.damaged, ignore_errors=True)
        shutil.copytree(self.good, self.damaged)
        name = "xdpwall.db-wal" if turn % 4 == 3 else "xdpwall.db"
        if turn % 8 == 4:  # a log that was folded in, as a process that ends leaves it
            shutil.rmtree(self.damaged)
            shutil.copytree(self.state, self.damaged)
        path = self.damaged / name
        data = bytearray(path.read_bytes())
        harm(data, rng)
        path.write_bytes(data)
        if turn % 16 == 15:
            path.unlink()
        return f"turn {turn}: {harm.__name__} of {name}"

    def put(self, folder: Path) -> None:
        """Let this be the state folder."""
        shutil.rmtree(self.state)
        shutil.copytree(folder, self.state)


def test_damage_anywhere(site: Site) -> None:
    ground = Ground(site)
    with flood(site):
        for turn in range(PLACES):
            words = ground.harm(turn, HARMS[turn % len(HARMS)])
            try:
                for action in (_status, _restore, _start, _change):
                    ground.put(ground.damaged)
                    _look_and_repair(ground, action)
            except BaseException as error:
                error.add_note(words)
                raise
    assert site.ping(2) == 0


def test_the_way_out(site: Site) -> None:
    ground = Ground(site)
    for turn in range(max(3, PLACES // 10)):
        words = ground.harm(turn, HARMS[turn % len(HARMS)])
        ground.put(ground.damaged)
        with site.open() as firewall:
            assert firewall.set_switch(False).changed and site.ping(1) == 1, words
            assert firewall.set_switch(True).changed and site.ping(1) == 0, words
            assert firewall.detach(None).detached == ["veth0 xdp"] and site.ping(1) == 1, words
        with site.open() as firewall:
            firewall.repair()
            firewall.restore()
            firewall.attach("veth0")
            assert site.ping(1) == 0, words


LOSSES = {"set_log": False, "classes": False, "set_timed": True, "audit": True, "revisions": True}
"""Tables, and whether the damaged database has a change that the second copy has not."""


@pytest.mark.parametrize(("table", "is_newer"), list(LOSSES.items()))
def test_a_page_that_lost_rows(site: Site, table: str, is_newer: bool) -> None:
    """SQLite reads such a page, and no checksum of the other rows tells of it: what the second copy has
    must not be replaced by what is left."""
    ground = Ground(site)
    ground.harm(0, lambda data, rng: None)
    database = ground.state / "xdpwall.db"
    if is_newer:  # than the second copy
        copied = ground.state / "xdpwall.copy"
        before = copied.read_bytes()
        with site.open() as firewall:
            firewall.set_rule("r2", {"comment": "newer"})
            ground.texts = [rule.text for rule in firewall.rules().rules]
        copied.write_bytes(before)
    with closing(sqlite3.connect(database)) as raw:
        (page,) = raw.execute(
            "SELECT rootpage FROM sqlite_master WHERE name = ?", (table,)
        ).fetchone()
    data = bytearray(database.read_bytes())
    cells = (page - 1) * PAGE + 3
    data[cells : cells + 2] = (int.from_bytes(data[cells : cells + 2], "big") // 2).to_bytes(
        2, "big"
    )
    database.write_bytes(data)
    with site.open() as firewall:
        assert firewall.status().warnings, "it is told"
        assert _right(firewall, ground) or is_newer
        done = firewall.repair()
        assert done.repaired and site.ping(1) == 0
        if is_newer and table not in ("audit", "revisions"):
            assert "the kernel holds revision" in done.warnings[0], (
                "the last change is lost, and told"
            )
            return
        assert _right(firewall, ground) and not done.warnings


def _look_and_repair(ground: Ground, action: Callable[[Firewall], str | None]) -> None:
    site, held = ground.site, ground.site.kernel_revision()
    with site.open(service=action is _start) as firewall:
        code = action(firewall)
        faulted = firewall._instance.fault() is not None
        assert code is None or faulted
        assert _right(firewall, ground), action.__name__
    changed = action is _change and code is None
    assert site.kernel_revision() == held + changed
    with site.open() as firewall:
        done = firewall.repair()
        assert not done.warnings, done
        assert _right(firewall, ground), f"repair after {action.__name__}"
        assert firewall.status().warnings == []
        if changed:
            firewall.delete_rules(["new"])


def _status(firewall: Firewall) -> str | None:
    status = firewall.status()
    fault = firewall._instance.fault()
    told = any("xdpwall repair" in words for words in status.warnings)
    assert told == (fault is not None), status.warnings
    assert (firewall.health().status == "degraded") == told
    assert [(one.iface, one.state) for one in status.attachments] == [("veth0", "attached")]
    return None


def _change(firewall: Firewall) -> str | None:
    return _code(lambda: firewall.add_rules([rules("count sctp")[0].with_id("new")]))


def _restore(firewall: Firewall) -> str | None:
    return _code(firewall.restore)


def _start(firewall: Firewall) -> str | None:
    """As `serve` begins."""
    return _code(firewall.restore)


def _code(call: Callable[[], object]) -> str | None:
    try:
        call()
    except XdpwallError as error:
        assert error.code in TOLD, error
        assert "xdpwall repair" in str(error.hint), error
        return error.code
    return None


def _right(firewall: Firewall, ground: Ground) -> bool:
    """What is shown is what is in force, whatever the database holds."""
    texts = [rule.text for rule in firewall.rules().rules if rule.id != "new"]
    sets = [firewall.set_entries(name).entries for name in ("bad", "friends")]
    return (texts, sets) == (ground.texts, ground.sets)
