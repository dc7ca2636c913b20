/* SPDX-License-Identifier: GPL-2.0-only */
/* struct packet -> the first rule that decides: aggregated bit vectors (Baboescu and Varghese,
 * "Scalable Packet Classification", SIGCOMM 2001).
 *
 * Each group of fields maps the packet to a row: the set of rules that it satisfies, one bit a
 * position, with summaries in front (row_words.h). The lowest bit set in all rows is the first rule.
 * Rows are looked up once; the same code serves IPv4, IPv6 and frames without IP.
 */
#ifndef XDPWALL_MATCH_H
#define XDPWALL_MATCH_H

#include "maps.h"
#include "packet.h"

enum decision {
	DECISION_DROP = 1 << 0,
	DECISION_BY_POLICY = 1 << 1,
	DECISION_ERROR = 1 << 2,
};

#include "account.h"
#include "address.h"
#include "rows.h"
#include "row_words.h"

#define MAX_SEGMENTS 64
/* Words that are looked at before rest() goes on, where few are left (bench: 1 to 2 on average). */
#define FIRST_WORDS 4

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

/* clang 14 has no count of trailing zeros for BPF: Leiserson, Prokop and Randall, "Using de Bruijn
 * Sequences to Index a 1 in a Computer Word", 1998. */
static const __u8 bit_of_product[64] = {
    0,	1,  2,	53, 3,	7,  54, 27, 4,	38, 41, 8,  34, 55, 48, 28, 62, 5,  39, 46, 44, 42,
    22, 9,  24, 35, 59, 56, 49, 18, 29, 11, 63, 52, 6,	26, 37, 40, 33, 47, 61, 45, 43, 21,
    23, 58, 17, 10, 51, 25, 36, 32, 60, 20, 57, 16, 50, 31, 19, 15, 30, 14, 13, 12,
};

static __always_inline __u32 lowest(__u64 word)
{
	return bit_of_product[((word & -word) * 0x022fdd63cc95386dULL) >> 58];
}

static __always_inline bool expired(const struct shape s, __u32 copy, __u32 position)
{
	const __u64 *all = bpf_map_lookup_elem(&expiries, &copy);

	return all && bpf_ktime_get_boot_ns() >= all[position & (positions_of(s) - 1)];
}

/* -1: the rule does not decide. */
static __always_inline int judge(const struct shape s, __u32 copy, __u32 position, struct packet *p)
{
	const __u32 *all = bpf_map_lookup_elem(&rules, &copy);
	__u32 rule, slot, action;

	if (!all)
		return DECISION_ERROR;
	rule = all[position & (positions_of(s) - 1)];
	if (with(s, XW_EXPIRING) && rule & XW_RULE_EXPIRES && expired(s, copy, position))
		return -1;
	slot = rule & XW_RULE_SLOT;
	count_rule(slot, p);
	if (rule & XW_RULE_LOG && !p->log)
		p->log = slot + 1;
	action = rule >> XW_RULE_ACTION & 3;
	if (action == XW_COUNT)
		return -1;
	p->slot = slot + 1;
	return action == XW_DROP ? DECISION_DROP : 0;
}

#include "walk.h"

static __always_inline int by_policy(const struct xw_tables *t, const struct packet *p)
{
	__u32 bit = egress ? XW_POLICY_DROP_EGRESS : XW_POLICY_DROP_INGRESS;

	if (p->kind == XW_KIND_ETHER || p->kind == XW_KIND_LLC)
		bit = XW_POLICY_DROP_NON_IP;
	if (!(t->policy & bit))
		return 0;
	if (p->neighbor_discovery && !(t->policy & XW_POLICY_JUDGE_ND))
		return 0;
	return DECISION_DROP | DECISION_BY_POLICY;
}

/* The first rule of the walk that decides, `word` being the first word with any; -1: none. */
static __always_inline int first_rule(const struct shape s, struct packet *p, struct walk *w,
				      __u64 word)
{
	int decision = judge(s, w->copy, w->index * 64 + lowest(word), p);

	if (decision >= 0 || !with(s, XW_COUNTING))
		return decision;
	w->word = word & (word - 1);
	return rest(p, w);
}

/* -1: no rule decides. */
static __always_inline int by_rules(const struct xw_tables *t, struct packet *p, __u32 copy,
				    const struct shape s)
{
	__u32 word_mask = positions_of(s) / 64 - 1;
	struct levels l = {
	    .t = t,
	    .shape = s,
	    .copy = copy,
	};
	struct found f = {.shape = s};
	struct walk w = {.copy = copy};
	__u32 segment = 0, some = 0;
	__u64 word = 0, left;

	if (!find_rows(&l, p, w.rows))
		return -1;
	if (!point(&f, copy, w.rows))
		return DECISION_ERROR;
	if (one_word(s)) {
		word = words_of(&f, 0);
		return word ? first_rule(s, p, &w, word) : -1;
	}
	left = segments_of(&f);
	for (int n = 0; n < FIRST_WORDS; n++) {
		if (!some) {
			if (!left)
				return -1;
			segment = lowest(left);
			left &= left - 1;
			some = words_in(&f, segment);
			if (!some)
				continue;
		}
		w.index = segment * words_in_segment(s) + lowest(some);
		some &= some - 1;
		word = words_of(&f, w.index & word_mask);
		if (word)
			break;
	}
	w.segment = segment;
	w.some = some;
	w.left = left;
	return word ? first_rule(s, p, &w, word) : rest(p, &w);
}

#include "kinds.h"

/* `control_word` was read once by the entry, so everything here is of one generation. */
static __always_inline int decide(struct packet *p, __u64 control_word)
{
	__u32 copy = control_word & XW_CONTROL_COPY;
	const struct xw_tables *t = bpf_map_lookup_elem(&tables, &copy);
	int decision = -1;

	if (!t)
		return DECISION_ERROR;
	if (features & XW_RULES)
		decision = by_kind(t, p, copy);
	return decision < 0 ? by_policy(t, p) : decision;
}

#endif
