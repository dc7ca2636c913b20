/* SPDX-License-Identifier: GPL-2.0-only */
/* The walk past a first rule that does not decide (count, or expired). Part of match.h. */
#ifndef XDPWALL_REST_H
#define XDPWALL_REST_H

struct rest {
	struct packet *p;
	const struct walk *w;
	__u64 word;	  /* rules left in word i */
	__u64 left;	  /* words left in aggregate a */
	__u32 a;
	__u32 i;
	int decision;
};

/* One rule, or one word without any. 1 ends the loop. */
static long rest_step(__u32 n, struct rest *r)
{
	__u32 copy = r->w->copy, word_mask = positions / 64 - 1;
	const void *base = bpf_map_lookup_elem(&rows, &copy);
	const __u64 *row[GROUPS];

	if (!base)
		return 1;
	if (r->word) {
		r->decision = judge(copy, r->i * 64 + lowest(r->word), r->p);
		r->word &= r->word - 1;
		return r->decision >= 0;
	}
	point(base, r->w, row);
	if (r->left) {
		r->i = r->a * 64 + lowest(r->left);
		r->left &= r->left - 1;
		r->word = all_of(row, aggregates + (r->i & word_mask));
		return 0;
	}
	if (++r->a >= aggregates || r->a >= MAX_AGGREGATES)
		return 1;
	r->left = all_of(row, r->a);
	return 0;
}

/* From the rule after w->position. -1: none of the rest decides. */
__noinline int rest(struct packet *p, struct walk *w)
{
	struct rest r = {.p = p, .w = w, .decision = -1};
	__u32 copy, word_mask = positions / 64 - 1;
	const __u64 *row[GROUPS];
	const void *base;

	if (!p || !w)
		return DECISION_ERROR;
	copy = w->copy;
	base = bpf_map_lookup_elem(&rows, &copy);
	if (!base)
		return DECISION_ERROR;
	point(base, w, row);
	r.i = w->position / 64;
	r.a = r.i / 64 & (aggregates - 1);
	r.word = all_of(row, aggregates + (r.i & word_mask));
	r.word &= ~1ULL << (w->position & 63);
	r.left = all_of(row, r.a);
	r.left &= ~1ULL << (r.i & 63);
	bpf_loop(positions + positions / 64 + MAX_AGGREGATES, rest_step, &r, 0);
	return r.decision;
}

#endif
