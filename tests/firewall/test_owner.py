"""Root in the folders of the service's user: what it makes is the user's, and no link leads it elsewhere."""

from __future__ import annotations

import os
import pwd
import stat
from collections.abc import Callable
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest

from tests.support.net.netns import Lab
from xdpwall import trusted
from xdpwall.errors import Refused
from xdpwall.firewall.firewall import Firewall
from xdpwall.firewall.owner import act_as_owner, own_rights
from xdpwall.rule.rule import Rule
from xdpwall.settings import Settings

UID = 64123


@pytest.fixture
def settings(lab: Lab, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Settings:
    """An instance whose state folder is the user's."""
    account = SimpleNamespace(pw_uid=UID, pw_gid=UID)
    monkeypatch.setattr(pwd, "getpwnam", lambda name: {"xdpwall": account}[name])
    (tmp_path / "state").mkdir(mode=0o700)
    os.chown(tmp_path / "state", UID, UID)
    return Settings(tmp_path / "state", lab.bpffs / "xdpwall", tmp_path / "sock")


def test_what_root_makes_there_is_the_users(lab: Lab, settings: Settings) -> None:
    space = lab.namespace()
    space.ip("link add v0 type veth peer name v1")

    def work() -> list[str]:
        act_as_owner(settings)
        with Firewall.open(settings) as firewall:
            firewall.attach("v0", hook="tc", direction="egress")
            firewall.add_rules([Rule.parse("drop icmp")])
        return []

    space.call(work)
    made = [*settings.state_dir.rglob("*"), settings.bpffs, *settings.bpffs.rglob("*")]
    assert len(made) > 20
    assert {one.name: one.stat().st_uid for one in made if one.stat().st_uid != UID} == {}
    assert stat.S_IMODE(settings.bpffs.stat().st_mode) == 0o700


def as_owner(lab: Lab, settings: Settings, work: Callable[[], Any]) -> Any:
    """What `work` returns in a process of root's that acts as the owner."""

    def acting() -> Any:
        act_as_owner(settings)
        return work()

    return lab.namespace().call(acting)


def test_no_link_leads_it_to_what_the_user_may_not_write(
    lab: Lab, settings: Settings, tmp_path: Path
) -> None:
    roots = tmp_path / "roots"
    roots.write_text("root's")
    roots.chmod(0o600)
    link = settings.state_dir / "link"
    link.symlink_to(roots)
    tmp_path.chmod(0o755)

    def write() -> str:
        try:
            link.write_text("the user's")
        except PermissionError:
            return link.read_text()
        return "written"

    assert as_owner(lab, settings, write) == "root's"
    assert roots.read_text() == "root's"


def test_what_the_caller_names_is_opened_with_the_callers_rights(
    lab: Lab, settings: Settings, tmp_path: Path
) -> None:
    target = tmp_path / "capture"
    tmp_path.chmod(0o755)

    def write() -> None:
        with own_rights():
            target.write_text("")
        (settings.state_dir / "after").write_text("")

    as_owner(lab, settings, write)
    assert target.stat().st_uid == 0
    assert (settings.state_dir / "after").stat().st_uid == UID


def test_another_users_folder_is_refused_as_before(lab: Lab, settings: Settings) -> None:
    os.chown(settings.state_dir, UID + 1, UID + 1)
    with pytest.raises(Refused, match=f"belongs to uid {UID + 1}"):
        as_owner(lab, settings, lambda: trusted.check_folder(settings.state_dir))
