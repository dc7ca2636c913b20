"""State folders of earlier releases, as those wrote them (scripts/keep_state.py), opened by this version."""

from __future__ import annotations

import json
import sqlite3
import tarfile
from contextlib import closing
from pathlib import Path
from typing import Any

import pytest

from tests.firewall.support import Site
from xdpwall.errors import Failed
from xdpwall.firewall.firewall import Firewall
from xdpwall.formats.ruleset_file import load_ruleset
from xdpwall.store.schema import SCHEMA_VERSION

STATES = Path(__file__).parent / "states"
RELEASES = sorted(path.stem for path in STATES.glob("*.json"))


@pytest.fixture(params=RELEASES)
def old(site: Site, request: pytest.FixtureRequest) -> dict[str, Any]:
    """The folder of a release in the place of the site's; what that release said of it."""
    site.settings.state_dir.mkdir(mode=0o700)
    with tarfile.open(STATES / f"{request.param}.tar.xz") as archive:
        archive.extractall(site.settings.state_dir)
    told: dict[str, Any] = json.loads((STATES / f"{request.param}.json").read_text("utf-8"))
    return told


def holds(firewall: Firewall, told: dict[str, Any]) -> None:
    """Nothing that a release wrote is lost or read otherwise."""
    _, ruleset = firewall.ruleset(sets=True)
    assert ruleset == load_ruleset(told["ruleset"], name="told")
    tokens = [[one.name, one.role, one.expires] for one in firewall.tokens().tokens]
    assert tokens == told["tokens"]


def test_the_database_opens(site: Site, old: dict[str, Any]) -> None:
    for path in site.settings.state_dir.glob("xdpwall.copy*"):
        path.unlink()
    with site.open() as firewall:
        assert firewall.restore().attached == ["veth0 xdp", "veth0 tc-egress"]
        holds(firewall, old)
        revisions = [[one.revision, one.action] for one in firewall.history().revisions]
        assert revisions == old["history"]
        audit = [one.action for one in firewall.audit_trail(limit=100).entries]
        since = ["attach veth0 tc-egress", "attach veth0 xdp"]  # by the restore
        assert audit[: len(since + old["audit"])] == since + old["audit"]
        assert site.ping(2) == 2  # `accept icmp/echo-request` under the policy drop
        firewall.delete_rules(["ping"])
        assert site.ping(2) == 0


def test_the_second_copy_opens(site: Site, old: dict[str, Any]) -> None:
    for path in site.settings.state_dir.glob("xdpwall.db*"):
        path.unlink()
    with site.open() as firewall:
        assert firewall.restore().attached == ["veth0 xdp", "veth0 tc-egress"]
        holds(firewall, old)
        assert site.ping(2) == 2


def test_a_newer_database_under_an_older_program(site: Site) -> None:
    """Packets are judged on, the ways out work, changes are refused with what to do, and nothing is written."""
    site.prepare("drop icmp")
    path = site.settings.state_dir / "xdpwall.db"
    with closing(sqlite3.connect(path)) as database:
        database.execute("CREATE TABLE of_a_later_release (id INTEGER PRIMARY KEY)")
        database.execute(f"PRAGMA user_version = {SCHEMA_VERSION + 1}")
    with site.open(service=True) as firewall:
        for change in (firewall.flush, firewall.restore, firewall.repair):
            with pytest.raises(Failed) as caught:
                change()
            assert caught.value.code == "newer-store"
            assert "upgrade xdpwall" in (caught.value.hint or "")
        assert site.ping(2) == 0
        assert any("newer" in words for words in firewall.status().warnings)
        firewall.set_switch(False)
        assert site.ping(2) == 2
        firewall.set_switch(True)
        assert site.ping(2) == 0
        firewall.detach("veth0")
        assert site.ping(2) == 2
    with closing(sqlite3.connect(path)) as database:
        assert database.execute("PRAGMA user_version").fetchone() == (SCHEMA_VERSION + 1,)
        assert database.execute("SELECT count(*) FROM rules").fetchone() == (1,)
