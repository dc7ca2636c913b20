"""Write the tables of docs/concepts/how-a-packet-is-judged.md from the tests' own tables.

python -m tests.judge.page        updates the page
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Sequence

from tests.judge.attacks import ALL, Attack
from tests.judge.attacks_fragments import FRAGMENTS
from tests.judge.attacks_headers import HEADERS
from tests.judge.known import KNOWN
from tests.judge.test_peers_list import PACKETS
from tests.support.paths import ROOT

TARGET = ROOT / "docs/concepts/how-a-packet-is-judged.md"


def page(text: str) -> str:
    """The page with its tables written again."""
    tables = {
        "attacks": _attacks((*FRAGMENTS, *HEADERS)),
        "nftables": _known(),
        "packets": _packets(),
    }
    for name, table in tables.items():
        text, count = re.subn(
            rf"(<!-- {name}: [^\n]*-->\n).*?(\n<!-- end of {name} -->)",
            lambda match, table=table: match[1] + table + match[2],  # type: ignore[misc]
            text,
            flags=re.DOTALL,
        )
        assert count == 1, name
    return text


def _attacks(attacks: Iterable[Attack]) -> str:
    rows = []
    for attack in attacks:
        frames = len(attack.frames(1))
        drops = "all" if attack.dropped == ALL else f"{attack.dropped} of {frames}"
        rows.append(
            (
                attack.name,
                _rule(attack.rule),
                _linux(attack.alone),
                drops if frames > 1 else {"all": "dropped", "0 of 1": "passes"}[drops],
                attack.why,
            )
        )
    return _table(("attack", "rule", "Linux alone", "here", "why"), rows)


def _known() -> str:
    rows = []
    for known in KNOWN:
        frames = len(known.frames(1))
        verdicts = [f"drops {n} of {frames}" for n in (known.nftables, known.xdpwall)]
        rows.append(
            (known.name, _rule(known.rule), *verdicts, _linux(known.alone), known.whose, known.why)
        )
    heads = ("frames", "rule", "nftables", "xdpwall", "Linux alone", "whose", "why")
    return _table(heads, rows)


def _packets() -> str:
    rows = [
        (
            name,
            f"`{'`, `'.join(packet.rules)}`",
            "drop" if packet.drop else "pass",
            ", ".join(packet.wrong),
        )
        for name, packet in PACKETS.items()
    ]
    return _table(("packet", "rules", "right", "wrong in"), rows)


def _rule(text: str) -> str:
    return f"`{text}`" + ", policy drop" * text.startswith("accept")


def _linux(alone: str) -> str:
    return alone if " " in alone else f"no (`{alone}`)"


def _table(heads: Sequence[str], rows: Iterable[Sequence[str]]) -> str:
    lines = [heads, ["---"] * len(heads), *rows]
    return "\n".join("| " + " | ".join(line) + " |" for line in lines)


if __name__ == "__main__":
    TARGET.write_text(page(TARGET.read_text(encoding="utf-8")), encoding="utf-8")
