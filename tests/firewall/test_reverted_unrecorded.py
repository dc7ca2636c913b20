"""A change that nobody confirms, while the state folder breaks: what is told is what the kernel judges by."""

from __future__ import annotations

import shutil
import subprocess
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from tests.firewall.support import Site, revert_now, rules
from tests.firewall.test_confirm import LONG
from xdpwall.errors import XdpwallError
from xdpwall.firewall.firewall import Firewall

BREAKS = ("gone", "damaged", "lost", "foreign", "read-only", "directory")


@contextmanager
def broken(folder: Path, how: str) -> Iterator[None]:
    """The state folder in that condition; the right one afterwards."""
    right = folder.with_name("right")
    if how == "read-only":
        for options in (["--bind", str(folder)], ["-o", "remount,ro,bind"]):
            subprocess.run(["mount", *options, str(folder)], check=True)
    else:
        shutil.copytree(folder, right)
        database = folder / "xdpwall.db"
        if how in ("lost", "foreign"):
            shutil.rmtree(folder)
            folder.mkdir(0o700)
            if how == "foreign":
                shutil.copytree(folder.with_name("foreign"), folder, dirs_exist_ok=True)
        else:
            for end in ("", "-wal", "-shm"):
                database.with_name(f"{database.name}{end}").unlink(missing_ok=True)
            if how == "damaged":
                database.write_bytes(b"not a database" * 999)
            elif how == "directory":
                database.mkdir()
    yield
    if how == "read-only":
        subprocess.run(["umount", str(folder)], check=True)
    else:
        shutil.rmtree(folder)
        right.rename(folder)


def told(firewall: Firewall) -> dict[str, object]:
    """What status says, and what the ruleset is said to be; None for what is not told."""
    status = firewall.status()
    try:
        ids: object = [rule.id for rule in firewall.rules().rules]
    except XdpwallError:
        ids = None
    if status.kernel is not None:  # the folder's are told as what they are: not in force
        return {"revision": status.kernel.revision, "ingress": status.kernel.policy.ingress}
    assert status.policy is not None
    known = status.rules is not None
    assert known or ids is None, "what is listed is said to be in force"
    return {"revision": status.revision, "ingress": status.policy.ingress}


@pytest.mark.parametrize("how", BREAKS)
def test_status_tells_what_is_in_force(site: Site, how: str) -> None:
    site.prepare("drop icmp")
    shutil.copytree(site.settings.state_dir, site.settings.state_dir.with_name("foreign"))
    with site.open() as firewall:
        for port in (1, 2, 3):
            firewall.add_rules(rules(f"count tcp/{port}"))
        firewall.set_policy({"ingress": "drop"}, by=LONG)
        with broken(site.settings.state_dir, how):
            revert_now(firewall)
            for opened in (site.settings, site.settings):
                with Firewall(opened) as other:
                    assert told(other) == {"revision": 4, "ingress": "accept"}, how
                    assert not any("xdpwall restore" in one and "disk" in one
                                   for one in other.status().warnings)  # fmt: skip
                    with pytest.raises(XdpwallError):
                        other.add_rules(rules("count udp"))
            assert site.ping() == 0, "r1 drops as before"
    with site.open() as firewall:
        assert told(firewall) == {"revision": 4, "ingress": "accept"}
        assert firewall.status().pending is None
