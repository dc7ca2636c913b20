"""python -m scripts.kernels.page: docs/reference/kernels.md out of the last results of every kernel.

`make test-kernels` and `make test-kernels-arm64` leave them in build/kernels/results; the running kernel's come by
`python -m scripts.kernels.guest build/kernels/results/$(uname -r).json`.
"""

from __future__ import annotations

import json
import re
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any, NamedTuple

from scripts.reference.markdown import code, table

ROOT = Path(__file__).parents[2]
RESULTS = ROOT / "build" / "kernels" / "results"
PAGE = ROOT / "docs" / "reference" / "kernels.md"

Result = Mapping[str, Any]


class Feature(NamedTuple):
    """What a kernel can or cannot: the tests that show it, and what it needs."""

    name: str
    needs: str
    tests: str


FEATURES = (
    Feature("every program is loaded, five map sizes", "Linux 6.1's verifier", "tests/packets/test_load.py"),
    Feature("all fields of a rule", "-", "tests/packets/test_fields.py"),
    Feature("fragments: ports of later ones", "-", "tests/packets/test_fragment_memory.py"),
    Feature("rates", "-", "tests/packets/test_rates.py"),
    Feature("flows, with every other feature", "-", "tests/packets/test_flows_load.py"),
    Feature("flows: states of TCP, UDP, ICMP", "-", "tests/packets/test_flows_states.py"),
    Feature("SYN cookies are loaded", "-", "tests/packets/test_cookies_load.py"),
    Feature("SYN cookies are answered", "-", "tests/packets/test_cookies.py"),
    Feature("a change is one switch, taken back by the kernel", "BPF_PROG_TYPE_SYSCALL, 5.14", "tests/packets/test_pending.py"),
    Feature("XDP, native and generic", "a driver with ndo_bpf for native", "tests/kernel/attach/test_xdp.py"),
    Feature("tc, ingress and egress", "cls_bpf, clsact", "tests/kernel/attach/test_tc.py"),
    Feature("packets of several buffers at XDP", "XDP frags, 5.18, and a driver that has them", "tests/packets/test_jumbo_frames.py"),
    Feature("super-packets at tc", "-", "tests/packets/test_super_packets.py"),
    Feature("events", "ring buffer, 5.8", "tests/packets/test_events.py"),
    Feature("explain", "BPF_PROG_TEST_RUN of XDP and tc", "tests/packets/test_explaining.py"),
    Feature("sets are loaded in batches", "batches of maps, 5.6", "tests/kernel/bpf/test_batch.py"),
    Feature("trace: who dropped it, and why", "BTF; drop reasons, 5.17; BCC", "tests/trace/test_trace.py"),
    Feature("doctor tells what a driver can", "netdev netlink, 6.3", "tests/firewall/test_doctor.py::test_xdp_features_follow_the_drivers"),
    Feature("programs at tcx in front of ours are told", "tcx, 6.6", "tests/kernel/attach/test_tc.py::test_tcx_programs_are_told_as_bypassing"),
)  # fmt: skip
_HEAD = """\
<!-- Made by `python -m scripts.kernels.page` out of what `make test-kernels` left; do not edit this page. -->
# Kernels that were tried

xdpwall needs Linux 6.1 or later, with BPF, its JIT, BTF (`/sys/kernel/btf/vmlinux`), XDP and tc, as Debian's kernels and
most others have them; `xdpwall doctor` asks the running one. Nothing is guessed from a version: what is missing is found
when it is tried, and told. Below are the last runs of the tests that depend on a kernel. Debian's were booted under
emulation, by `make test-kernels` and, on arm64, `make test-kernels-arm64`.

- **ok**: every test of it passed; with their number.
- **no**: what it needs came later; the rest works without.
- **-**: not run there.
"""


def page(results: Sequence[Result]) -> str:
    """The page as Markdown."""
    names = [one["release"] for one in results]
    rows = [
        [feature.name, feature.needs, *(_cell(one, feature) for one in results)]
        for feature in FEATURES
    ]
    loads = [
        [code(one["release"]), *_loading(one), f"{one['seconds'] / 60:.0f}"] for one in results
    ]
    head = [
        "kernel",
        "instructions verified, of the largest",
        "seconds for it",
        "minutes of all tests",
    ]
    return "\n".join(
        [
            _HEAD,
            table(["what", "needs", *names], rows),
            "",
            "What the verifier walks through for the largest program, on the largest maps; under emulation it takes many",
            "times as long as on the machine itself:",
            "",
            table(head, loads),
            "",
        ]
    )


def _cell(result: Result, feature: Feature) -> str:
    if feature.tests in result["too_young"]:
        return "no"
    prefix = re.compile(re.escape(feature.tests) + r"(?:::|\[|$)")
    ran = [test for name, test in result["tests"].items() if prefix.match(name)]
    failed = sum(not test["passed"] for test in ran)
    return "-" if not ran else f"{failed} of {len(ran)} fail" if failed else f"ok, {len(ran)}"


def _loading(result: Result) -> list[str]:
    """The load that took most instructions."""
    found = [
        test["properties"] for test in result["tests"].values() if "verified" in test["properties"]
    ]
    if not found:
        return ["-", "-"]
    most = max(found, key=lambda one: one["verified"])
    return [f"{most['verified']:,}", f"{most['seconds']:.2f}"]


def main() -> None:
    """Write the page."""
    results = [json.loads(path.read_text("utf-8")) for path in RESULTS.glob("*.json")]
    results.sort(key=lambda one: [int(number) for number in re.findall(r"\d+", one["release"])])
    PAGE.write_text(page(results), encoding="utf-8")
    print(PAGE.relative_to(ROOT))


if __name__ == "__main__":
    main()
