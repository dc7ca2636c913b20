"""Bodies that would take far more memory than their bytes: refused, and cheaply."""

from __future__ import annotations

import re
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.support.net.netns import Lab
from tests.support.service.service import Service
from xdpwall.api import body_checks

MOST = 450
"""MB that the service may have had at most, after all of these: the largest body is 63 MB."""
TWO_MILLION = 2_000_000


@pytest.fixture(scope="module")
def own(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Service]:
    lab = Lab("tests/api/test_memory")
    lab.clean()
    folder: Path = tmp_path_factory.mktemp("memory")
    try:
        with Service(lab.namespace(), folder, lab.bpffs) as service:
            assert service.call("POST", "/sets", {"name": "bad"}).status == 200
            yield service
    finally:
        lab.clean()


@pytest.mark.parametrize(
    ("method", "path", "begin", "item", "count", "end", "code"),
    [
        ("PUT", "/sets/bad", '{"entries":[', '{"entry":"","expires":"1h"}', TWO_MILLION, "]}", "too-many"),
        ("PUT", "/sets/bad", '{"entries":[', '{"entry":"","expires":"1h"}', 300_000, "]}", "invalid"),
        ("POST", "/sets/bad/entries", '{"add":[', "{}", TWO_MILLION, "]}", "too-many"),
        ("POST", "/sets/bad/entries", '{"add":[', "{}", 400_000, "]}", "invalid"),
        ("POST", "/sets/bad/entries", '{"add":[', '""', 900_000, "]}", "invalid"),
        ("POST", "/rules", "[", "{}", TWO_MILLION, "]", "too-many"),
        ("POST", "/rules", "[", "{}", 400_000, "]", "too-many"),
        ("POST", "/rules", "[", "[[]]", 300_000, "]", "too-many"),
        ("PUT", "/ruleset", '{"version":1,"rules":[', "0", 5 * TWO_MILLION // 2, "]}", "too-many"),
        ("PUT", "/ruleset", '{"version":1,"rules":[],"sets":{"bad":{"entries":[', "1", 900_000, "]}}}", "invalid"),
    ],
)  # fmt: skip
def test_a_body_of_very_many_values_is_refused(
    own: Service, method: str, path: str, begin: str, item: str, count: int, end: str, code: str
) -> None:
    body = begin + ",".join([item] * count) + end
    reply = own.call(method, path, body.encode())
    assert (reply.status, reply.json["code"]) == (422, code), reply.content[:300]
    assert len(reply.content) < 2000
    text = Path(f"/proc/{own.pid}/status").read_text()
    assert int(re.findall(r"VmHWM:\s+(\d+) kB", text)[0]) / 1024 < MOST


def test_as_many_entries_as_people_write_are_taken(own: Service) -> None:
    entries = ",".join(f'"10.{n >> 16}.{n >> 8 & 255}.{n & 255}"' for n in range(200_000))
    reply = own.call("PUT", "/sets/bad", f'{{"entries":[{entries}]}}'.encode())
    assert reply.status == 200, reply.content[:300]
    assert reply.json["set"]["entries"] == 200_000
    assert body_checks.MAX_VALUES >= 1_000_000
