/* SPDX-License-Identifier: GPL-2.0-only */
/* The walk past a first rule that does not decide (count, or expired). */
#ifndef XDPWALL_WALK_H
#define XDPWALL_WALK_H

#include <linux/bpf.h>
#include <bpf/bpf_helpers.h>

#include "bits.h"
#include "judge.h"
#include "maps.h"
#include "packet.h"
#include "row_words.h"
#include "rows.h"
#include "ruleset_shape.h"

#define MAX_SEGMENTS 64

/* A walk over the rules that match. Row numbers, since pointers cannot be handed to rest(), whose
 * state stands here too: the verifier knows nothing of what is in this memory, so that a step of
 * the loop looks like any other. */
struct walk {
	__u32 rows[GROUPS];
	__u32 copy;
	__u64 word; /* rules left in word `index`, bits from the lowest */
	__u64 left; /* segments */
	__u32 some; /* words left in segment `segment` */
	__u32 segment;
	__u32 index;
	__s32 decision;
};

struct rest {
	struct packet *p;
	struct walk *w;
};

/* One rule, one word or one segment; 1 ends the loop. */
static long rest_step(__u32 n, struct rest *r)
{
	const struct shape s = {};
	__u32 word_mask = positions_of(s) / 64 - 1;
	struct walk *w = r->w;
	struct found f = {.shape = s};
	__u64 bits;
	int decision;

	bits = w->word;
	if (bits) {
		w->word = bits & (bits - 1);
		decision = judge(s, w->copy, w->index * 64 + lowest(bits), r->p);
		w->decision = decision;
		return decision >= 0;
	}
	if (!point(&f, w->copy, w->rows))
		return 1;
	bits = w->some;
	if (bits) {
		w->some = bits & (bits - 1);
		w->index = w->segment * segment_words + lowest(bits);
		w->word = words_of(&f, w->index & word_mask);
		return 0;
	}
	bits = w->left;
	if (!bits)
		return 1;
	w->left = bits & (bits - 1);
	w->segment = lowest(bits);
	w->some = words_in(&f, w->segment);
	return 0;
}

/* From where *w stands. -1: none of the rest decides. bpf_loop, since the rules left to judge can
 * be thousands, each of them a helper call away anyway. */
__noinline int rest(struct packet *p, struct walk *w)
{
	struct rest r = {.p = p, .w = w};

	if (!p || !w)
		return DECISION_ERROR;
	w->decision = -1;
	bpf_loop(positions + positions / 64 + MAX_SEGMENTS, rest_step, &r, 0);
	return w->decision;
}

#endif
