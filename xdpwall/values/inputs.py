"""Parsers of plain values, and errors that name the field, the value and what was wanted. Pure."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable, Mapping, Sequence
from typing import Any, TypeVar

from xdpwall.errors import InvalidInput

_DECIMAL = re.compile(r"0|[1-9][0-9]{0,9}", re.ASCII)


_SHOWN = 80


def quoted(value: object) -> str:
    """Write the value for a message: short, whatever it is.

    Bounded for every input, also for what a file's anchors make endless or exponentially long.
    """
    if isinstance(value, str):
        shown = repr(value if len(value) <= _SHOWN else value[: _SHOWN - 3] + "...")
        # Escapes make bytes that are no text five times as long.
        return shown if len(shown) <= 2 * _SHOWN else f"{shown[:_SHOWN]}...{shown[0]}"
    if isinstance(value, int) and not isinstance(value, bool) and value.bit_length() > 64:
        return "a number of more than 64 bits"
    if value is None or isinstance(value, bool):
        return {None: "null", True: "true", False: "false"}[value]
    if isinstance(value, (int, float)):
        return str(value)
    kind = {"dict": "an object", "list": "a list", "tuple": "a list", "bytes": "bytes"}
    return kind.get(type(value).__name__, f"a {type(value).__name__}")


def printable(text: str) -> str:
    """Escape what a terminal, a log or UTF-8 would not take."""
    if text.isprintable():
        return text
    return "".join(c if c.isprintable() else c.encode("unicode_escape").decode() for c in text)


def error_value(value: object) -> object:
    """Reduce the value to what an error carries: fit for JSON, never large."""
    if isinstance(value, str):
        return printable(value[:1000])
    if isinstance(value, int) and (isinstance(value, bool) or value.bit_length() <= 64):
        return value
    return quoted(value)


def field_label(name: object) -> str:
    """Write a field's name that came from outside: printable, at most 40 characters."""
    return printable(name[:40]) if isinstance(name, str) and name else quoted(name)


def invalid(
    field: str,
    value: object,
    problem: str,
    wanted: str | None = None,
    *,
    hint: str | None = None,
    code: str | None = None,
) -> InvalidInput:
    """Make the error "FIELD: VALUE PROBLEM; wanted WANTED"."""
    message = f"{field}: {quoted(value)} {problem}" + (f"; wanted {wanted}" if wanted else "")
    return InvalidInput(
        printable(message), field=field, value=error_value(value), hint=hint, code=code
    )


def first_few(names: Sequence[str], most: int = 10) -> str:
    """Write the first names and count the others: "r1, r2", "r1, ..., r10 and 5 more"."""
    left = len(names) - most
    return ", ".join(names[:most]) + (f" and {left} more" if left > 0 else "")


def unsupported_field(field: str, value: object, what: str) -> InvalidInput:
    """Make the error for a field that this version does not have yet; `what` is its subject."""
    return InvalidInput(
        printable(f"{field}: {what} is not in this version"),
        field=field,
        value=error_value(value),
        code="not-in-this-version",
    )


def did_you_mean(word: str, known: Iterable[str]) -> str | None:
    """A hint "did you mean ...?", where `word` resembles one of `known`, in whatever case."""
    from difflib import get_close_matches  # only an error needs it, and every command imports us

    spelled = {name.lower(): name for name in reversed(list(known))}
    near = get_close_matches(word[:_SHOWN].lower(), list(spelled), n=1, cutoff=0.65)
    return f"did you mean {spelled[near[0]]!r}?" if near else None


def parse_text(field: str, value: Any, wanted: str) -> str:
    """The string; InvalidInput for anything else."""
    if not isinstance(value, str):
        raise invalid(field, value, "is not text", f"{wanted}, in quotes" if wanted else None)
    return value


def parse_number(field: str, value: Any, low: int, high: int, wanted: str) -> int:
    """An integer from `low` to `high`, given as a number or as decimal digits."""
    if isinstance(value, str):
        if not _DECIMAL.fullmatch(value):
            raise invalid(field, value, "is not a number", wanted)
        result = int(value)
    elif isinstance(value, int) and not isinstance(value, bool):
        result = value
    else:
        raise invalid(field, value, "is not a number", wanted)
    if not low <= result <= high:
        raise invalid(field, value, "is out of range", wanted)
    return result


def parse_choice(field: str, value: Any, known: tuple[str, ...], *, hint: str | None = None) -> str:
    """One of the words `known`; InvalidInput suggests the nearest, or says `hint`."""
    if isinstance(value, str) and value in known:
        return value
    if hint is None and isinstance(value, str):
        hint = did_you_mean(value, known)
    raise invalid(field, value, "is not known here", " or ".join(known), hint=hint)


def parse_boolean(field: str, value: Any) -> bool:
    """true or false, also as words (that is how a command line gives them)."""
    if isinstance(value, bool):
        return value
    if value in ("true", "false"):
        return bool(value == "true")
    raise invalid(field, value, "is neither", "true or false")


def refuse_unknown_fields(
    obj: Mapping[Any, Any], known: tuple[str, ...], what: str, prefix: str = ""
) -> None:
    """InvalidInput "unknown-field" when the object has another field; `what` is "a set"."""
    for name in obj:
        if name not in known:
            shown = field_label(name)
            raise InvalidInput(
                f"{prefix}{shown}: {what} has no such field; known: {', '.join(known)}",
                field=prefix + shown,
                code="unknown-field",
                hint=did_you_mean(shown, known),
            )


def split_negation(value: str) -> tuple[bool, str]:
    """Split a leading `!` off: (whether it was there, the rest)."""
    value = value.strip()
    return (True, value[1:].lstrip()) if value.startswith("!") else (False, value)


_T = TypeVar("_T")


def parse_in_list(name: str, index: int, parse: Callable[..., _T], *args: object) -> _T:
    """Call `parse(*args)` for entry `index` (from 0) of the list `name`, which its error names."""
    try:
        return parse(*args)
    except InvalidInput as error:
        word = name.removesuffix("s")
        error.message = f"{word} {index + 1}: {error.message}"
        error.args = (error.message,)
        inner = f".{error.field}" if error.field not in (None, word) else ""
        error.field = f"{name}[{index}]{inner}"
        raise
