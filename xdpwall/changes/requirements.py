"""What an `apply` would take: everything but the switch, tried in the kernel and let go again."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import replace

from xdpwall.instance.instance import Instance
from xdpwall.ruleset.attachment import Attachment, AttachmentSpec
from xdpwall.ruleset.committed import CommittedRuleset
from xdpwall.sets.timed import TimedEntries
from xdpwall.views.status import ApplyNeeds, ProgramNeed

from .generations import compile_committed
from .set_kernel import sizes_for


def needs_of(
    instance: Instance,
    new: CommittedRuleset,
    fresh: Mapping[str, TimedEntries],
    staying: Iterable[Attachment],
    coming: Sequence[AttachmentSpec],
) -> ApplyNeeds:
    """Compile a ruleset, make the maps that it needs and load its programs, for attachments that stay and
    that come; `fresh` are the sets that are loaded. Raises Full, Unsupported."""
    from xdpwall.compiler.sizes import Sizes
    from xdpwall.dataplane.requirements import measure

    compiled = compile_committed(instance, new)
    dataplane = instance.dataplane()
    here = Sizes() if dataplane is None else dataplane.map_set.sizes
    sizes = here
    if fresh or new.sets:
        set4, set6 = sizes_for(instance, fresh, here)
        sizes = sizes.grown_to(replace(here, set4=set4, set6=set6))
    if not sizes.holds(compiled.needed_sizes):
        sizes = sizes.grown_to(compiled.needed_sizes)
    features = compiled.features
    reload = True
    if dataplane is not None:
        features |= dataplane.control.features
        reload = sizes != here or features != dataplane.control.features
    programs = [(f"{spec.iface} {spec.place}", spec.place, 0) for spec in coming]
    if reload:
        programs += [(row.words, row.place, row.number) for row in staying]
    found = measure(
        dataplane, sizes, features, [(place, number, False) for _, place, number in programs]
    )
    return ApplyNeeds(
        map_bytes=found.map_bytes,
        map_bytes_now=found.map_bytes_now,
        programs=[
            ProgramNeed(attachment=words, instructions=size.instructions, bytes=size.bytes)
            for (words, _, _), size in zip(programs, found.programs, strict=True)
        ],
    )
