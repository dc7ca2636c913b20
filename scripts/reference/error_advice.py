"""What to do about an error code, where the hints in the source do not say it. Table only."""

from __future__ import annotations

_OWN = "this is a defect of xdpwall, or of its installation"

ADVICE: dict[str, str] = {
    "bad-path": "send a path of printable characters; others are percent-encoded",
    "bad-request": "the message says what of HTTP was used wrongly",
    "bad-token-file": "remove the file, and make a token: `xdpwall token add NAME --role ROLE`",
    "bypassed": "see which filter at tc comes first (`tc filter show dev IFACE ingress`), and remove it or order it"
    " behind ours",
    "conflict": "read again what there is, then decide anew",
    "corrupt": "`xdpwall repair` makes the database anew from its second copy; packets are judged meanwhile, and"
    " `off` works",
    "displaced": "see who else attaches there (`xdpwall status`), then `xdpwall attach IFACE`",
    "encoded": "send the body as it is, without `Content-Encoding`",
    "exists": "another program did the same at the same moment: try again",
    "failed": "read the message, and `-v`; what was in force before still is",
    "full": "the message names the limit; join rules by prefixes, lists of ports and sets",
    "internal": f"{_OWN}: the service's log (`journalctl -u xdpwall`) has the traceback; report it",
    "invalid": "the message names the field, what came and what was wanted",
    "lock-out": "look at which connections it names; add a rule that accepts them in front, or `--force`"
    " ([the lock-out guard](../guides/lock-out.md))",
    "maps-exist": "`xdpwall status` shows whose they are; give this instance another `--bpffs`",
    "method-not-allowed": "the header `Allow` has the methods of this path",
    "missing-pin": "`xdpwall restore`",
    "needs-privileges": "run it as root, or through the service with a role that may:"
    " [who may what](../guides/who-may-what.md)",
    "no-bcc": "install it (Debian: `apt-get install python3-bpfcc`); nothing but `trace` needs it",
    "no-body": "send a JSON object; {} where nothing is to be said",
    "no-btf-member": "report it with `uname -r`: the kernel has a layout that nobody has seen yet",
    "no-btf-type": "report it with `uname -r`: the kernel has a layout that nobody has seen yet",
    "no-copy": "`xdpwall apply FILE --adopt` puts the ruleset of a file in force",
    "no-maps": "`xdpwall restore` loads what is on disk",
    "no-such-route": "see [the paths](routes.md), or `/api/v1/openapi.json`",
    "not-a-ruleset": "give a file as `xdpwall export` writes it; a list of addresses goes into a set:"
    " `xdpwall set load NAME FILE`",
    "not-blocked": "`xdpwall block` lists what is",
    "not-found": "look at what there is: `xdpwall rule list`, `set list`, `status`",
    "not-http": "speak HTTP/1.1; where the service has TLS, https",
    "not-in-this-version": "leave that part out; [the changes](../../CHANGELOG.md) say what each version brought",
    "not-json": "send what a JSON parser reads, in UTF-8, as `application/json`",
    "nothing-pending": "`xdpwall history` shows what became of it: confirmed, or reverted",
    "object-broken": f"{_OWN}: `make bpf`, or install the package anew",
    "object-mismatch": f"{_OWN}: `make bpf`, or install the package anew",
    "object-missing": f"{_OWN}: `make bpf`, or install the package anew",
    "occupied": "find its owner (`xdpwall status`, `bpftool net`), then let it detach, or `--replace` it",
    "orphaned-programs": "`xdpwall status` names each with the command that takes it off",
    "out-of-resources": "the hint names the limit; filtering goes on, and `xdpwall off` works",
    "refused": "the message says what it would break; `--force` does it all the same",
    "service-unreachable": "`systemctl status xdpwall`; without the service the command line works by itself, as root",
    "set-too-large": "part the list over several sets, or join addresses to prefixes",
    "sets-too-large": "delete sets that no rule names, or join addresses to prefixes",
    "still-attached": "`xdpwall detach --all` again; the message has the kernel's reason for each",
    "store": "the message has the system's reason; `df`, `findmnt` and `ls -l` of that path",
    "tls-file": "the message has the file and why: [TLS](../guides/who-may-what.md)",
    "token-exposed": "remove the file and make a new token: others may have read it",
    "too-large": "part it: a ruleset's large sets go into files of their own, requests into several",
    "too-late": "ask again; the client gave up before it was the request's turn",
    "too-many": "part it into several requests or files",
    "too-many-connections": "close some; 512 are served, 128 of one user",
    "too-slow": "send a request without pausing, read an answer without pausing",
    "unknown-field": "the message has the known ones",
    "unknown-set": "make it first: `xdpwall set create NAME`, or `set load NAME FILE`",
    "unsupported": "`xdpwall doctor` says what this kernel and each interface can",
    "verifier": "report it with `uname -r` and what `-v` prints",
    "vrf": "attach to the interfaces that are members of the VRF",
    "wrong-origin": "the page works at the service's own address; a program sends no `Origin`",
    "wrong-role": "`role` is the least role that would do: [roles](roles.md)",
}
"""By code. A sentence without its end, in Markdown."""
