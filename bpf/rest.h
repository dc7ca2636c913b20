/* SPDX-License-Identifier: GPL-2.0-only */
/* The walk past a first rule that does not decide (count, or expired). Part of match.h. */
#ifndef XDPWALL_REST_H
#define XDPWALL_REST_H

struct rest {
	struct packet *p;
	struct walk *w;
};

/* One rule, or one word; 1 ends the loop. */
static long rest_step(__u32 n, struct rest *r)
{
	__u32 word_mask = positions / 64 - 1, copy;
	struct walk *w = r->w;
	const __u64 *row[GROUPS];
	const void *base;
	__u64 bits;
	int decision;

	bits = w->word;
	if (bits) {
		w->word = bits & (bits - 1);
		decision = judge(w->copy, (w->index & word_mask) * 64 + lowest(bits), r->p);
		w->decision = decision;
		return decision >= 0;
	}
	copy = w->copy;
	base = bpf_map_lookup_elem(&rows, &copy);
	if (!base)
		return 1;
	point(base, w->rows, row);
	bits = w->left;
	if (bits) {
		w->left = bits & (bits - 1);
		w->index = w->aggregate * 64 + lowest(bits);
		w->word = all_of(row, aggregates + (w->index & word_mask), false);
		return 0;
	}
	if (w->aggregate + 1 >= aggregates)
		return 1;
	w->aggregate++;
	w->left = all_of(row, w->aggregate & (aggregates - 1), true);
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
	bpf_loop(positions + positions / 64 + MAX_AGGREGATES, rest_step, &r, 0);
	return w->decision;
}

#endif
