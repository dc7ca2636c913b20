"""Every place in the source at which an error with a code is made: its kind, message and hint."""

from __future__ import annotations

import ast
import re
from collections.abc import Iterator
from dataclasses import dataclass
from functools import cache
from http import HTTPStatus
from importlib import import_module
from pathlib import Path

from scripts.architecture import ROOT, sources
from xdpwall import errors
from xdpwall.api.errors import HTTP_CODES
from xdpwall.api.serving.caller import TOKEN_HINT

HTTP_KINDS = ("HttpError", "problem_response", "_last_words", "_end")
"""What makes an answer of HTTP itself: status, code and detail are its first arguments."""
_KIND = re.compile(r"(?:errors\.|own\.)?(\w+)$")
_GAP = "..."


@dataclass(frozen=True, slots=True)
class ErrorSite:
    """One place. `message` and `hint` have {names} for what is filled in; empty where not said there."""

    code: str
    exit: int | None
    status: int
    message: str = ""
    hint: str = ""


@cache
def error_sites() -> tuple[ErrorSite, ...]:
    """All of them, by code and then as the source has them, each wording once."""
    found = [
        ErrorSite(kind.default_code, kind.exit_code, kind.http_status) for kind in _kinds().values()
    ]
    found += [ErrorSite(code, None, status) for status, code in HTTP_CODES.items()]
    for module, path in sorted(sources(ROOT / "xdpwall").items()):
        found += _sites_of(module, path)
    return tuple(sorted(dict.fromkeys(found), key=lambda one: one.code))


def _is_kind(one: object) -> bool:
    return isinstance(one, type) and issubclass(one, errors.XdpwallError)


@cache
def _kinds() -> dict[str, type[errors.XdpwallError]]:
    """Every kind of error by its name, those of other modules too."""
    kinds = "|".join(name for name, one in vars(errors).items() if _is_kind(one))
    derived = re.compile(rf"^class \w+\((?:{kinds})\):", re.MULTILINE)
    for module, path in sources(ROOT / "xdpwall").items():
        if derived.search(path.read_text(encoding="utf-8")):
            import_module(module)
    found: dict[str, type[errors.XdpwallError]] = {}
    todo = [errors.XdpwallError]
    while todo:
        kind = todo.pop()
        found[kind.__name__] = kind
        todo += kind.__subclasses__()
    return found


def _sites_of(module: str, path: Path) -> Iterator[ErrorSite]:
    tree = ast.parse(path.read_text(encoding="utf-8"))
    for node in ast.walk(tree):
        if not isinstance(node, ast.Call) or not (node.args or node.keywords):
            continue
        called = _KIND.search(ast.unparse(node.func))
        name = called[1] if called else ""
        said = {one.arg: one.value for one in node.keywords if one.arg}
        hint = _text(said.get("hint"), module)
        if name == "_refusal" and isinstance(node.args[0], ast.Constant):
            yield ErrorSite(str(node.args[0].value), None, 401, _text(node.args[1]), TOKEN_HINT)
            continue
        if name in HTTP_KINDS and len(node.args) >= 3:
            status, code, detail = node.args[:3]
            if isinstance(status, ast.Constant) and isinstance(code, ast.Constant):
                yield ErrorSite(str(code.value), None, int(str(status.value)), _text(detail), hint)
            continue
        kind = _kinds().get(name) or (
            errors.InvalidInput if "code" in said and name == "invalid" else None
        )
        if kind is None:
            continue
        for code_text in _codes(said.get("code"), module) or [kind.default_code]:
            message = _text(node.args[0]) if node.args and name != "invalid" else ""
            if code_text != kind.default_code or hint or kind.__module__ != errors.__name__:
                yield ErrorSite(code_text, kind.exit_code, kind.http_status, message, hint)


def _codes(node: ast.expr | None, module: str) -> list[str]:
    """What a `code=` may be: a literal, either of two, or a constant of the module."""
    if isinstance(node, ast.Constant):
        return [str(node.value)] if node.value else []
    if isinstance(node, ast.IfExp):
        return _codes(node.body, module) + _codes(node.orelse, module)
    if isinstance(node, ast.Name):
        value = getattr(import_module(module), node.id, None)
        return [value] if isinstance(value, str) else []
    return []


def _text(node: ast.expr | None, module: str = "") -> str:
    """A message as the source has it, with {name} for a variable and ... for what is computed."""
    if isinstance(node, ast.Name) and module:
        value = getattr(import_module(module), node.id, None)
        return value if isinstance(value, str) else ""
    if isinstance(node, ast.Constant):
        return str(node.value or "")
    if isinstance(node, ast.IfExp):
        return _text(node.body) or _text(node.orelse)
    if isinstance(node, ast.BinOp) and isinstance(node.op, ast.Add):
        return _text(node.left) + _text(node.right)
    if not isinstance(node, ast.JoinedStr):
        return ""
    parts = [
        str(one.value) if isinstance(one, ast.Constant) else _filled(ast.unparse(one))
        for one in node.values
    ]
    return "".join(parts)


def _filled(expression: str) -> str:
    simple = re.fullmatch(
        r"f?['\"]?\{(?:[\w.]+\.)?(_?[a-z]\w*)(?:!r)?(?::[^}]*)?\}['\"]?", expression
    )
    return f"{{{simple[1].strip('_')}}}" if simple else _GAP


def title_of(status: int) -> str:
    """An HTTP status in words."""
    return f"{status} {HTTPStatus(status).phrase}"
