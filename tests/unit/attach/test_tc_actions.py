"""Filters whose kinds and actions a kernel may lack, as pyroute2 takes their messages apart."""

from __future__ import annotations

from typing import Any

import pytest
from pyroute2.netlink.rtnl.tcmsg import act_gact, act_mirred, cls_matchall
from pyroute2.netlink.rtnl.tcmsg.common_act import tca_act_prio

from xdpwall.kernel.net.tc_actions import lets_pass

OK, DROP, PIPE, CONTINUE, STOLEN, GOTO = 0, 2, 3, -1, 4, 0x20000001
REDIRECT, MIRROR = 1, 2


def gact(verdict: int, *more: str) -> Any:
    options = act_gact.options()
    options["attrs"] = [("TCA_GACT_PARMS", {"action": verdict}), *((name, None) for name in more)]
    return action("gact", options)


def mirred(verdict: int, how: int) -> Any:
    options = act_mirred.options()
    options["attrs"] = [("TCA_MIRRED_PARMS", {"action": verdict, "eaction": how})]
    return action("mirred", options)


def action(kind: str, options: Any) -> Any:
    found = tca_act_prio.tca_act()
    found["attrs"] = [("TCA_ACT_KIND", kind), ("TCA_ACT_OPTIONS", options)]
    return found


def matchall(*actions: Any) -> Any:
    inner = tca_act_prio()
    inner["attrs"] = [(f"TCA_ACT_PRIO_{n}", one) for n, one in enumerate(actions, 1)]
    options = cls_matchall.options()
    options["attrs"] = [("TCA_MATCHALL_ACT", inner)] if actions else []
    return options


@pytest.mark.parametrize(
    ("options", "passes"),
    [
        ("0a:0b", True),  # flower comes as text
        (matchall(), True),
        (matchall(gact(OK)), True),
        (matchall(gact(DROP)), False),
        (matchall(gact(CONTINUE)), False),
        (matchall(gact(PIPE)), True),
        (matchall(gact(STOLEN)), True),
        (matchall(gact(GOTO)), True),
        (matchall(gact(PIPE), gact(DROP)), False),
        (matchall(gact(PIPE), gact(OK)), True),
        (matchall(gact(CONTINUE), gact(OK)), False),
        (matchall(gact(DROP, "TCA_GACT_PROB")), True),
        (matchall(mirred(CONTINUE, MIRROR)), False),
        (matchall(mirred(CONTINUE, REDIRECT)), True),
        (matchall(action("nat", "0a:0b"), gact(DROP)), True),
    ],
)
def test_lets_pass(options: Any, passes: bool) -> None:
    assert lets_pass(options) is passes
