/* SPDX-License-Identifier: GPL-2.0-only */
/* The rows of a packet -> what they say together: segments, words, bits (struct xw_row). */
#ifndef XDPWALL_ROW_WORDS_H
#define XDPWALL_ROW_WORDS_H

#include <stdbool.h>
#include <linux/bpf.h>
#include <bpf/bpf_helpers.h>

#include "abi.h"
#include "maps.h"
#include "rows.h"
#include "ruleset_shape.h"

#define RARE_FEATURES (XW_WHERE | XW_HEADER | XW_SPORT)

static __always_inline bool in_use(const struct shape s, int group)
{
	switch (group) {
	case G_WHAT:
		return true;
	case G_WHERE:
		return with(s, XW_WHERE);
	case G_HEADER:
		return with(s, XW_HEADER);
	case G_SPORT:
		return with(s, XW_SPORT);
	case G_DPORT:
		return with(s, XW_DPORT);
	case G_SRC:
		return with(s, SRC_FEATURES);
	case G_DST:
		return with(s, DST_FEATURES);
	default:
		return false;
	}
}

/* Where the rows of a packet are. Those of sets are found anew each time: the stack is small. */
struct found {
	const __u64 *row[GROUPS];
	const void *base;
	const void *whole; /* the rows that packed ones are told by their differences from */
	const __u32 *number;
	struct shape shape;
	__u64 whole_mask;
};

/* In 64 bits, behind a barrier: Linux 6.1's verifier loses the bounds of a product of 32. */
static __always_inline const __u64 *row_at(const struct found *f, __u32 number_of)
{
	__u64 n = number_of & row_mask;

	barrier_var(n);
	return f->base + n * size_of_row(f->shape);
}

static __always_inline bool point(struct found *f, __u32 copy, const __u32 *number_of)
{
	f->base = bpf_map_lookup_elem(&rows, &copy);
	f->whole = is_packed(f->shape) ? bpf_map_lookup_elem(&whole_rows, &copy) : f->base;
	if (!f->base || !f->whole)
		return false;
	f->number = number_of;
	f->whole_mask = whole_mask;
#pragma unroll
	for (int g = 0; g <= G_DST; g++)
		if (in_use(f->shape, g))
			f->row[g] = row_at(f, number_of[g]);
	return true;
}

/* Row `n` of the sets' rows of an address field, whose first is `group`. */
static __always_inline const __u64 *set_row(const struct found *f, const enum group group, int n)
{
	return row_at(f, f->number[group + n]);
}

/* Number `k` of what an address's rows begin with. A superset does. */
static __always_inline __u64 address_summary(const struct found *f, const enum group group, __u32 k)
{
	__u64 some = f->row[group][k];

	if (with(f->shape, group == G_SRC ? XW_SRC_SET : XW_DST_SET)) {
		some |= set_row(f, group, 1)[k] | set_row(f, group, 2)[k];
		if (with(f->shape, XW_NEGATED_SET))
			some |= set_row(f, group, 3)[k];
	}
	return some;
}

/* Number `k` of what all rows begin with, together. */
static __always_inline __u64 summary(const struct found *f, __u32 k)
{
	__u64 some = f->row[G_WHAT][k];

	if (with(f->shape, RARE_FEATURES)) {
		if (with(f->shape, XW_WHERE))
			some &= f->row[G_WHERE][k];
		if (with(f->shape, XW_HEADER))
			some &= f->row[G_HEADER][k];
		if (with(f->shape, XW_SPORT))
			some &= f->row[G_SPORT][k];
	}
	if (with(f->shape, XW_DPORT))
		some &= f->row[G_DPORT][k];
	if (with(f->shape, SRC_FEATURES))
		some &= address_summary(f, G_SRC, k);
	if (with(f->shape, DST_FEATURES))
		some &= address_summary(f, G_DST, k);
	return some;
}

/* The segments in which some pattern has rules that every row satisfies. */
static __always_inline __u64 segments_of(const struct found *f)
{
	__u64 some = summary(f, 0);

	if (is_packed(f->shape))
		return some | summary(f, 1) | summary(f, 2) | summary(f, 3);
	some |= some >> 32;
	return (some | some >> 16) & 0xffff;
}

/* The words of a segment that may be more than zero in all rows: bit n is its nth. The rows that
 * tell most apart are asked; a superset does. */
