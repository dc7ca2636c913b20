"""Tokens: made, listed, rotated and taken back; over, elsewhere, and on disk."""

from __future__ import annotations

import fcntl
import json
import stat
import threading
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from tests.cli.support import Instance
from tests.support.net.netns import Lab, wait_for
from tests.support.service.events import Events
from tests.support.service.service import Service
from xdpwall.errors import Conflict, Failed, Full, InvalidInput, NotFound
from xdpwall.firewall.firewall import Firewall
from xdpwall.firewall.token_book import TokenBook
from xdpwall.firewall.tokens import MAX_TOKENS
from xdpwall.settings import Settings

RULES = "/api/v1/rules"


@pytest.fixture
def own(lab: Lab, tmp_path: Path) -> Iterator[Service]:
    with Service(lab.namespace(), tmp_path, lab.bpffs) as service:
        yield service


@pytest.fixture
def firewall(lab: Lab, tmp_path: Path) -> Iterator[Firewall]:
    settings = Settings(tmp_path / "state", lab.bpffs / "fw", tmp_path / "socket")
    with Firewall.open(settings) as opened:
        yield opened


def made(service: Service, name: str, role: str = "read", **more: Any) -> str:
    reply = service.call("POST", "/tokens", {"name": name, "role": role, **more})
    assert reply.status == 201, reply.content
    return str(reply.json["secret"])


def test_a_token_is_made_used_rotated_and_revoked(own: Service) -> None:
    secret = made(own, "grafana", "metrics", expires="90d", **{"from": ["127.0.0.0/8"]})
    assert own.tcp("GET", "/metrics", token=secret).status == 200
    (listed,) = (
        one for one in own.call("GET", "/tokens").json["tokens"] if one["name"] == "grafana"
    )
    assert (listed["role"], listed["kind"], listed["from"]) == ("metrics", "token", ["127.0.0.0/8"])
    assert listed["last_from"] == "127.0.0.1" and listed["last_used"]
    assert own.audit("action") == ("token add grafana (metrics)",)
    rotated = own.call("POST", "/tokens/grafana/rotate").json
    assert "last_used" not in rotated["token"]
    assert own.tcp("GET", "/metrics", token=secret).json["code"] == "wrong-token"
    assert own.tcp("GET", "/metrics", token=rotated["secret"]).status == 200
    assert own.call("DELETE", "/tokens/grafana").json == {"revoked": ["grafana"]}
    assert own.audit("action") == ("token revoke grafana",)
    assert own.tcp("GET", "/metrics", token=rotated["secret"]).json["code"] == "wrong-token"
    assert own.call("DELETE", "/tokens/grafana").status == 404


def test_a_stream_ends_with_its_token(own: Service) -> None:
    with Events(own, token=made(own, "watcher")) as events:
        events.next("snapshot")
        assert own.call("DELETE", "/tokens/watcher").status == 200
        assert events.next("end")["reason"] == "refused"


def test_from_elsewhere_a_token_is_as_good_as_none(own: Service) -> None:
    secret = made(own, "far", "admin", **{"from": ["192.0.2.0/24", "2001:db8::/32"]})
    refused = own.tcp("GET", RULES, token=secret)
    wrong = own.tcp("GET", RULES, token="x" * 50)
    assert (refused.status, refused.content) == (401, wrong.content)
    assert "refused token far from 127.0.0.1, where it is not valid" in own.log()
    wait_for(
        lambda: any(
            entry["author"] == "token far" and entry["action"].startswith("refused: used where")
            for entry in own.call("GET", "/audit").json["entries"]
        ),
        "the entry of the audit trail",
    )
    assert secret not in own.log()


def test_uses_are_kept_over_a_restart(own: Service) -> None:
    secret = made(own, "kept")
    assert own.tcp("GET", RULES, token=secret).status == 200
    assert own.stop() == 0
    own.start()
    assert own.tcp("GET", "/api/v1/session", token=secret).json == {
        "name": "token kept", "via": "tcp", "role": "read",
    }  # fmt: skip
    found = {one["name"]: one for one in own.call("GET", "/tokens").json["tokens"]}
    assert found["kept"]["last_from"] == "127.0.0.1"


