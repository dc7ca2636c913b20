"""How a browser gets in: a code by the unix socket, once, within a minute, for a session."""

from __future__ import annotations

import json
import subprocess
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from tests.cli.support import Instance
from tests.support.net.netns import Lab, wait_for
from tests.support.paths import ROOT
from tests.support.service.service import Reply, Service
from xdpwall.api.serving.page_codes import GOOD_FOR, MOST, CodeGrant, PageCodes
from xdpwall.api.serving.refusals import FREE_TRIES
from xdpwall.firewall.firewall import Firewall
from xdpwall.firewall.tokens import MAX_SESSIONS
from xdpwall.settings import Settings
from xdpwall.views.tokens import TokenView

GRANT = CodeGrant("uid 0", "admin")


@pytest.fixture
def own(lab: Lab, tmp_path: Path) -> Iterator[Service]:
    with Service(lab.namespace(), tmp_path, lab.bpffs) as service:
        yield service


def exchange(service: Service, code: Any) -> Reply:
    kind = {"content-type": "application/json"}
    return service.tcp("POST", "/api/v1/session", kind, json.dumps({"code": code}).encode())


def test_a_code_is_exchanged_once_for_a_session(own: Service) -> None:
    made = own.call("POST", "/page").json
    assert made["url"] == f"http://127.0.0.1:{own.port}/#code={made['code']}"
    assert (made["seconds"], made["role"]) == (60, "admin")
    opened = exchange(own, made["code"])
    assert opened.status == 201
    session = opened.json["token"]
    assert (session["name"], session["kind"], session["owner"]) == ("page-1", "page", "uid 0")
    again = exchange(own, made["code"])
    assert (again.status, again.json["code"]) == (401, "wrong-code")
    secret = opened.json["secret"]
    shown = own.tcp("GET", "/api/v1/session", token=secret).json
    assert (shown["name"], shown["via"], shown["role"]) == ("uid 0", "page", "admin")
    assert shown["expires"] == session["expires"]
    made_rule = own.tcp(
        "POST", "/api/v1/rules", {"content-type": "application/json"}, b'"count icmp"', token=secret
    )
    assert made_rule.status == 201
    assert own.audit("author", "via") == ("uid 0", "page 127.0.0.1")
    own.stop()
    own.start()
    assert own.tcp("GET", "/api/v1/rules", token=secret).status == 200, "over a restart"
    assert own.call("DELETE", "/tokens/page-1").status == 200
    assert own.tcp("GET", "/api/v1/rules", token=secret).status == 401


def test_wrong_codes_are_counted_told_and_slowed(own: Service) -> None:
    for _ in range(FREE_TRIES + 1):
        assert exchange(own, "guess").json["code"] == "wrong-code"
    assert b'xdpwall_refused_requests_total{code="wrong-code"} 6.0' in (
        own.raw("GET", "/metrics", {}).content
    )
    assert own.log().count("refused a wrong token over TCP") == 1
    for bad in (None, 7, "x" * 65):
        assert exchange(own, bad).status == 422


def test_a_code_ends_with_its_minute_and_the_oldest_give_way() -> None:
    moment = 100.0
    codes = PageCodes(lambda: moment)
    early, late = codes.make(GRANT), codes.make(GRANT)
    moment += GOOD_FOR - 0.5
    assert codes.take(early) == GRANT
    moment += 0.5
    assert codes.take(late) is None
    first = codes.make(GRANT)
    kept = [codes.make(GRANT) for _ in range(MOST)]
    assert codes.take(first) is None
    assert all(codes.take(code) == GRANT for code in kept)


def test_sessions_are_few_and_go_when_they_are_over(lab: Lab, tmp_path: Path) -> None:
    settings = Settings(tmp_path / "state", lab.bpffs / "fw", tmp_path / "socket")
    with Firewall.open(settings) as firewall:
        firewall.add_token("grafana", "metrics")
        for _ in range(MAX_SESSIONS + 3):
            firewall.open_session("uid 0", "admin")
        found = [one for one in firewall.tokens().tokens if one.kind == "page"]
        assert len(found) == MAX_SESSIONS
        book = firewall.token_book
        book.seconds = lambda: 4e9
        firewall.open_session("uid 0", "admin")
        left: list[TokenView] = firewall.tokens().tokens
        assert [one.name for one in left if one.kind == "page"] == ["page-1"]
        assert "grafana" in {one.name for one in left}