static __always_inline __u32 words_in(const struct found *f, __u32 segment)
{
	const __u32 count = words_in_segment(f->shape);
	__u32 first = segment * count, k;
	__u64 some = ~0ULL;

	if (count == 1)
		return 1;
	k = XW_PATTERNS + (first >> 6 & (XW_AGGREGATES - 1));
	if (with(f->shape, SRC_FEATURES))
		some = address_summary(f, G_SRC, k);
	if (with(f->shape, DST_FEATURES))
		some &= address_summary(f, G_DST, k);
	if (with(f->shape, XW_DPORT))
		some &= f->row[G_DPORT][k];
	else if (!with(f->shape, SRC_FEATURES | DST_FEATURES))
		some = summary(f, k);
	return some >> (first & 63) & ((1 << count) - 1);
}

#define EACH_BYTE 0x0101010101010101ULL
#define PATCHED	  (EACH_BYTE << 7 & ((1ULL << 8 * XW_PATCHES) - 1))
#define WHICH	  (offsetof(struct xw_row, which) / 8)

/* A word's number, and what finding it in packed rows takes. */
struct at {
	__u32 i;
	__u64 each;	   /* i in every byte */
	const void *whole; /* word i of the first whole row */
	__u64 size;	   /* of a whole row */
};

/* A word of a row that differs from its whole row in nothing, as those of groups with few do. */
static __always_inline __u64 whole_word(const struct found *f, const __u64 *row,
					const struct at *at)
{
	__u64 number_of;

	if (!is_packed(f->shape))
		return row[!one_word(f->shape) + at->i];
	number_of = ((const struct xw_row *)row)->whole & f->whole_mask;
	return *(const __u64 *)(at->whole + number_of * at->size);
}

/* A word of a row. */
static __always_inline __u64 word_of(const struct found *f, const __u64 *row, const struct at *at)
{
	__u64 differs, same, which;

	/* Or clang keeps the place of every row's `which` on the stack, through the loops. */
	barrier_var(row);
	if (!is_packed(f->shape))
		return row[!one_word(f->shape) + at->i];
	which = row[WHICH];
	/* The lowest byte that equals i: Warren, "Hacker's Delight", 6-1. */
	differs = which ^ at->each;
	same = (differs - EACH_BYTE) & ~differs & PATCHED;
	if (same) {
		/* Bytes up to that one, which makes 1 the first patch. */
		same = ((same & -same) - 1) & EACH_BYTE;
		return row[WHICH + (same * EACH_BYTE >> 56 & 7)];
	}
	return whole_word(f, row, at);
}

/* A word of an address's rows. */
static __always_inline __u64 address_word(const struct found *f, const enum group group,
					  const struct at *at)
{
	__u64 word = word_of(f, f->row[group], at), in;

	if (!with(f->shape, group == G_SRC ? XW_SRC_SET : XW_DST_SET))
		return word;
	in = word_of(f, set_row(f, group, 1), at) | word_of(f, set_row(f, group, 2), at);
	if (with(f->shape, XW_NEGATED_SET))
		in ^= word_of(f, set_row(f, group, 3), at);
	return word | in;
}

/* Word number `i` of all rows together. */
static __always_inline __u64 words_of(const struct found *f, __u32 i)
{
	struct at at = {.i = i,
			.each = i * EACH_BYTE,
			.whole = f->whole + i * 8,
			.size = positions_of(f->shape) / 8};
	__u64 word;

	barrier_var(at.each);
	word = whole_word(f, f->row[G_WHAT], &at);
	if (with(f->shape, RARE_FEATURES)) {
		if (with(f->shape, XW_WHERE))
			word &= whole_word(f, f->row[G_WHERE], &at);
		if (with(f->shape, XW_HEADER))
			word &= whole_word(f, f->row[G_HEADER], &at);
		if (with(f->shape, XW_SPORT))
			word &= word_of(f, f->row[G_SPORT], &at);
	}
	if (with(f->shape, XW_DPORT))
		word &= word_of(f, f->row[G_DPORT], &at);
	if (with(f->shape, SRC_FEATURES))
		word &= address_word(f, G_SRC, &at);
	if (with(f->shape, DST_FEATURES))
		word &= address_word(f, G_DST, &at);
	return word;
}

#endif
