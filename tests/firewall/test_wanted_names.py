"""The files by which a udev rule tells interfaces on which something is wanted from all others."""

from __future__ import annotations

from pathlib import Path

from tests.firewall.support import Site
from xdpwall.ruleset.attachment import AttachmentSpec


def names(site: Site) -> set[str]:
    folder = site.settings.socket.parent / "wanted"
    return {path.name for path in folder.iterdir()} if folder.is_dir() else set()


def test_they_follow_every_change(site: Site) -> None:
    with site.open() as firewall:
        firewall.attach("veth0")
        firewall.attach("veth0", hook="tc")
        firewall.attach("lo", hook="tc")
        assert names(site) == {"veth0", "lo"}
        firewall.detach("veth0", hook="tc")
        assert names(site) == {"veth0", "lo"}
        firewall.detach("lo", hook="tc")
        assert names(site) == {"veth0"}


def test_they_are_there_before_a_restore_attaches(site: Site) -> None:
    """As after a boot, which empties /run: an interface that appears meanwhile must be found by the rule."""
    site.prepare("drop icmp")
    site.forget_kernel()
    (site.settings.socket.parent / "wanted" / "veth0").unlink()
    site.host.ip("link del veth0")
    with site.open() as firewall:
        outcome = firewall.restore()
        assert (outcome.attached, outcome.waiting, outcome.failed) == ([], ["veth0 xdp"], [])
        assert names(site) == {"veth0"}


def test_without_a_folder_for_the_socket_none_is_made(site: Site, tmp_path: Path) -> None:
    site.settings = type(site.settings)(
        site.settings.state_dir, site.settings.bpffs, tmp_path / "none" / "socket"
    )
    with site.open() as firewall:
        firewall.attach("veth0")
    assert not (tmp_path / "none").exists()


def test_patterns_are_apart(site: Site) -> None:
    folder = site.settings.socket.parent / "wanted-patterns"
    with site.open() as firewall:
        assert not folder.exists()
        firewall.want(AttachmentSpec.at("veth*", "xdp"))
        assert names(site) == {"veth0"} and [path.name for path in folder.iterdir()] == ["veth*"]
        firewall.detach("veth*")
        assert names(site) == set() and not folder.exists()
