/* SPDX-License-Identifier: GPL-2.0-only */
/* AND the rows of a packet, by segment and by word: plain rows and packed ones (struct xw_row). */
#ifndef XDPWALL_ROW_WORDS_H
#define XDPWALL_ROW_WORDS_H

#include <stdbool.h>
#include <linux/bpf.h>
#include <bpf/bpf_helpers.h>

#include "abi.h"
#include "maps.h"
#include "rows.h"
#include "ruleset_shape.h"

/* Tested together first, so that rulesets without any pay one branch. */
#define RARE_FEATURES (XW_ATTACHMENT | XW_SIZE | XW_SPORT)

static __always_inline bool group_in_use(const struct shape s, int group)
{
	switch (group) {
	case G_PROTOCOL:
		return true;
	case G_ATTACHMENT:
		return has_feature(s, XW_ATTACHMENT);
	case G_SIZE:
		return has_feature(s, XW_SIZE);
	case G_SPORT:
		return has_feature(s, XW_SPORT);
	case G_DPORT:
		return has_feature(s, XW_DPORT);
	case G_SRC:
		return has_feature(s, SRC_FEATURES);
	case G_DST:
		return has_feature(s, DST_FEATURES);
	default:
		return false;
	}
}

/* Pointers to the rows of a packet. Those of sets are computed at each use, to save stack. */
struct packet_rows {
	const __u64 *row[GROUPS];
	const void *base;    /* of the generation's rows */
	const void *whole;   /* of its whole rows, which packed rows are patches of */
	const __u32 *number; /* of the rows, by group */
	struct shape shape;
	__u64 whole_mask;
};

/* In 64 bits, behind a barrier: Linux 6.1's verifier loses the bounds of a 32-bit product. */
static __always_inline const __u64 *row_at(const struct packet_rows *pr, __u32 row_number)
{
	__u64 n = row_number & row_mask;

	barrier_var(n);
	return pr->base + n * row_size(pr->shape);
}

/* Point `pr` at the rows of a generation. False: a map lookup failed. */
static __always_inline bool locate_all_rows(struct packet_rows *pr, __u32 copy)
{
	pr->base = bpf_map_lookup_elem(&rows, &copy);
	pr->whole = is_packed(pr->shape) ? bpf_map_lookup_elem(&whole_rows, &copy) : pr->base;
	if (!pr->base || !pr->whole)
		return false;
	pr->whole_mask = whole_mask;
	return true;
}

/* Point `pr` at the rows with these numbers, by group. False: a map lookup failed. */
static __always_inline bool locate_rows(struct packet_rows *pr, __u32 copy,
					const __u32 *row_numbers)
{
	if (!locate_all_rows(pr, copy))
		return false;
	pr->number = row_numbers;
#pragma unroll
	for (int g = 0; g <= G_DST; g++)
		if (group_in_use(pr->shape, g))
			pr->row[g] = row_at(pr, row_numbers[g]);
	return true;
}

/* Row `n` of an address's sets: 1 exact, 2 by prefix, 3 the rules on `not @set` (enum group). */
static __always_inline const __u64 *set_row(const struct packet_rows *pr, const enum group group,
					    int n)
{
	return row_at(pr, pr->number[group + n]);
}

/* Summary word `k` of an address's rows. A superset is enough: negated rows are or-ed too. */
static __always_inline __u64 address_summary(const struct packet_rows *pr, const enum group group,
					     __u32 k)
{
	__u64 some = pr->row[group][k];

	if (has_feature(pr->shape, group == G_SRC ? XW_SRC_SET : XW_DST_SET)) {
		some |= set_row(pr, group, 1)[k] | set_row(pr, group, 2)[k];
		if (has_feature(pr->shape, XW_NEGATED_SET))
			some |= set_row(pr, group, 3)[k];
	}
	return some;
}

/* The AND of all rows' summary word `k`. */
static __always_inline __u64 combined_summary(const struct packet_rows *pr, __u32 k)
{
	__u64 some = pr->row[G_PROTOCOL][k];

	if (has_feature(pr->shape, RARE_FEATURES)) {
		if (has_feature(pr->shape, XW_ATTACHMENT))
			some &= pr->row[G_ATTACHMENT][k];
		if (has_feature(pr->shape, XW_SIZE))
			some &= pr->row[G_SIZE][k];
		if (has_feature(pr->shape, XW_SPORT))
			some &= pr->row[G_SPORT][k];
	}
	if (has_feature(pr->shape, XW_DPORT))
		some &= pr->row[G_DPORT][k];
	if (has_feature(pr->shape, SRC_FEATURES))
		some &= address_summary(pr, G_SRC, k);
	if (has_feature(pr->shape, DST_FEATURES))
		some &= address_summary(pr, G_DST, k);
	return some;
}

/* The segments of the summary word of a plain row, whatever their pattern. */
static __always_inline __u64 plain_segments(__u64 some)
{
	some |= some >> 32;
	return (some | some >> 16) & 0xffff;
}

/* Bit s: segment s may hold a rule that matches. One pattern must have rules there in every row. */
static __always_inline __u64 candidate_segments(const struct packet_rows *pr)
{
	__u64 some = combined_summary(pr, 0);

	if (is_packed(pr->shape))
		return some | combined_summary(pr, 1) | combined_summary(pr, 2) |
		       combined_summary(pr, 3);
	return plain_segments(some);
}

/* Bit n: word n of the segment may hold a rule that matches. A superset is enough, so only the
 * groups that tell rules apart best are asked: addresses and the destination port, if rules use
 * them. */
