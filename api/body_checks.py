"""Request bodies parsed and checked; InvalidInput names the field that is wrong."""

from __future__ import annotations

import json
from collections import Counter
from collections.abc import Mapping
from typing import Any, TypeVar

from pydantic import BaseModel, ConfigDict, ValidationError

from xdpwall.errors import InvalidInput
from xdpwall.values.inputs import did_you_mean, invalid

MAX_VALUES = 1_000_000
"""Values in one body, roughly: each takes memory that its few bytes do not show."""
QUERY_FIELDS = frozenset({"confirm"})
"""What belongs into the query and is refused in a body as such."""


class Body(BaseModel):
    """Base model of request bodies: unknown fields are refused, types are not converted."""

    model_config = ConfigDict(extra="forbid", strict=True)


BodyT = TypeVar("BodyT", bound=Body)


def parse_json(raw: bytes) -> Any:
    """Parse JSON. InvalidInput for an empty body, a name twice in an object, or invalid UTF-8.

    Runs in a worker thread: 16 MiB take a third of a second.
    """
    if not raw.strip():
        raise InvalidInput("the request has no body", code="no-body", field="body")
    # As many as these at most; commas in texts count as well, of which no good body has so many.
    if raw.count(b",") + raw.count(b"[") + raw.count(b"{") > MAX_VALUES:
        raise InvalidInput(
            f"body: holds more than {MAX_VALUES:,} values",
            code="too-many",
            field="body",
            hint="more entries of a set than that are sent as `packed`, as `xdpwall set load` does",
        )
    try:
        data = _DECODER.decode(raw.decode(json.detect_encoding(raw), "surrogatepass"))
        if b"\\u" in raw:
            json.dumps(data, ensure_ascii=False).encode()
    except UnicodeError as error:
        raise _not_json("it holds what is not UTF-8") from error
    except RecursionError as error:
        raise _not_json("it is nested too deeply") from error
    except json.JSONDecodeError as error:
        raise _not_json(f"{error.msg}: line {error.lineno} column {error.colno}") from error
    except ValueError as error:
        raise _not_json(str(error)) from error
    return data


_WANTED = {
    "bool_type": "true or false",
    "bool_parsing": "true or false",
    "int_type": "a whole number",
    "int_parsing": "a whole number",
    "int_from_float": "a whole number",
    "string_type": "text",
    "list_type": "a list",
    "literal_error": "{expected}",
    "greater_than_equal": "{ge} or more",
    "less_than_equal": "{le} or less",
    "too_short": "at least {min_length} of them",
    "too_long": "at most {max_length} of them",
    "string_too_short": "at least {min_length} characters",
    "string_too_long": "at most {max_length} characters",
}
"""What would be right, by pydantic's name of the error, with the values of its context."""


def parse_object(raw: bytes) -> dict[str, Any]:
    """Parse a JSON object."""
    data = parse_json(raw)
    if not isinstance(data, dict):
        raise invalid("body", data, "is wrong", "a JSON object")
    return data


def parse_body(model: type[BodyT], raw: bytes) -> BodyT:
    """Parse a JSON object and validate it as the model."""
    return validate_body(model, parse_object(raw))


def validate_body(model: type[BodyT], data: Mapping[str, Any]) -> BodyT:
    """Validate an object as the model; InvalidInput names the first wrong field."""
    for name in data:
        if name in QUERY_FIELDS:
            raise invalid(
                name, data[name], "stands in the body", hint=f"it goes into the query: ?{name}="
            )
    try:
        return model.model_validate(data)
    except ValidationError as error:
        # A misspelt name before the name that it should have been and is now missing.
        found = sorted(
            error.errors(include_url=False), key=lambda e: e["type"] != "extra_forbidden"
        )
        first = found[0]
        raise as_invalid_input(first, known=tuple(model.model_fields)) from error


def as_invalid_input(
    error: Mapping[str, Any], *, skip: int = 0, known: tuple[str, ...] = ()
) -> InvalidInput:
    """Translate one of pydantic's errors; `skip` drops that many leading parts of its location."""
    parts = [f"[{part}]" if isinstance(part, int) else f".{part}" for part in error["loc"][skip:]]
    field = "".join(parts).removeprefix(".") or "body"
    value = error.get("input")
    kind = error["type"]
    if kind == "extra_forbidden":
        hint = did_you_mean(field, known) or (f"known: {', '.join(known)}" if known else None)
        return invalid(field, value, "stands in an unknown field", hint=hint)
    if kind == "missing":
        return InvalidInput(f"{field}: is missing", field=field)
    wanted = _WANTED[kind].format(**error.get("ctx", {})) if kind in _WANTED else str(error["msg"])
    return invalid(field, value, "is wrong", wanted)


def _object_of_pairs(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    made = dict(pairs)
    if len(made) != len(pairs):
        counts = Counter(name for name, _ in pairs)
        twice = counts.most_common(1)[0][0]
        raise InvalidInput(f"{twice!r} stands twice in one object", field=twice)
    return made


def _refuse_constant(name: str) -> None:
    raise ValueError(f"{name} is not JSON")


def _whole_or_float(text: str) -> int | float:
    """419.0 is 419: JSON has one kind of numbers, and JSON Schema calls that an integer."""
    found = float(text)
    return int(found) if found.is_integer() and abs(found) < 1 << 64 else found


def _not_json(why: str) -> InvalidInput:
    return InvalidInput(f"the body is not JSON: {why}", code="not-json", field="body")


_DECODER = json.JSONDecoder(
    object_pairs_hook=_object_of_pairs,
    parse_constant=_refuse_constant,
    parse_float=_whole_or_float,
)