def test_by_the_command_line(lab: Lab, tmp_path: Path) -> None:
    space = lab.namespace()
    settings = Settings(tmp_path / "state", lab.bpffs / "xdpwall", tmp_path / "xdpwall.sock")
    here = Instance(settings.state_dir, settings.bpffs, settings.socket, space)
    alone = here.run("page")
    assert alone.returncode == 7
    assert "hint: start it" in alone.stderr
    with Service(space, tmp_path, lab.bpffs) as service:
        shown = here.run("page")
        assert "opens the page once, within 60 s, with the role admin" in shown.stderr
        url, _, code = shown.stdout.strip().partition("#code=")
        assert url == f"http://127.0.0.1:{service.port}/"
        assert exchange(service, code).status == 201


# -- secrets are nowhere but where they were asked for ----------------------------------------------


def test_secrets_are_in_no_log_no_file_no_command_line_and_no_page(
    own: Service, tmp_path: Path
) -> None:
    code = own.call("POST", "/page").json["code"]
    session = exchange(own, code).json["secret"]
    token = own.call("POST", "/tokens", {"name": "deploy", "role": "operator"}).json["secret"]
    unused = own.call("POST", "/page").json["code"]
    secrets = [code, session, token, unused]
    # Whatever fails by its sender's fault, with the secret in every place where one may put it.
    for secret in (session, token):
        own.tcp("GET", f"/api/v1/rules?token={secret}", token=secret)
        own.tcp("GET", f"/{secret}", token=secret)
        own.tcp("GET", "/api/v1/rules", {"cookie": secret, "host": "evil.example"}, token=secret)
        own.tcp("PUT", "/api/v1/switch", token=secret)
        own.tcp("POST", "/api/v1/rules", {"content-type": "text/plain"}, b"x", token=secret)
        own.tcp("GET", "/api/v1/rules", {"authorization": f"Basic {secret}"})
    for given in (code, unused + "x", session):
        assert exchange(own, given).status == 401
    wait_for(lambda: "refused" in own.log(), "a line of the log")
    told = [
        own.log(),
        json.dumps(own.call("GET", "/audit").json),
        json.dumps(own.call("GET", "/tokens").json),
        json.dumps(own.call("GET", "/status").json),
        own.raw("GET", "/metrics", {}).content.decode(),
        *(own.tcp("GET", path).content.decode() for path in ("/", "/page.mjs", "/page.css")),
        Path(f"/proc/{own.pid}/cmdline").read_text(),
        Path(f"/proc/{own.pid}/environ").read_text(),
    ]
    files = [one for one in tmp_path.rglob("*") if one.is_file()]
    assert own.settings.state_dir / "tokens" in files
    for secret in secrets:
        assert not any(secret in text for text in told)
        for file in files:
            assert secret.encode() not in file.read_bytes(), file


def test_no_command_takes_a_secret_as_a_word(own: Service, tmp_path: Path) -> None:
    """Every process of this host sees the words of a command line."""
    here = Instance(own.settings.state_dir, own.settings.bpffs, own.settings.socket, own.space)
    for command in ("token add", "token rotate", "page"):
        words = here.run(*command.split(), "--help").stdout
        assert "--secret" not in words and "--code" not in words and "SECRET" not in words
    assert here.run("token", "add", "a", "--role", "read", "xdpwall_secret").returncode == 2


def test_what_is_no_terminal_gets_no_secret(own: Service) -> None:
    """Whatever collects the output of a service: the journal, a file, a container's log."""
    log = own.settings.state_dir.parent / "serve.log"
    other = Settings(
        own.settings.state_dir.parent / "other",
        own.settings.bpffs.parent / "other",
        own.settings.state_dir.parent / "other.sock",
    )
    here = Instance(other.state_dir, other.bpffs, other.socket, own.space)
    with log.open("w") as out, subprocess.Popen(
        here.argv("serve", "--port", "0"), stdout=out, stderr=out, cwd=ROOT,
        env={**here.env, "PYTHONPATH": str(ROOT), "PATH": "/usr/bin:/bin:/usr/sbin:/sbin"},
    ) as process:  # fmt: skip
        try:
            wait_for(lambda: "page at" in log.read_text(), "the address")
        finally:
            process.terminate()
    assert "(sudo xdpwall page prints an address that opens it)" in log.read_text()
    assert "#code=" not in log.read_text() and "#token=" not in log.read_text()
