"""Which interfaces a word stands for: `eth0`, `veth*`, `ports:docker0`, `container:web`. Pure."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any, NamedTuple

from xdpwall.values.addresses import CONTAINER, ENGINE_NAME
from xdpwall.values.inputs import invalid, parse_text

MAX_IFACE = 15
"""Bytes: IFNAMSIZ without the NUL."""
PORTS = "ports:"
"""In front of the name of a bridge, bond or other master: its ports."""
_PORTS_ELSEWHERE = ("port", "bridge", "br", "bond", "master", "members", "slaves")
"""What is written for PORTS by mistake."""
NETWORK = "network:"
"""In front of the name of a container engine's network: its bridge, and the ports of that."""
_ENGINES = (CONTAINER, NETWORK)


class Relations(NamedTuple):
    """Those selectors with a colon in rules that mean an interface."""

    sure: frozenset[str] = frozenset()
    unsure: frozenset[str] = frozenset()
    """Those of which it is not known: as for a field that cannot be read, drop rules hold there, others do
    not."""


NO_RELATIONS = Relations()


def is_pattern(text: str) -> bool:
    """Whether it may stand for several interfaces: with a `*`, or `ports:` in front."""
    return "*" in text or is_relation(text)


def is_relation(text: str) -> bool:
    """Whether an interface's name does not tell if it is meant: with a colon, which no name has."""
    return ":" in text


def parse_iface_name(field: str, value: Any) -> str:
    """The name of one interface, as the kernel takes names."""
    return checked_name(field, value, parse_text(field, value, "the name of an interface"))


def refuse_pattern(field: str, value: Any) -> None:
    """InvalidInput for what stands for several interfaces, where one is wanted."""
    if isinstance(value, str) and is_pattern(value):
        raise invalid(field, value, "stands for several interfaces", "one by its name, like eth0")


def checked_name(field: str, value: Any, name: str) -> str:
    """`name`, if the kernel would take it; `value` is what was given."""
    size = len(name.encode("utf-8", "replace"))
    if not 1 <= size <= MAX_IFACE:
        raise invalid(field, value, "is not an interface's name", f"1 to {MAX_IFACE} bytes")
    if name in (".", "..") or "/" in name or ":" in name or name.startswith("!"):
        raise invalid(field, value, "is not an interface's name", "one without / and :, like eth0")
    if not name.isprintable() or " " in name:
        raise invalid(field, value, "is not an interface's name", "one without blanks, like eth0")
    return name


def is_of_container(selector: str) -> bool:
    """Whether a container engine's word tells which interfaces are meant."""
    return selector.startswith(_ENGINES)


def checked_selector(field: str, value: Any, text: str, *, rule: bool = True) -> str:
    """`text`, if it is a name, a name with `*` in it, `ports:` and the name of a master; for a rule also
    container:NAME and network:NAME."""
    if is_of_container(text):
        kind, _, name = text.partition(":")
        if not rule:
            raise invalid(
                field, value, "is not attached by", "ports:docker0, which its rules are judged at"
            )
        if not ENGINE_NAME.fullmatch(name):
            raise invalid(
                field, value, f"is not the name of a {kind}", f"{kind}:NAME, like {kind}:web"
            )
        return text
    kind, colon, master = text.partition(":")
    if colon and kind in _PORTS_ELSEWHERE:
        hint = f"every port of a bridge or bond: {PORTS}{master}"
        raise invalid(field, value, "is not an interface's name", "one without / and :", hint=hint)
    checked_name(field, value, text.removeprefix(PORTS))
    if text.startswith(PORTS) and "*" in text:
        raise invalid(field, value, "is not one bridge's or bond's ports", "ports:docker0")
    return text


def parse_selector(field: str, value: object) -> str:
    """A name, a name with `*` in it, or `ports:` and the name of a master: to attach to. InvalidInput."""
    text = parse_text(field, value, "the name of an interface")
    return checked_selector(field, value, text, rule=False)


def matches(selector: str, name: str, master: str | None) -> bool:
    """Whether an interface is meant; `master` is the bridge or bond that it is a port of."""
    if selector.startswith(PORTS):
        return master == selector.removeprefix(PORTS)
    if "*" not in selector:
        return selector == name
    first, *between, last = selector.split("*")
    at, end = len(first), len(name) - len(last)
    if end < at or not (name.startswith(first) and name.endswith(last)):
        return False
    for part in between:  # the leftmost place of each leaves most room for the next
        found = name.find(part, at, end)
        if found < 0:
            return False
        at = found + len(part)
    return True


def means(selector: str, name: str, relations: Relations) -> bool | None:
    """Whether an interface is meant; None where it is not known."""
    if not is_relation(selector):
        return matches(selector, name, None)
    return True if selector in relations.sure else None if selector in relations.unsure else False


def may_mean(selector: str, name: str) -> bool | None:
    """Whether an interface of which only the name is known is meant; None where that hangs on more."""
    return None if is_relation(selector) else matches(selector, name, None)


def relations_of(ifaces: Iterable[str | None]) -> set[str]:
    """The selectors with a colon among rules' `iface`."""
    return {text.removeprefix("!") for text in set(ifaces) if text is not None and ":" in text}
