/* SPDX-License-Identifier: GPL-2.0-only */
/* The common kinds of rulesets, each with code of its own (ruleset_shape.h). */
#ifndef XDPWALL_KINDS_H
#define XDPWALL_KINDS_H

#include <linux/types.h>
#include <bpf/bpf_helpers.h>

#include "abi.h"
#include "context.h"
#include "explain.h"
#include "maps.h"
#include "packet.h"
#include "rules.h"
#include "ruleset_shape.h"

/* Features that every kind has. */
#ifdef XW_FLOWS_COMPILED
#define IN_ALL (XW_RULES | XW_FLOWS)
#elif defined(XW_COOKIES_COMPILED)
#define IN_ALL (XW_RULES | XW_COOKIES)
#else
#define IN_ALL XW_RULES
#endif

static __always_inline struct shape plain_shape(const __u32 fields, __u32 capacity, __u32 row)
{
	return (struct shape){
	    .features = fields,
	    .positions = capacity,
	    .segment_words = 1,
	    .row_bytes = row,
	    .known = true,
	};
}

/* More than 64 positions: rows are plain, or packed with segments of one word or of four. */
static __always_inline int classify_many_rules(const struct xw_tables *t, struct xw_ctx *ctx,
					       struct packet *p, __u32 copy, struct walk *there,
					       const __u32 fields)
{
	struct shape s = plain_shape(fields, positions, row_bytes);

	if (!packed)
		return classify_by_rules(t, ctx, p, copy, there, s);
	s.packed = true;
	s.row_bytes = sizeof(struct xw_row);
	if (segment_words == 1)
		return classify_by_rules(t, ctx, p, copy, there, s);
	s.segment_words = 4;
	return classify_by_rules(t, ctx, p, copy, there, s);
}

/* Classify by the code compiled for the ruleset's features. FEW: up to 64 positions, whose rows are
 * one word of 8 bytes; MORE: any number. Each line inlines the classifier once or four times, and
 * jumps reach 32,767 instructions: there is room for a few more lines, not for all combinations. */
static __always_inline int classify_known_shape(const struct xw_tables *t, struct xw_ctx *ctx,
						struct packet *p, __u32 copy, struct walk *there)
{
	const __u32 fields = features & ~IN_ALL;

	if (EXPLAINING || GLOBAL_CLASSIFIER) /* nobody waits; too much code */
		return classify_by_rules(t, ctx, p, copy, there, (struct shape){});
#define RATED_KIND (XW_COUNTING | XW_RATES)
#define FEW(kind)                                                                                  \
	if (fields == (kind) && positions == 64)                                                   \
	return classify_by_rules(t, ctx, p, copy, there, plain_shape(IN_ALL | (kind), 64, 8))
#define MORE(kind)                                                                                 \
	FEW(kind);                                                                                 \
	if (fields == (kind) && positions > 64)                                                    \
	return classify_many_rules(t, ctx, p, copy, there, IN_ALL | (kind))

#if RATED /* with a rate a rule may not decide */
	FEW(RATED_KIND);
	FEW(RATED_KIND | XW_DPORT);
	FEW(RATED_KIND | XW_ATTACHMENT | XW_DPORT);
	FEW(RATED_KIND | XW_SRC | XW_DPORT);
	FEW(RATED_KIND | XW_SRC_SET | XW_DPORT);
	MORE(RATED_KIND | XW_SRC | XW_DST | XW_DPORT);
	MORE(RATED_KIND | XW_SRC | XW_DST | XW_SPORT | XW_DPORT);
#else
	FEW(0);
	FEW(XW_DPORT);
	FEW(XW_ATTACHMENT);
	FEW(XW_SRC_SET);
	MORE(XW_SRC);
	MORE(XW_SRC | XW_DPORT);
	MORE(XW_SRC | XW_DST);
	MORE(XW_SRC | XW_DST | XW_DPORT);
	MORE(XW_SRC | XW_DST | XW_SPORT | XW_DPORT);
	MORE(XW_ATTACHMENT | XW_SRC | XW_DST | XW_SPORT | XW_DPORT);
#endif
	return classify_by_rules(t, ctx, p, copy, there, (struct shape){});
#undef MORE
#undef FEW
#undef RATED_KIND
}

#endif
