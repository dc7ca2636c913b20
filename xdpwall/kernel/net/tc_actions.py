"""Decide from a classic tc filter's actions whether it can let a packet pass, so that no later
filter sees it."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

# TC_ACT_* of linux/pkt_cls.h; the kernel tells them as signed numbers.
_CONTINUE = -1
_DROP = 2
_PIPE = 3
_MIRRORS = (2, 4)  # TCA_EGRESS_MIRROR, TCA_INGRESS_MIRROR of linux/tc_act/tc_mirred.h
_BPF_DIRECT_ACTION = 1  # TCA_BPF_FLAG_ACT_DIRECT


def lets_pass(options: Any) -> bool:
    """False only when each packet that matches is dropped or goes on to the next filter.

    `options` is the filter's TCA_OPTIONS. Whatever is not understood lets packets pass, and so do
    a filter without actions and one whose last action is `pipe`: the walk ends with it (tcf_classify
    returns any result that is not negative, seen on 6.18).
    """
    if not hasattr(options, "get_attr"):  # a kind that pyroute2 does not take apart, like flower
        return True
    names = [name for name, _ in options["attrs"]]
    if "TCA_U32_DIVISOR" in names and "TCA_U32_SEL" not in names:
        return False  # a hash table of u32, which matches nothing itself
    if int(options.get_attr("TCA_BPF_FLAGS") or 0) & _BPF_DIRECT_ACTION:
        return True  # the program itself decides
    for verdict in _verdicts(options):
        if verdict != _PIPE:
            return verdict not in (_CONTINUE, _DROP)
    return True


def _verdicts(options: Any) -> Iterator[int | None]:
    """The verdict of each action in order; None for one that is not understood."""
    for name, actions in options["attrs"]:
        if name.endswith("_POLICE"):
            yield None
        elif name.endswith("_ACT"):
            for _, action in actions["attrs"]:
                yield _verdict(action)


def _verdict(action: Any) -> int | None:
    kind = action.get_attr("TCA_ACT_KIND")
    options = action.get_attr("TCA_ACT_OPTIONS")
    if kind not in ("gact", "mirred") or not hasattr(options, "get_attr"):
        return None
    found = options.get_attr(f"TCA_{kind.upper()}_PARMS")
    if found is None:
        return None
    if kind == "gact":
        # With a probability there is a second verdict.
        by_chance = any(name == "TCA_GACT_PROB" for name, _ in options["attrs"])
        return None if by_chance else int(found["action"])
    return int(found["action"]) if found["eaction"] in _MIRRORS else None
