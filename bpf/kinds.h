/* SPDX-License-Identifier: GPL-2.0-only */
/* by_rules(), inlined with what is known of the most common kinds of rulesets. Part of match.h. */
#ifndef XDPWALL_KINDS_H
#define XDPWALL_KINDS_H

#include <linux/types.h>
#include <bpf/bpf_helpers.h>

#include "abi.h"
#include "maps.h"
#include "packet.h"
#include "rules.h"
#include "ruleset_shape.h"

static __always_inline struct shape rules_on(const __u32 fields, __u32 positions_known, __u32 row)
{
	return (struct shape){
	    .features = fields,
	    .positions = positions_known,
	    .segment_words = 1,
	    .row_bytes = row,
	    .known = true,
	};
}

/* More rules on certain fields than a word holds: their rows are plain, or packed with segments of
 * one word or of four. */
static __always_inline int by_more(const struct xw_tables *t, struct packet *p, __u32 copy,
				   const __u32 fields)
{
	struct shape s = rules_on(fields, positions, row_bytes);

	if (!packed)
		return by_rules(t, p, copy, s);
	s.packed = true;
	s.row_bytes = sizeof(struct xw_row);
	if (segment_words == 1)
		return by_rules(t, p, copy, s);
	s.segment_words = 4;
	return by_rules(t, p, copy, s);
}

/* Few rules have rows of one word, which is eight bytes.
 * Jumps reach 32,767 instructions, so that there is room for some more kinds and not for all. */
static __always_inline int by_kind(const struct xw_tables *t, struct packet *p, __u32 copy)
{
	const __u32 fields = features & ~XW_RULES;

#define FEW(kind)                                                                                  \
	if (fields == (kind) && positions == 64)                                                   \
	return by_rules(t, p, copy, rules_on(XW_RULES | (kind), 64, 8))
#define MORE(kind)                                                                                 \
	FEW(kind);                                                                                 \
	if (fields == (kind) && positions > 64)                                                    \
	return by_more(t, p, copy, XW_RULES | (kind))

	FEW(0);
	FEW(XW_DPORT);
	FEW(XW_WHERE);
	FEW(XW_SRC_SET);
	MORE(XW_SRC);
	MORE(XW_SRC | XW_DPORT);
	MORE(XW_SRC | XW_DST);
	MORE(XW_SRC | XW_DST | XW_DPORT);
	MORE(XW_SRC | XW_DST | XW_SPORT | XW_DPORT);
	MORE(XW_WHERE | XW_SRC | XW_DST | XW_SPORT | XW_DPORT);
	return by_rules(t, p, copy, (struct shape){});
#undef MORE
#undef FEW
}

#endif
