"""The figures as an SVG picture: ns per packet over the veth by number of rules or entries."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from html import escape

from bench.packets.rounds import (
    DROP,
    IPTABLES,
    NFT,
    OURS,
    XDP_FILTER,
    Cell,
    Hook,
    Times,
    baseline,
    difference,
)
from bench.packets.rulesets import Case

Point = tuple[float, float]
"""(number of rules or entries, ns over a bare XDP drop)"""

WIDTH, HEIGHT, GAP = 420, 300, 70
LEFT, TOP = 60, 46
LEAST, MOST = 10.0, 1e6
COLOURS = ("#0a7d46", "#5aa9e6", "#8a5cd1", "#c2410c", "#64748b")
_RULES: Sequence[tuple[str, Hook, str, str]] = (
    (OURS, "xdp", "hosts", "xdpwall, XDP"),
    (OURS, "tc", "hosts", "xdpwall, tc"),
    (XDP_FILTER, "xdp", "hosts", "xdp-filter"),
    (NFT, "tc", "hosts", "nftables netdev"),
    (IPTABLES, "tc", "hosts", "iptables-nft raw"),
)
_SETS: Sequence[tuple[str, Hook, str, str]] = (
    (OURS, "xdp", "addresses", "xdpwall, addresses"),
    (OURS, "xdp", "prefixes", "xdpwall, prefixes"),
    (NFT, "tc", "addresses", "nftables, addresses"),
    (NFT, "tc", "prefixes", "nftables, prefixes"),
)


def svg(times: Mapping[Cell, Times]) -> str:
    """Two panels, rules and sets; both axes logarithmic."""
    panels = [
        ("rules, each a host and a port", _lines(times, _RULES, "random")),
        ("entries of a set, packets that hit", _lines(times, _SETS, "hit")),
    ]
    panels = [(title, lines) for title, lines in panels if lines]
    width = len(panels) * (LEFT + WIDTH + GAP)
    height = TOP + HEIGHT + 110
    box = f'viewBox="0 0 {width} {height}" font-family="sans-serif" font-size="12"'
    title = "ns per packet over a bare XDP drop, over a veth on one core"
    parts = [
        f'<svg xmlns="http://www.w3.org/2000/svg" {box}>',
        f'<rect width="{width}" height="{height}" fill="#fff"/>',
        f'<text x="12" y="20" font-weight="bold">{title}</text>',
    ]
    for number, (title, lines) in enumerate(panels):
        parts.append(f'<g transform="translate({LEFT + number * (LEFT + WIDTH + GAP)} {TOP})">')
        parts += _panel(title, lines)
        parts.append("</g>")
    return "\n".join([*parts, "</svg>"]) + "\n"


def _lines(
    times: Mapping[Cell, Times], rows: Sequence[tuple[str, Hook, str, str]], case: Case
) -> list[tuple[str, list[Point]]]:
    found = []
    for contender, hook, what, name in rows:
        points = []
        for cell in times:
            key = (cell.contender, cell.hook, cell.what, cell.case, cell.path, cell.family)
            base = baseline(cell, DROP, "xdp")
            if key == (contender, hook, what, case, "wire", "ipv4") and base in times:
                points.append((float(cell.size or 1), max(LEAST, difference(times, cell, base))))
        if points:
            found.append((name, sorted(points)))
    return found


def _panel(title: str, lines: Sequence[tuple[str, list[Point]]]) -> list[str]:
    most = max(x for _, points in lines for x, _ in points)
    decades = max(1, math.ceil(math.log10(most)))
    parts = [f'<rect width="{WIDTH}" height="{HEIGHT}" fill="none" stroke="#94a3b8"/>']
    for power in range(decades + 1):
        x = WIDTH * power / decades
        parts.append(f'<path d="M{x:.0f} 0V{HEIGHT}" stroke="#e2e8f0"/>')
        parts.append(_text(x, HEIGHT + 18, f"{10**power:,}", "middle"))
    for power in range(1, 7):
        y = _height(10.0**power)
        parts.append(f'<path d="M0 {y:.0f}H{WIDTH}" stroke="#e2e8f0"/>')
        parts.append(_text(-6, y + 4, f"{10**power:,}", "end"))
    parts.append(_text(WIDTH / 2, HEIGHT + 36, title, "middle"))
    for number, (name, points) in enumerate(lines):
        colour = COLOURS[number]
        at = [(WIDTH * math.log10(x) / decades, _height(y)) for x, y in points]
        path = "L".join(f"{x:.1f} {y:.1f}" for x, y in at)
        parts.append(f'<path d="M{path}" fill="none" stroke="{colour}" stroke-width="2"/>')
        parts += [f'<circle cx="{x:.1f}" cy="{y:.1f}" r="3" fill="{colour}"/>' for x, y in at]
        x, y = number % 3 * 145, HEIGHT + 58 + number // 3 * 18
        parts.append(f'<rect x="{x}" y="{y - 9}" width="10" height="10" fill="{colour}"/>')
        parts.append(_text(x + 15, y, name, "start"))
    return parts


def _height(ns: float) -> float:
    span = math.log10(MOST / LEAST)
    return HEIGHT * (1 - math.log10(ns / LEAST) / span)


def _text(x: float, y: float, words: str, anchor: str) -> str:
    return f'<text x="{x:.0f}" y="{y:.0f}" text-anchor="{anchor}">{escape(words)}</text>'
