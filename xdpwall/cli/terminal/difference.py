"""The difference between two rulesets in lines, as `git diff` has them."""

from __future__ import annotations

from itertools import groupby

from xdpwall.views.history import RuleDifference, RulesetDifference, SetDifference

from .output import Printer


def print_difference(printer: Printer, found: RulesetDifference, name: str | None = None) -> None:
    """Print it: removed -, added +, moved ~. `name` is that of what is compared with the revision; without
    one there are no head lines. Nothing is printed where nothing differs."""
    if found.same:
        return
    if name is not None:
        printer.line(f"--- revision {found.revision}", "bold")
        printer.line(f"+++ {name}", "bold")
    for title, fields in (("policy", found.policy), ("timeouts of flows", found.timeouts)):
        if fields:
            printer.line(f"@@ {title} @@", "cyan")
        for one in fields:
            printer.line(f"-{one.field} {one.old}", "red")
            printer.line(f"+{one.field} {one.new}", "green")
    widths = _widths(found.rules)
    for _, hunk in groupby(found.rules, key=lambda line: line.hunk):
        lines = list(hunk)
        printer.line(f"@@ rules {_range(lines)} @@", "cyan")
        for line in lines:
            _print_rule(printer, line, widths)
    if found.sets:
        printer.line("@@ sets @@", "cyan")
        for each in found.sets:
            _print_set(printer, each)
    if found.attachments:
        printer.line("@@ attachments @@", "cyan")
        for place in found.attachments:
            if place.kind != "added":
                printer.line(f"-{place.attachment}{_mode(place.old_mode)}", "red")
            if place.kind != "removed":
                printer.line(f"+{place.attachment}{_mode(place.mode)}", "green")


def _print_rule(printer: Printer, line: RuleDifference, widths: tuple[int, int]) -> None:
    def told(sign: str, place: str, text: str | None, color: str | None) -> None:
        printer.line(f"{sign}{place:>{widths[0]}} {line.id:<{widths[1]}}  {text}", color)

    if line.kind in ("removed", "changed"):
        told("-", str(line.old_position), line.old, "red")
    if line.kind in ("added", "changed"):
        told("+", str(line.position), line.text, "green")
    if line.kind == "moved":
        told("~", f"{line.old_position}->{line.position}", line.text, "magenta")
    if line.kind == "context":
        told(" ", str(line.position), line.text, None)


def _widths(lines: list[RuleDifference]) -> tuple[int, int]:
    """Of the places and of the ids."""
    places = [
        f"{line.old_position}->{line.position}" if line.kind == "moved" else _number(line)
        for line in lines
    ]
    return max(map(len, places), default=1), max((len(line.id) for line in lines), default=1)


def _number(line: RuleDifference) -> str:
    return str(max(line.position or 0, line.old_position or 0))


def _range(lines: list[RuleDifference]) -> str:
    old = [line.old_position for line in lines if line.old_position and line.kind != "moved"]
    new = [line.position for line in lines if line.position]
    return " ".join(
        f"{sign}{min(places)},{len(places)}" if places else f"{sign}0,0"
        for sign, places in (("-", old), ("+", new))
    )


def _print_set(printer: Printer, one: SetDifference) -> None:
    """The counts, then the first entries that go and come."""
    had = "" if one.old_entries is None else f": {_entries(one.old_entries)}"
    has = "" if one.entries is None else f": {_entries(one.entries)}"
    if one.kind != "added":
        printer.line(f"-set {one.name}{had}", "red")
    if one.kind != "removed":
        what = "" if one.kind == "added" or has else " with other entries"
        timed = f", {one.retimed:,} end at another time" if one.retimed else ""
        printer.line(f"+set {one.name}{has}{what}{timed}", "green")
    if one.kind == "replaced":
        _print_entries(printer, "-", one.first_removed, one.removed or 0, "red")
        _print_entries(printer, "+", one.first_added, one.added or 0, "green")
    elif one.first_added or one.first_removed:
        sign, color = ("+", "green") if one.kind == "added" else ("-", "red")
        count = one.added if one.kind == "added" else one.removed
        _print_entries(printer, sign, one.first_added or one.first_removed, count or 0, color)


def _print_entries(printer: Printer, sign: str, first: list[str], count: int, color: str) -> None:
    for entry in first:
        printer.line(f"{sign}  {entry}", color)
    if count > len(first):
        printer.line(f"{sign}  and {count - len(first):,} more", color)


def _entries(count: int) -> str:
    return "1 entry" if count == 1 else f"{count:,} entries"


def _mode(mode: str | None) -> str:
    return f" {mode}" if mode else ""
