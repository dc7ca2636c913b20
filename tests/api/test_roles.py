"""Who may what: every route of the OpenAPI document x role x transport."""

from __future__ import annotations

import contextlib
import http.client
import json
import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any, NamedTuple

import pytest

from tests.support.net.netns import Lab
from tests.support.service.events import Events
from tests.support.service.service import START, Service
from tests.support.service.users import connected_as
from xdpwall.api.reference import TARGET, reference_page
from xdpwall.api.serving.peer_roles import PeerRoles
from xdpwall.errors import InvalidInput
from xdpwall.settings import Settings, service_tables
from xdpwall.values.roles import ROLES, Role, covers

NEEDED: dict[Role | None, set[str]] = {
    None: {"GET /healthz", "GET /api/v1/healthz", "POST /api/v1/session"},
    "metrics": {"GET /api/v1/metrics"},
    "read": {
        *("GET /api/v1/" + path for path in (
            "session", "stats", "status", "events", "events/settings", "interfaces", "containers", "containers/published", "rules", "rules/{id}",
            "policy", "sets", "sets/{name}", "sets/{name}/test", "ruleset", "ruleset/history", "audit",
            "block", "flows")),
        *("POST /api/v1/" + path for path in ("rules/parse", "explain", "check", "diff", "page")),
    },
    "operator": {
        *("POST /api/v1/" + path for path in (
            "rules", "rules/delete", "rules/enable", "rules/disable", "rules/reset-counters", "rules/flush",
            "rules/{id}/move", "rules/{id}/reset-counters", "sets", "sets/{name}/entries", "block",
            "ruleset/confirm", "ruleset/rollback")),
        *("PUT /api/v1/" + path for path in ("rules/{id}", "sets/{name}", "policy", "ruleset")),
        "PATCH /api/v1/rules/{id}",
        *("DELETE /api/v1/" + path for path in ("rules/{id}", "sets/{name}", "block", "flows")),
    },
    "admin": {
        *(f"{method} /api/v1/interfaces/{{name}}/attachments/{place}"
          for method in ("PUT", "DELETE") for place in ("xdp", "{place}")),
        "DELETE /api/v1/interfaces/{name}/attachments",
        "DELETE /api/v1/attachments",
        "PUT /api/v1/switch",
        "PUT /api/v1/events/settings",
        "PUT /api/v1/flows/size",
        "POST /api/v1/restore",
        "POST /api/v1/appeared",
        "POST /api/v1/repair",
        "GET /api/v1/tokens",
        "POST /api/v1/tokens",
        "POST /api/v1/tokens/revoke",
        "POST /api/v1/tokens/{name}/rotate",
        "DELETE /api/v1/tokens/{name}",
    },
}  # fmt: skip
"""What the design says, beside what the routes declare."""

USERS: dict[Role, int] = {role: 61_000 + number for number, role in enumerate(ROLES)}
GROUPS: dict[Role, int] = {role: 62_000 + number for number, role in enumerate(ROLES)}
STRANGER, SHUT_OUT = 63_000, 63_001

CONFIG = "\n".join(
    [
        "[roles.users]",
        *(f'{uid} = "{role}"' for role, uid in USERS.items()),
        f'{SHUT_OUT} = "none"',
        "[roles.groups]",
        *(f'{gid} = "{role}"' for role, gid in GROUPS.items()),
    ]
)


class Answer(NamedTuple):
    status: int
    body: Any


@pytest.fixture(scope="module")
def own(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Service]:
    folder: Path = tmp_path_factory.mktemp("roles")
    config = folder / "config.toml"
    config.write_text(CONFIG)
    prelude = (
        f"import pathlib, xdpwall.settings as s; s.CONFIG_FILE = pathlib.Path({str(config)!r})\n"
    )
    lab = Lab("tests/api/test_roles")
    lab.clean()
    space = lab.namespace("gate")
    lab.veth(space, "eth1", lab.namespace("box"), "eth0")
    try:
        with Service(space, folder, lab.bpffs, prelude=prelude) as service:
            yield service
    finally:
        lab.clean()


@pytest.fixture(scope="module")
def document(own: Service) -> dict[str, Any]:
    found: dict[str, Any] = own.call("GET", "/openapi.json").json
    return found


@pytest.fixture(scope="module")
def tokens(own: Service) -> dict[Role, str]:
    """A token of each role."""
    return {role: make_token(own, f"the-{role}", role) for role in ROLES}


def make_token(service: Service, name: str, role: str, **more: Any) -> str:
    made = service.call("POST", "/tokens", {"name": name, "role": role, **more})
    assert made.status == 201, made.content
    return str(made.json["secret"])


def operations(document: dict[str, Any]) -> dict[str, Role | None]:
    """ "METHOD /path" -> the role that the document says."""
    return {
        f"{method.upper()} {path}": operation.get("x-role")
        for path, methods in document["paths"].items()
        for method, operation in methods.items()
    }


