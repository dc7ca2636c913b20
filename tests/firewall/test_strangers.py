"""Folders and files that are a stranger's, or that one could exchange: root opens nothing in them."""

from __future__ import annotations

import os
import socket
import subprocess
import sys
from collections.abc import Callable
from contextlib import closing
from pathlib import Path

import pytest

from tests.firewall.support import Site, rules
from tests.support.net.netns import Lab
from xdpwall.api.serving.listen import unix_socket
from xdpwall.api.serving.token import take_over_token
from xdpwall.cli.client.http import ServiceTransport
from xdpwall.errors import Refused, XdpwallError
from xdpwall.events.reader import EventReader
from xdpwall.firewall.firewall import Firewall
from xdpwall.firewall.rule_list_fast import list_rules
from xdpwall.instance.lock import InstanceLock
from xdpwall.settings import Settings
from xdpwall.store.store import Store
from xdpwall.store.token_file import TokenFile
from xdpwall.trusted import check_folder, open_folder

STRANGER = 1000
FILES = (
    "lock",
    "events.lock",
    "serve.lock",
    "xdpwall.db",
    "xdpwall.db-wal",
    "xdpwall.db-shm",
    "xdpwall.db-journal",
    "token",
    "tokens",
)
"""What root opens in the state folder."""


def open_all(settings: Settings) -> None:
    """Open every file of a state folder as a command and the service do; the first error."""
    Store(settings.state_dir).close()
    with closing(InstanceLock(settings.state_dir / "lock")) as lock, lock.hold():
        pass
    EventReader(settings, "test").close()
    take_over_token(settings.state_dir, lambda secret: None)
    TokenFile(settings.state_dir).tokens()
    from xdpwall.api.server import _single_service

    with _single_service(settings):
        pass


def settings_in(folder: Path, lab: Lab) -> Settings:
    return Settings(folder / "state", lab.bpffs / "fw", folder / "run" / "socket")


def files_of(folder: Path) -> dict[str, tuple[int, int, bytes]]:
    """Owner, mode and content of all below a folder, links not followed."""
    return {
        str(path): (path.lstat().st_uid, path.lstat().st_mode, path.read_bytes())
        for path in sorted(folder.rglob("*"))
        if path.is_file()
    }


@pytest.mark.parametrize("name", FILES)
@pytest.mark.parametrize("kind", ["link", "dangling", "pipe", "stranger's"])
def test_a_file_of_another_kind_is_neither_followed_nor_changed(
    lab: Lab, tmp_path: Path, name: str, kind: str
) -> None:
    settings = settings_in(tmp_path, lab)
    open_all(settings)
    victim = tmp_path / "victim"
    victim.write_bytes(b"of root")
    victim.chmod(0o644)
    path = settings.state_dir / name
    path.unlink(missing_ok=True)
    if kind == "link":
        path.symlink_to(victim)
    elif kind == "dangling":
        path.symlink_to(tmp_path / "made")
    elif kind == "pipe":
        os.mkfifo(path)
    else:
        path.write_bytes(b"")
        os.chown(path, STRANGER, STRANGER)
    with pytest.raises(Refused) as caught:
        open_all(settings)
    assert caught.value.code == "untrusted-file" and str(path) in caught.value.message
    assert caught.value.hint
    assert victim.read_bytes() == b"of root" and victim.stat().st_mode & 0o777 == 0o644
    assert not (tmp_path / "made").exists()


def chown(path: Path) -> None:
    os.chown(path, STRANGER, STRANGER)


def chmod(mode: int) -> Callable[[Path], None]:
    return lambda path: path.chmod(mode)


def hand_to_group(path: Path) -> None:
    os.chown(path, 0, STRANGER)
    path.chmod(0o770)


SPOILS: dict[str, Callable[[Path], None]] = {
    "a stranger's": chown,
    "written by all": chmod(0o777),
    "written by a group": hand_to_group,
    "sticky": chmod(0o1777),
}


@pytest.mark.parametrize("spoil", SPOILS)
@pytest.mark.parametrize("level", ["state", "above"])
def test_a_state_folder_that_others_control_is_refused(
    lab: Lab, tmp_path: Path, level: str, spoil: str
) -> None:
    settings = settings_in(tmp_path / "above", lab)
    open_all(settings)
    spoiled = settings.state_dir if level == "state" else tmp_path / "above"
    SPOILS[spoil](spoiled)
    before = files_of(tmp_path)
    for work in (open_all, lambda s: Firewall.open(s).close()):
        if (level, spoil) == ("above", "sticky"):
            work(settings)  # as in /tmp: what is root's there stays root's
            continue
        with pytest.raises(Refused) as caught:
            work(settings)
        assert caught.value.code == "untrusted-folder"
        assert str(spoiled) in caught.value.message and str(spoiled) in (caught.value.hint or "")
        assert files_of(tmp_path) == before
        assert list_rules(settings) is None


