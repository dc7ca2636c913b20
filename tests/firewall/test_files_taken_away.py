"""A service whose database or lock file is deleted or replaced under it says so, and changes nothing."""

from __future__ import annotations

import os
import shutil
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from tests.firewall.support import Site
from tests.firewall.test_repair import TEXTS, prepare
from tests.support.net.netns import wait_for
from tests.support.service.service import Service


def deleted(path: Path) -> None:
    path.unlink()


def replaced(path: Path) -> None:
    other = path.with_name("other")
    shutil.copyfile(path, other)
    other.rename(path)


def emptied(path: Path) -> None:
    other = path.with_name("other")
    other.touch()
    other.rename(path)


def log_deleted(path: Path) -> None:
    Path(f"{path}-wal").unlink()


def lock_deleted(path: Path) -> None:
    (path.parent / "lock").unlink()


def folder_deleted(path: Path) -> None:
    shutil.rmtree(path.parent)


HARMS: list[Callable[[Path], None]] = [
    deleted,
    replaced,
    emptied,
    log_deleted,
    lock_deleted,
    folder_deleted,
]


@pytest.fixture
def service(site: Site, tmp_path: Path) -> Iterator[Service]:
    made = Service(site.host, tmp_path, site.lab.bpffs)
    made.settings = site.settings
    with made:
        yield made


@pytest.mark.parametrize("harm", HARMS)
def test_it_says_so_refuses_changes_and_repair_ends_it(
    site: Site, service: Service, harm: Callable[[Path], None]
) -> None:
    path = prepare_through(service, site)
    harm(path)
    wait_for(lambda: "while it was in use" in service.log(), "the service's log")
    health = service.call("GET", "/healthz").json
    assert health["status"] == "degraded" and "while it was in use" in health["problems"][0]
    left = path.read_bytes() if path.exists() else None
    refused = service.call("POST", "/rules", {"text": "accept icmp"})
    assert (refused.status, refused.json["code"]) == (409, "another-state")
    assert "xdpwall repair" in refused.json["hint"]
    assert [rule["text"] for rule in service.call("GET", "/rules").json["rules"]] == ["drop icmp"]
    assert service.call("PUT", "/switch", {"on": False}).status == 200 and site.ping(1) == 1
    assert service.call("PUT", "/switch", {"on": True}).status == 200 and site.ping(1) == 0
    assert (path.read_bytes() if path.exists() else None) == left
    repaired = service.call("POST", "/repair")
    assert repaired.status == 200, repaired.json
    assert repaired.json["rules"] == 1
    assert service.call("GET", "/healthz").json["problems"] == []
    assert service.call("POST", "/rules", {"text": "count udp"}).status == 201
    service.stop()
    with site.open() as firewall:
        assert [rule.text for rule in firewall.rules().rules] == ["drop icmp", "count udp"]
        assert firewall.status().warnings == []
    assert site.ping(1) == 0


def test_it_goes_on_when_the_file_is_back(site: Site, service: Service) -> None:
    path = prepare_through(service, site)
    path.rename(path.with_name("aside"))
    assert service.call("POST", "/rules", {"text": "accept icmp"}).status == 409
    path.with_name("aside").rename(path)
    assert service.call("POST", "/rules", {"text": "count udp"}).status == 201
    assert service.call("GET", "/healthz").json["problems"] == []


def test_a_start_with_a_damaged_database_serves_reads(site: Site, tmp_path: Path) -> None:
    path = prepare(site)
    kept = path.read_bytes()
    path.write_bytes(os.urandom(len(kept)))
    service = Service(site.host, tmp_path, site.lab.bpffs)
    service.settings = site.settings
    with service:
        assert "is damaged" in service.call("GET", "/healthz").json["problems"][0]
        listed = service.call("GET", "/rules").json["rules"]
        assert [rule["text"] for rule in listed] == TEXTS
        assert service.call("POST", "/rules", {"text": "accept icmp"}).json["code"] == "corrupt"
        assert service.call("POST", "/restore").json["code"] == "corrupt"
        assert "is damaged" in service.log()
        # Put back by hand, it is opened again.
        path.write_bytes(kept)
        assert service.call("POST", "/rules", {"text": "count icmp"}).status == 201
        assert service.call("GET", "/healthz").json["status"] == "ok"
    assert site.ping(1) == 0


def prepare_through(service: Service, site: Site) -> Path:
    """veth0 attached and pings dropped, by the service; the database's path."""
    path = "/interfaces/veth0/attachments/xdp"
    assert service.call("PUT", path, {"mode": "auto"}).status in (200, 201)
    assert service.call("POST", "/rules", {"text": "drop icmp"}).status == 201
    assert site.ping(1) == 0
    return site.settings.state_dir / "xdpwall.db"