def test_of_a_secret_only_a_hash_is_on_disk(firewall: Firewall, tmp_path: Path) -> None:
    secret = firewall.add_token("a", "read").secret
    path = tmp_path / "state" / "tokens"
    assert stat.S_IMODE(path.stat().st_mode) == 0o600
    for file in (one for one in (tmp_path / "state").rglob("*") if one.is_file()):
        assert secret.removeprefix("xdpwall_").encode() not in file.read_bytes(), file
    assert secret not in json.dumps(firewall.tokens().to_json())


def test_another_process_sees_a_change_soon(firewall: Firewall, tmp_path: Path) -> None:
    book = TokenBook(tmp_path / "state", lambda: 0.0)
    secret = firewall.add_token("a", "read").secret.encode()
    assert book.find(secret) is not None
    firewall.revoke_tokens(["a"])
    assert firewall.token_book.find(secret) is None, "at once in this one"
    wait_for(lambda: book.find(secret) is None, "the other one looks")


def test_a_token_is_over_at_its_time(tmp_path: Path, firewall: Firewall) -> None:
    secret = firewall.add_token("a", "read", expires="2099-01-01T00:00:00Z").secret.encode()
    known = TokenBook(tmp_path / "state", lambda: 0.0).find(secret)
    assert known is not None
    over = 4070908800.0  # date -d 2099-01-01T00:00:00Z +%s
    assert (known.is_over(over - 1), known.is_over(over)) == (False, True)


@pytest.mark.parametrize(
    ("sources", "address", "taken"),
    [
        ((), "198.51.100.1", True),
        (("10.0.0.0/8",), "10.255.0.1", True),
        (("10.0.0.0/8",), "11.0.0.1", False),
        (("10.0.0.0/8",), "::ffff:10.0.0.1", True),
        (("10.0.0.1",), "10.0.0.1", True),
        (("2001:db8::/32",), "2001:db8::1", True),
        (("fe80::/10",), "fe80::1%eth0", True),
        (("2001:db8::/32",), "10.0.0.1", False),
        (("0.0.0.0/0",), None, False),
        (("0.0.0.0/0",), "nonsense", False),
    ],
)
def test_where_a_token_is_taken_from(
    firewall: Firewall, sources: tuple[str, ...], address: str | None, taken: bool
) -> None:
    secret = firewall.add_token("a", "read", sources=sources).secret
    known = firewall.token_book.find(secret.encode())
    assert known is not None
    assert known.takes(address) == taken


@pytest.mark.parametrize(
    ("given", "field"),
    [
        ({"name": "No Name"}, "name"),
        ({"role": "root"}, "role"),
        ({"expires": "never"}, "expires"),
        ({"expires": "2001-01-01T00:00:00Z"}, "expires"),
        ({"sources": ["10.0.0.1/8"]}, "from[0]"),
        ({"sources": ["10.0.0.0/8", "!10.0.0.0/9"]}, "from[1]"),
        ({"sources": ["10.0.0.0/8"] * 65}, "from"),
    ],
)
def test_a_wrong_field_is_named_and_nothing_made(
    firewall: Firewall, given: dict[str, Any], field: str
) -> None:
    with pytest.raises(InvalidInput) as caught:
        firewall.add_token(**{"name": "a", "role": "read", **given})
    assert caught.value.field == field
    assert firewall.tokens().tokens == []