static __always_inline __u32 candidate_words(const struct packet_rows *pr, __u32 segment)
{
	const __u32 count = words_per_segment(pr->shape);
	__u32 first = segment * count, k;
	__u64 some = ~0ULL;

	if (count == 1)
		return 1;
	k = XW_PATTERNS + (first >> 6 & (XW_AGGREGATES - 1));
	if (has_feature(pr->shape, SRC_FEATURES))
		some = address_summary(pr, G_SRC, k);
	if (has_feature(pr->shape, DST_FEATURES))
		some &= address_summary(pr, G_DST, k);
	if (has_feature(pr->shape, XW_DPORT))
		some &= pr->row[G_DPORT][k];
	else if (!has_feature(pr->shape, SRC_FEATURES | DST_FEATURES))
		some = combined_summary(pr, k);
	return some >> (first & 63) & ((1 << count) - 1);
}

/* A number times EACH_BYTE has it in every byte. PATCHED: the top bits of the bytes of `which`. */
#define EACH_BYTE 0x0101010101010101ULL
#define PATCHED	  (EACH_BYTE << 7 & ((1ULL << 8 * XW_PATCHES) - 1))
#define WHICH	  (offsetof(struct xw_row, which) / 8)

/* The index of a word, and what its lookup in packed rows needs. */
struct word_index {
	__u32 i;
	__u64 each;	   /* i in every byte */
	const void *whole; /* word i of the first whole row */
	__u64 size;	   /* of a whole row */
};

/* A word of a row of the protocol, attachment and size groups, which never have patches. */
static __always_inline __u64 unpatched_word(const struct packet_rows *pr, const __u64 *row,
					    const struct word_index *at)
{
	__u64 whole;

	if (!is_packed(pr->shape))
		return row[!is_one_word(pr->shape) + at->i];
	whole = ((const struct xw_row *)row)->whole & pr->whole_mask;
	return *(const __u64 *)(at->whole + whole * at->size);
}

/* A word of a row: its patch, or the word of its whole row. */
static __always_inline __u64 row_word(const struct packet_rows *pr, const __u64 *row,
				      const struct word_index *at)
{
	__u64 differs, same, which;

	/* Without it clang 14 keeps the address of every row's `which` on the stack. */
	barrier_var(row);
	if (!is_packed(pr->shape))
		return row[!is_one_word(pr->shape) + at->i];
	which = row[WHICH];
	/* The lowest byte of `which` that equals i: Warren, "Hacker's Delight", 6-1. */
	differs = which ^ at->each;
	same = (differs - EACH_BYTE) & ~differs & PATCHED;
	if (same) {
		/* A one in each byte up to that; their sum counts the patches from 1. */
		same = ((same & -same) - 1) & EACH_BYTE;
		return row[WHICH + (same * EACH_BYTE >> 56 & 7)];
	}
	return unpatched_word(pr, row, at);
}

/* A word of an address's rows: prefixes or sets. A rule on `not @set` has its bit in the negated
 * row and, where a set lists the address, in that set's row: the XOR clears it. */
static __always_inline __u64 address_word(const struct packet_rows *pr, const enum group group,
					  const struct word_index *at)
{
	__u64 word = row_word(pr, pr->row[group], at), in;

	if (!has_feature(pr->shape, group == G_SRC ? XW_SRC_SET : XW_DST_SET))
		return word;
	in = row_word(pr, set_row(pr, group, 1), at) | row_word(pr, set_row(pr, group, 2), at);
	if (has_feature(pr->shape, XW_NEGATED_SET))
		in ^= row_word(pr, set_row(pr, group, 3), at);
	return word | in;
}

/* Word `i` of the row of a state, by number. It is in no AND above: most packets need no state, so
 * it is found and AND-ed once a rule with `state` is reached (flow.h). */
static __always_inline __u64 state_word(const struct packet_rows *pr, __u32 row_number, __u32 i)
{
	struct word_index at = {
	    .i = i, .whole = pr->whole + i * 8, .size = position_count(pr->shape) / 8};

	return unpatched_word(pr, row_at(pr, row_number), &at);
}

/* Bit s: segment s has a rule for packets of the state whose row this is. */
static __always_inline __u64 state_segments(const struct packet_rows *pr, __u32 row_number)
{
	const __u64 *row = row_at(pr, row_number);

	return is_packed(pr->shape) ? row[0] | row[1] | row[2] | row[3] : plain_segments(row[0]);
}

/* The AND of word `i` of all rows: bit n is the rule at position 64 * i + n. */
static __always_inline __u64 combined_word(const struct packet_rows *pr, __u32 i)
{
	struct word_index at = {.i = i,
				.each = i * EACH_BYTE,
				.whole = pr->whole + i * 8,
				.size = position_count(pr->shape) / 8};
	__u64 word;

	barrier_var(at.each);
	word = unpatched_word(pr, pr->row[G_PROTOCOL], &at);
	if (has_feature(pr->shape, RARE_FEATURES)) {
		if (has_feature(pr->shape, XW_ATTACHMENT))
			word &= unpatched_word(pr, pr->row[G_ATTACHMENT], &at);
		if (has_feature(pr->shape, XW_SIZE))
			word &= unpatched_word(pr, pr->row[G_SIZE], &at);
		if (has_feature(pr->shape, XW_SPORT))
			word &= row_word(pr, pr->row[G_SPORT], &at);
	}
	if (has_feature(pr->shape, XW_DPORT))
		word &= row_word(pr, pr->row[G_DPORT], &at);
	if (has_feature(pr->shape, SRC_FEATURES))
		word &= address_word(pr, G_SRC, &at);
	if (has_feature(pr->shape, DST_FEATURES))
		word &= address_word(pr, G_DST, &at);
	return word;
}

#endif