def test_a_link_on_the_way_counts_by_its_owner(lab: Lab, tmp_path: Path) -> None:
    real = tmp_path / "real"
    open_all(settings_in(real, lab))
    link = tmp_path / "link"
    for target in (real, Path("real"), Path("../") / tmp_path.name / "real"):
        link.unlink(missing_ok=True)
        link.symlink_to(target)
        open_all(settings_in(link, lab))
        os.chown(link, STRANGER, STRANGER, follow_symlinks=False)
        with pytest.raises(Refused, match=f"{link} belongs to uid {STRANGER}"):
            open_all(settings_in(link, lab))
    link.unlink()
    link.symlink_to(link)
    with pytest.raises(OSError):
        open_folder(link)


def test_folders_are_made_with_their_modes_whatever_the_umask(lab: Lab, tmp_path: Path) -> None:
    for mask, above in ((0, 0o755), (0o022, 0o755), (0o077, 0o700)):
        settings = settings_in(tmp_path / f"u{mask:o}" / "a" / "b", lab)
        before = os.umask(mask)
        try:
            open_all(settings)
            with unix_socket(settings.socket):
                pass
        finally:
            os.umask(before)
        made = settings.state_dir
        assert made.stat().st_mode & 0o777 == 0o700
        assert settings.socket.parent.stat().st_mode & 0o777 == above
        for parent in (made.parent, made.parent.parent, made.parent.parent.parent):
            assert parent.stat().st_mode & 0o777 == above, parent
        assert {path.stat().st_mode & 0o777 for path in made.iterdir()} == {0o600}


@pytest.mark.parametrize("spoil", ["a stranger's", "written by all", "written by a group"])
def test_a_socket_is_not_made_where_others_could_exchange_it(tmp_path: Path, spoil: str) -> None:
    folder = tmp_path / "run"
    folder.mkdir()
    SPOILS[spoil](folder)
    with pytest.raises(Refused) as caught, unix_socket(folder / "socket"):
        pass
    assert caught.value.code == "untrusted-folder"
    assert not list(folder.iterdir())


def test_a_socket_may_stand_in_a_folder_like_tmp(tmp_path: Path) -> None:
    folder = tmp_path / "run"
    folder.mkdir()
    folder.chmod(0o1777)
    with unix_socket(folder / "socket"):
        assert (folder / "socket").is_socket()


def test_a_service_of_a_stranger_is_not_asked(tmp_path: Path) -> None:
    folder = tmp_path / "run"
    folder.mkdir()
    chown(folder)
    path = folder / "socket"
    serving = (
        "import os, socket, sys\n"
        f"os.chdir(sys.argv[1]); os.setgid({STRANGER}); os.setuid({STRANGER})\n"
        "s = socket.socket(socket.AF_UNIX); s.bind('socket'); s.listen()\n"
        "print(flush=True); c = s.accept()[0]; sys.exit(len(c.recv(1)))\n"
    )
    process = subprocess.Popen(
        [sys.executable, "-c", serving, str(folder)], stdout=subprocess.PIPE, text=True
    )
    try:
        assert process.stdout is not None and process.stdout.readline() == "\n"
        with pytest.raises(Refused, match=f"runs as uid {STRANGER}"):
            ServiceTransport(path).probe()
        assert process.wait(60) == 0, "it was told something"
    finally:
        process.kill()
        process.wait()
        if process.stdout is not None:
            process.stdout.close()


@pytest.mark.parametrize("when", ["before", "after"])
@pytest.mark.parametrize("spoil", ["a stranger's", "written by all"])
def test_a_bpffs_folder_of_a_stranger_is_refused(site: Site, when: str, spoil: str) -> None:
    folder = site.settings.bpffs
    if when == "before":
        folder.mkdir(parents=True)
    else:
        site.prepare("drop icmp")
    SPOILS[spoil](folder)
    with pytest.raises(XdpwallError) as caught, site.open() as firewall:
        firewall.add_rules(rules("drop udp"))
    assert caught.value.code == "untrusted-folder" and str(folder) in caught.value.message
    assert list_rules(site.settings) is None
    if when == "before":
        assert not list(folder.iterdir())
    else:
        assert site.ping(1) == 0


def test_what_nobody_made_yet_is_no_strangers(tmp_path: Path) -> None:
    check_folder(tmp_path / "none" / "deep")
    assert not (tmp_path / "none").exists()
    with socket.socket(socket.AF_UNIX) as made:
        made.bind(str(tmp_path / "socket"))
        with pytest.raises(NotADirectoryError):
            open_folder(tmp_path / "socket")