def test_names_are_unique_and_few(firewall: Firewall, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("xdpwall.firewall.tokens.MAX_TOKENS", 2)
    assert MAX_TOKENS == 256
    firewall.add_token("a", "read")
    with pytest.raises(Conflict, match="already"):
        firewall.add_token("a", "admin")
    firewall.add_token("b", "read")
    with pytest.raises(Full):
        firewall.add_token("c", "read")
    with pytest.raises(NotFound, match="'bb'"):
        firewall.revoke_tokens(["a", "bb"])
    assert [one.name for one in firewall.tokens().tokens] == ["a", "b"]
    with pytest.raises(NotFound):
        firewall.rotate_token("c")


def test_tokens_made_at_once_are_all_kept(firewall: Firewall) -> None:
    threads = [
        threading.Thread(target=firewall.add_token, args=(f"t{number}", "read"))
        for number in range(12)
    ]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert len(firewall.tokens().tokens) == 12


def test_of_a_damaged_file_no_token_is_taken(
    firewall: Firewall, tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    secret = firewall.add_token("a", "admin").secret.encode()
    path = tmp_path / "state" / "tokens"
    content = bytearray(path.read_bytes())
    content[-5] ^= 1
    path.write_bytes(content)
    book = TokenBook(tmp_path / "state", lambda: 0.0)
    assert book.find(secret) is None
    assert book.find(secret) is None
    assert len([one for one in caplog.records if "is damaged" in one.getMessage()]) == 1
    for change in (
        firewall.tokens,
        lambda: firewall.add_token("b", "read"),
        lambda: firewall.revoke_tokens(["a"]),
    ):
        with pytest.raises(Failed) as caught:
            change()
        assert caught.value.code == "corrupt"
        assert f"rm {path}" in (caught.value.hint or "")


def test_by_the_command_line(lab: Lab, tmp_path: Path) -> None:
    space = lab.namespace()
    settings = Settings(tmp_path / "state", lab.bpffs / "xdpwall", tmp_path / "xdpwall.sock")
    here = Instance(settings.state_dir, settings.bpffs, settings.socket, space)

    def both_ways() -> str:
        added = here.run("token", "add", "ops", "--role", "operator", "--from", "127.0.0.1")
        assert added.returncode == 0, added.stderr
        assert added.stdout.startswith("xdpwall_") and added.stdout.count("\n") == 1
        assert "not shown again" in added.stderr
        again = here.run("token", "add", "ops", "--role", "read")
        assert (again.returncode, again.stdout) == (5, "")
        rotated = here.run("token", "rotate", "ops", "-o", "json")
        listed = here.run("token", "list")
        assert "127.0.0.1" in listed.stdout and "operator" in listed.stdout
        secret = str(json.loads(rotated.stdout)["secret"])
        assert secret not in listed.stdout + added.stdout
        assert here.run("token", "list", "-o", "name").stdout.split()[-1] == "ops"
        return secret

    alone = both_ways()
    with Service(space, tmp_path, lab.bpffs) as service:
        assert service.tcp("GET", RULES, token=alone).status == 200
        assert here.run("token", "revoke", "ops").returncode == 0
        assert service.tcp("GET", RULES, token=alone).status == 401
        served = both_ways()
        assert service.tcp("GET", RULES, token=served).status == 200
        assert here.run("token", "revoke", "ops", "nobody").returncode == 3
        assert service.tcp("GET", RULES, token=served).status == 200


def test_a_secret_is_taken_back_while_a_change_is_stuck(own: Service) -> None:
    secret = made(own, "leaked", "admin")
    with (own.settings.state_dir / "lock").open("r+b") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        stuck = threading.Thread(target=own.call, args=("POST", "/rules", {"action": "count"}))
        stuck.start()
        revoking = threading.Thread(target=own.call, args=("DELETE", "/tokens/leaked"))
        revoking.start()
        # Of a path that asks for nothing behind the lock: what came before the revocation would wait there.
        wait_for(lambda: own.tcp("GET", "/api/v1/no", token=secret).status == 401, "it is refused")
    for thread in (stuck, revoking):
        thread.join()
    # By the audit trail or, where that stayed busy for too long, by the log.
    actions = [entry["action"] for entry in own.call("GET", "/audit").json["entries"]]
    assert "token revoke leaked" in actions or "token revoke leaked by uid 0" in own.log()
