"""Recognizes what people give `apply` that is no ruleset: other firewalls' rules, lists, commands. Pure.

Asked only after the text could not be read, and it looks at the lines that are no comments.
"""

from __future__ import annotations

import re

_SENTENCES = "rules stand in a list: `version: 1`, `rules:`, and each behind `  - `"
_LIST = "xdpwall set load NAME FILE"
_OWN = (
    "a ruleset has version and rules, each as a sentence: drop tcp/22 on eth0 in; export writes one"
)
_IPTABLES_SAVE = re.compile(r"\*(filter|nat|mangle|raw|security)|:[A-Z]+ .*|-[AIPN] [A-Za-z].*")
_IPTABLES = re.compile(r"(sudo )?(iptables|ip6tables|ebtables) .*")
_NFT = re.compile(
    r"(sudo )?nft .*|flush ruleset|(add )?table (inet|ip|ip6|arp|bridge|netdev) .*|add rule .*"
    r'|\{ ?"nftables".*'
)
_UFW = re.compile(r"(sudo )?ufw .*")
_FIREWALLD = re.compile(r"(sudo )?firewall-cmd .*|<\?xml .*|<zone.*")
_PF = re.compile(r"(pass|block) (in|out|return|drop|log|quick|on|all)( .*)?")
_XDPWALL = re.compile(r"(sudo )?xdpwall .*")
_IPSET = re.compile(r"create [^ ]+ (hash|list|bitmap):.*")
_SENTENCE = re.compile(r"(drop|accept|count)( .*)?")
_ADDRESS = re.compile(r"[0-9a-f]{1,4}[.:][0-9a-f.:]{1,40}(/[0-9]{1,3})?")
_PAGE = re.compile(r"<(!doctype )?html.*", re.IGNORECASE)
_KINDS = (
    (_IPTABLES_SAVE, "what iptables-save writes", _OWN),
    (_IPTABLES, "a list of commands of iptables", _OWN),
    (_NFT, "a ruleset of nftables", _OWN),
    (_UFW, "a list of commands of ufw", _OWN),
    (_FIREWALLD, "a zone or a command of firewalld", _OWN),
    (_PF, "a ruleset of pf", _OWN),
    (_XDPWALL, "a list of commands of xdpwall", "a shell runs them: sh FILE"),
    (_IPSET, "what ipset save writes", _LIST),
    (_SENTENCE, "a list of sentences alone", _SENTENCES),
    (_ADDRESS, "a list of addresses", _LIST),
    (_PAGE, "a page of the web", "look at the download: it may have failed"),
)
"""(whole lines of it, what the text is then, the hint)."""
_LOOKED_AT = 20
"""Lines; what a text is, its first ones say."""


def foreign_kind(text: str) -> tuple[str, str] | None:
    """(what it is, a hint) of a text that is no ruleset file; None where nothing is recognized."""
    if "\0" in text[:1000]:
        return "a binary file", _OWN
    seen = 0
    for row in text[:65536].splitlines():
        line = row.strip()[:200]
        if not line or line.startswith("#"):
            continue
        for pattern, what, hint in _KINDS:
            if pattern.fullmatch(line):
                return what, hint
        seen += 1
        if seen == _LOOKED_AT or line.startswith("version:"):
            return None
    return None