def ask(connection: http.client.HTTPConnection, route: str, **headers: str) -> Answer:
    """Send a request of nothing: what is let in fails later, or changes nothing that is there."""
    method, path = route.split()
    path = re.sub(r"\{place\}", "tc-ingress", path)
    connection.request(method, re.sub(r"\{\w+\}", "nothing", path), headers=headers)
    answer = connection.getresponse()
    if answer.headers["content-type"].startswith("text/event-stream"):
        answer.close()
        connection.close()
        return Answer(answer.status, None)
    raw = answer.read()
    is_json = answer.headers["content-type"].endswith("json")
    return Answer(answer.status, json.loads(raw) if is_json else raw)


def check(answer: Answer, role: Role | None, needed: Role | None, where: str) -> None:
    if needed is None or covers(role, needed):
        assert answer.status not in (401, 403), where
        return
    assert answer.status == 403, (where, answer)
    assert (answer.body["code"], answer.body["role"]) == ("wrong-role", needed), where
    assert needed in answer.body["detail"] and "hint" in answer.body


def test_each_route_declares_what_the_design_says(document: dict[str, Any]) -> None:
    found: dict[Role | None, set[str]] = {}
    for route, role in operations(document).items():
        found.setdefault(role, set()).add(route)
    assert found == NEEDED


@pytest.mark.parametrize("role", ROLES)
def test_every_route_by_token(
    own: Service, document: dict[str, Any], tokens: dict[Role, str], role: Role
) -> None:
    connection = http.client.HTTPConnection("127.0.0.1", own.port, timeout=START)
    with contextlib.closing(connection):
        for route, needed in operations(document).items():
            with own.space.inside():
                if connection.sock is None:
                    connection.connect()
            answer = ask(connection, route, authorization=f"Bearer {tokens[role]}")
            if route == "POST /api/v1/page" and covers(role, "read"):
                assert (answer.status, answer.body["code"]) == (403, "socket-only")
                continue
            check(answer, role, needed, f"{role}: {route}")


@pytest.mark.parametrize("role", [*ROLES, None])
@pytest.mark.parametrize("by", ["user", "group"])
def test_every_route_by_unix_socket(
    own: Service, document: dict[str, Any], role: Role | None, by: str
) -> None:
    if by == "user":
        uid, groups = (SHUT_OUT if role is None else USERS[role]), [GROUPS["admin"]]
    else:
        uid, groups = STRANGER, [] if role is None else [GROUPS["metrics"], GROUPS[role]]
    streams = [route for route in operations(document) if route.endswith("/events")]
    with connected_as(own, uid, groups) as connection:
        for route, needed in operations(document).items():
            if route not in streams:
                check(ask(connection, route), role, needed, f"{role}: {route}")
        for route in streams:
            check(ask(connection, route), role, operations(document)[route], f"{role}: {route}")


def test_what_the_document_lacks_needs_a_role_too(own: Service, tokens: dict[Role, str]) -> None:
    for path, needed in (("/api/v1/openapi.json", "read"), ("/metrics", "metrics")):
        for role in ROLES:
            status = own.tcp("GET", path, token=tokens[role]).status
            assert (status == 200) == covers(role, needed), (path, role)  # type: ignore[arg-type]


def test_root_is_admin_whatever_his_groups(own: Service) -> None:
    session = own.call("GET", "/session").json
    assert session == {"name": "uid 0", "via": "socket", "role": "admin"}


def test_the_audit_trail_names_the_token_and_the_user(
    own: Service, tokens: dict[Role, str]
) -> None:
    made = own.tcp(
        "POST", "/api/v1/rules", {"content-type": "application/json"}, b'"count icmp"',
        token=tokens["operator"],
    )  # fmt: skip
    assert made.status == 201
    assert own.audit("author", "via") == ("token the-operator", "tcp 127.0.0.1")
    with connected_as(own, USERS["operator"]) as connection:
        connection.request("DELETE", f"/api/v1/rules/{made.json['id']}")
        assert connection.getresponse().status == 200
    assert own.audit("author", "via") == (f"uid {USERS['operator']}", "socket")


# -- what depends on more than the route ------------------------------------------------------------


def send(service: Service, token: str, method: str, path: str, body: Any) -> Answer:
    sent = json.dumps(body).encode()
    kind = {"content-type": "application/json"}
    reply = service.tcp(method, f"/api/v1{path}", kind, sent, token=token)
    return Answer(reply.status, reply.json)


