"""docs/reference/settings.md: config.toml, the environment, and what is set by command."""

from __future__ import annotations

from xdpwall import settings
from xdpwall.api.serving import peer_roles, tls
from xdpwall.events.settings import FIELDS, LIMITS
from xdpwall.values.roles import MEANINGS, ROLES
from xdpwall.views.events import EventSettings

from .markdown import code, page, table

_PATHS = {
    "state_dir": "folder of the ruleset, its history, tokens and the lock; made with mode 0700",
    "bpffs": "folder below a mounted bpffs where maps and programs are pinned",
    "containers": "file of the names of containers, which `xdpwall container follow` writes",
    "socket": f"unix socket of the service; at most {settings.MAX_SOCKET_PATH} bytes",
}
_WITHOUT_FLAG = ("containers",)
_ROLES = {
    "users": "a user of this host, by name or number; goes before groups",
    "groups": "a group of this host, by name or number; of several groups the highest role counts",
    "certificates": "a name in a client certificate; needs `tls.client_ca`",
}
_TLS = {
    "certificate": "absolute path of the certificate and its chain, PEM; needed",
    "key": "absolute path of its key, PEM, which others may not read; needed",
    "client_ca": "whose certificates clients may show, PEM; absent: none",
    "names": "list of Host names that clients may send; absent: any",
}
_EVENTS = {
    "enabled": "false: no packet is reported, whatever rules say",
    "log_drops": "report each drop, also the policy's",
    "sample": "report one in so many, by chance",
    "rate": "at most so many a second of one rule on one CPU",
    "bytes": "first bytes of the frame in a record",
}
_ENVIRONMENT = {
    "NO_COLOR": "any value: no colour, as `--color never`",
    "PAGER": "what `xdpwall help TOPIC` shows a page with, on a terminal alone; default `less`",
}


def settings_page() -> str:
    """The page as Markdown."""
    return page("Settings", _HEAD, _paths(), _service(), _environment(), _by_command())


_HEAD = f"""\
A flag goes before the environment, that before `{settings.CONFIG_FILE}`, that before the default. Nothing needs to
be set. An unknown key is refused by its name. The service reads the tables `roles` and `tls` anew when the file
changes, and keeps what was in force where the new file is wrong, which its log says."""


def _paths() -> str:
    assert _PATHS.keys() == settings.PATHS.keys()
    rows = [
        [code(key), _flag(key), code(variable), code(default), _PATHS[key]]
        for key, (variable, default) in settings.PATHS.items()
    ]
    head = ["config.toml", "flag", "environment", "default", "what it is"]
    return f"## Where an instance lives\n\n{table(head, rows)}"


def _flag(key: str) -> str:
    return "none" if key in _WITHOUT_FLAG else code(f"--{key.replace('_', '-')}")


def _service() -> str:
    assert settings.SERVICE_TABLES == ("roles", "tls")
    assert _ROLES.keys() == set(peer_roles.TABLES) and _TLS.keys() == set(tls.FIELDS)
    roles = ", ".join(map(code, (*ROLES, peer_roles.NONE)))
    rows = [
        [code(f"[roles.{kind}]"), f"NAME = one of {roles}", text] for kind, text in _ROLES.items()
    ]
    rows += [
        [code(f"[tls] {name}"), "text" if name != "names" else "list of texts", text]
        for name, text in _TLS.items()
    ]
    meanings = "; ".join(f"{code(role)}: {text}" for role, text in MEANINGS.items())
    return f"""\
## Who may ask, and how

{table(["config.toml", "value", "what it is"], rows)}

Roles, each with what those before it may: {meanings}. Root is {code("admin")}, the group
`{peer_roles.DEFAULT_GROUP}` {code("operator")} unless the file says otherwise. [Who may what](../guides/who-may-what.md) has
examples; a service on another address than loopback needs `[tls]`."""


def _environment() -> str:
    rows = [[code(name), text] for name, text in _ENVIRONMENT.items()]
    return f"## Environment besides\n\n{table(['variable', 'what it does'], rows)}"


def _by_command() -> str:
    assert _EVENTS.keys() == set(FIELDS)
    usual = EventSettings().model_dump()
    rows = []
    for name in FIELDS:
        low, high = LIMITS.get(name, (None, None))
        allowed = "true, false" if low is None else f"{low:,} to {high:,}"
        default = str(usual[name]).lower() if low is None else str(usual[name])
        rows.append(
            [code(name), code(f"--{name.replace('_', '-')}"), allowed, default, _EVENTS[name]]
        )
    return f"""\
## Set by command, and kept over reboots

Of [events](../guides/events.md), by `xdpwall events set` or `PUT /events/settings`; in force with the next packet:

{table(["field", "flag", "values", "default", "what it is"], rows)}

`xdpwall policy set` has the [policy](cli.md#xdpwall-policy-set), which is a part of the ruleset."""