def test_other_attachments_and_adopt_need_admin(own: Service, tokens: dict[Role, str]) -> None:
    place = "/interfaces/eth1/attachments/tc-ingress"
    assert own.call("PUT", place, {}).status == 201
    try:
        same: dict[str, Any] = own.call("GET", "/ruleset").json
        assert same["attachments"]
        rules = {**same, "rules": ["count udp"]}
        for token in (tokens["operator"], tokens["admin"]):
            assert send(own, token, "PUT", "/ruleset", rules).status == 200
        for other in ([], [*same["attachments"], {"iface": "eth1", "hook": "xdp"}]):
            for query in ("", "?dry_run=true"):
                refused = send(
                    own,
                    tokens["operator"],
                    "PUT",
                    f"/ruleset{query}",
                    {**same, "attachments": other},
                )
                assert (refused.status, refused.body["role"]) == (403, "admin"), refused
        assert len(own.call("GET", "/ruleset").json["attachments"]) == 1
        adopted = send(own, tokens["operator"], "PUT", "/ruleset?adopt=true", same)
        assert (adopted.status, adopted.body["role"]) == (403, "admin")
        assert send(own, tokens["admin"], "PUT", "/ruleset?adopt=true", same).status == 200
    finally:
        assert own.call("DELETE", place).status == 200


def test_the_bytes_of_packets_are_for_operators(own: Service, tokens: dict[Role, str]) -> None:
    assert own.call("PUT", "/ruleset", {"version": 1, "rules": ["drop udp/9 log"]}).status == 200
    assert own.call("PUT", "/interfaces/lo/attachments/tc-ingress", {}).status == 201
    try:
        seen: dict[str, dict[str, Any]] = {}
        for role in ("read", "operator"):
            with Events(own, token=tokens[role], query="?only=packets") as events:
                own.space.run("bash", "-c", "echo hello > /dev/udp/127.0.0.1/9")
                seen[role] = events.next("packets")["events"][0]
        assert seen["operator"]["data"].endswith(b"hello\n".hex())
        assert "data" not in seen["read"]
        assert seen["read"]["dport"] == seen["operator"]["dport"] == 9
        with Events(own, token=tokens["read"], query="?only=packets&kept=true") as events:
            kept = events.next("packets")["events"]
        assert len(kept) >= 2 and not any("data" in one for one in kept)
    finally:
        own.call("DELETE", "/interfaces/lo/attachments")


# -- config.toml -------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("config", "field"),
    [
        ({"user": {}}, "roles.user"),
        ({"users": []}, "roles.users"),
        ({"users": {"1000": "root"}}, "roles.users.1000"),
        ({"groups": {"1000": 3}}, "roles.groups.1000"),
        ({"users": {"root": "read"}}, "roles.users"),
    ],
)
def test_a_wrong_entry_is_named(config: dict[str, Any], field: str) -> None:
    with pytest.raises(InvalidInput) as caught:
        PeerRoles(config)
    assert caught.value.field == field


def test_users_go_before_groups_and_groups_add_up(caplog: pytest.LogCaptureFixture) -> None:
    roles = PeerRoles(
        {
            "users": {"daemon": "read", "1001": "none", "no-such-user": "admin"},
            "groups": {"2001": "metrics", "2002": "operator", "2003": "none"},
        }
    )
    assert roles.role_of(1, (2002,)) == "read"
    assert roles.role_of(1001, (2002,)) is None
    assert roles.role_of(1002, (2001, 2002, 2003)) == "operator"
    assert roles.role_of(1002, (2003, 4711)) is None
    assert roles.role_of(None, (2002,)) is None
    assert roles.role_of(0, ()) == "admin"
    assert "no-such-user" in caplog.text and "'xdpwall'" not in caplog.text


def test_the_group_xdpwall_is_operator_unless_set_otherwise(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr("xdpwall.api.serving.peer_roles._gid", {"xdpwall": 990}.__getitem__)
    assert PeerRoles().role_of(1000, (990,)) == "operator"
    assert PeerRoles({"groups": {"xdpwall": "read"}}).role_of(1000, (990,)) == "read"


def test_the_file_may_have_roles_beside_paths(tmp_path: Path) -> None:
    path = tmp_path / "config.toml"
    path.write_text('socket = "/run/x"\n[roles.groups]\nadm = "read"\n')
    assert Settings.load(environ={}, config=path).socket == Path("/run/x")
    assert service_tables(path) == {"roles": {"groups": {"adm": "read"}}}
    path.write_text('roles = "admin"\n')
    for read in (lambda: service_tables(path), lambda: Settings.load(environ={}, config=path)):
        with pytest.raises(InvalidInput) as caught:
            read()
        assert caught.value.field == "roles"


def test_the_page_of_the_documentation_is_up_to_date() -> None:
    written = TARGET.read_text(encoding="utf-8")
    assert written == reference_page(), "run: python -m xdpwall.api.reference"


def test_more_groups_than_the_kernel_gives_at_once_give_nobody_more(own: Service) -> None:
    # Of a user without a name no others are known then than his own.
    with connected_as(own, STRANGER, [*range(70_000, 70_400), GROUPS["read"]]) as connection:
        assert ask(connection, "GET /api/v1/session").status == 403
