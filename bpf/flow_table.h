/* SPDX-License-Identifier: GPL-2.0-only */
/* The flow table: find, make and move a flow.
 *
 *   index     a bucket   tag|deadline  tag|deadline  0  tag|deadline ...      16 words, one line
 *   flows     a place for each word, in the same order: key, flags, the deadline's other half
 *
 * Packets of all CPUs change it at once, and user space flushes by writing zeros into words:
 * - A place is taken by exchanging its word for one with the tag `claimed`, if it still is what it
 *   was; then the flow is written, then the word. Whoever finds the word changed gives up.
 * - A deadline is moved by exchanging the word likewise, so that no flush is undone.
 * - Who compares a key reads the tag again afterwards: the place may have gone to another flow.
 * - Flags are changed together with the ports, by comparison.
 *
 * A flow is live until its deadline. The word has the lower 16 bits of that, which wrap after some
 * 9 hours; the flow has all, and is asked too. No sweep is needed for anything but room.
 */
#ifndef XDPWALL_FLOW_TABLE_H
#define XDPWALL_FLOW_TABLE_H

#include <stdbool.h>
#include <linux/bpf.h>
#include <bpf/bpf_helpers.h>

#include "abi_flows.h"
#include "bits.h"
#include "explain.h"
#include "flow_key.h"
#include "flow_maps.h"
#include "packet.h"

/* The first word of the bucket. Behind barriers, as in row_at(). */
static __always_inline __u64 first_place(const struct flow_key *k)
{
	__u64 bucket = k->hash & flow_mask;

	barrier_var(bucket);
	return bucket * XW_FLOW_BUCKET;
}

/* Where in its bucket a flow stands if it finds room there, or beside it (flow_steady.h). */
static __always_inline __u32 home_of(const struct flow_key *k)
{
	return k->hash >> 44 & (XW_FLOW_BUCKET - 1);
}

static __always_inline __u32 *flow_words(const bool v4)
{
	__u32 zero = 0;

	return v4 ? bpf_map_lookup_elem(&flow_index4, &zero)
		  : bpf_map_lookup_elem(&flow_index6, &zero);
}

static __always_inline struct xw_flow4 *all_flows4(void)
{
	__u32 zero = 0;

	return bpf_map_lookup_elem(&flows4, &zero);
}

static __always_inline struct xw_flow6 *all_flows6(void)
{
	__u32 zero = 0;

	return bpf_map_lookup_elem(&flows6, &zero);
}

static __always_inline __u64 bounded_place(__u64 place)
{
	__u64 mask = (__u64)flow_mask * XW_FLOW_BUCKET + (XW_FLOW_BUCKET - 1);

	place &= mask;
	barrier_var(place);
	return place;
}

/* What both families have of the flow at a place. */
static __always_inline struct xw_flow_rest *flow_rest(__u32 place, const bool v4)
{
	__u64 at = place & ((__u64)flow_mask * XW_FLOW_BUCKET + (XW_FLOW_BUCKET - 1));
	struct xw_flow4 *four;
	struct xw_flow6 *six;

	barrier_var(at);
	/* The barriers: Linux 6.1's verifier takes no sum of a pointer that has not been compared
	 * with NULL, and clang would add before it compares. */
	if (v4) {
		four = all_flows4();
		if (!four)
			return NULL;
		barrier_var(four);
		return &four[at].rest;
	}
	six = all_flows6();
	if (!six)
		return NULL;
	barrier_var(six);
	return &six[at].rest;
}

/* Ticks until the deadline of a word; less than 0: it is over. */
static __always_inline __s32 ticks_left(__u32 word, __u32 now)
{
	return (__s16)(__u16)(word - now);
}

/* Does this flow have the key, and is it live? Its flags are kept in `w`. */
static __always_inline bool same_flow(struct flow_work *w, const __u64 *addresses,
				      const struct xw_flow_rest *rest, const bool v4)
{
	__u64 ports_meta = *(volatile const __u64 *)&rest->ports_meta;

	if (ports_meta >> XW_FLOW_PORT1 != w->key.ports || (ports_meta & 0xff) != w->key.proto ||
	    rest->zone != w->key.zone || addresses[0] != w->key.addresses[0])
		return false;
	if (!v4 && (addresses[1] != w->key.addresses[1] || addresses[2] != w->key.addresses[2] ||
		    addresses[3] != w->key.addresses[3]))
		return false;
	w->ports_meta = ports_meta;
	w->deadline = rest->deadline;
	return (__s32)(w->deadline - w->now) >= 0;
}

#define BOTH_TAGS 0xffff0000ffff0000ULL
#define BOTH_ONES 0x0001000000010000ULL
#define BOTH_TOPS 0x8000000080000000ULL

#define HALF (XW_FLOW_BUCKET / 2)

/* Which of two words may have the tag, which is given for both, without a branch: bits 31 and 63.
 * Zero halves as in Warren, "Hacker's Delight", 6-1; a few that are none are found too. */
static __always_inline __u64 tagged_pair(__u64 pair, __u64 tags)
{
	__u64 differs = (pair ^ tags) & BOTH_TAGS;

	return (differs - BOTH_ONES) & ~differs & BOTH_TOPS;
}

/* The words of half a bucket that may have the tag: bit 31 - n for word 2n, bit 63 - n for word
 * 2n + 1. */
static __always_inline __u64 tagged_words(const __u64 *pairs, __u32 tag)
{
	__u64 tags = (__u64)tag << 48 | (__u64)tag << 16, found = 0;

#pragma unroll
	for (int n = 0; n < HALF / 2; n++)
		found |= tagged_pair(*(volatile const __u64 *)&pairs[n], tags) >> n;
	return found;
}

/* The word, of its half bucket, that a bit of tagged_words() is for. */
static __always_inline __u32 place_of_bit(__u32 bit)
{
	return 2 * (31 - (bit & 31)) + (bit >> 5);
}

/* Find the live flow of the key in `w` among the words from `first` on: w->place. */
static __always_inline void find_in_half(struct flow_work *w, const __u32 *words, __u64 first,
					 const struct xw_flow4 *four, const struct xw_flow6 *six,
					 const bool v4)
{
	__u64 candidates = tagged_words((const __u64 *)(words + first), w->key.tag), place;
	__u32 bit, word;
	bool same;

	for (int n = 0; n < HALF && candidates; n++) {
		bit = lowest_bit(candidates);
		candidates &= candidates - 1;
		place = bounded_place(first + place_of_bit(bit));
		word = *(volatile const __u32 *)&words[place];
		if (word >> 16 != w->key.tag || ticks_left(word, w->now) < 0)
			continue;
		if (v4)
			same = same_flow(w, &four[place].addresses, &four[place].rest, true);
		else
			same = same_flow(w, six[place].addresses, &six[place].rest, false);
		if (same && *(volatile const __u32 *)&words[place] >> 16 == w->key.tag) {
			w->place = place + 1;
			return;
		}
	}
}

/* Find the live flow of the key in `w`: w->place. By halves, that with its home first. */
static __always_inline void find_flow(struct flow_work *w, const bool v4)
{
	const __u32 *words = flow_words(v4);
	const struct xw_flow4 *four = v4 ? all_flows4() : NULL;
	const struct xw_flow6 *six = v4 ? NULL : all_flows6();
	__u64 first = first_place(&w->key), home = home_of(&w->key) & HALF;

	w->place = 0;
	if (!words || (v4 ? !four : !six))
		return;
	/* Bounded, as clang makes an OR of the sum, of which Linux 6.1's verifier knows no bounds.
	 */
	find_in_half(w, words, bounded_place(first + home), four, six, v4);
	if (!w->place)
		find_in_half(w, words, bounded_place(first + (home ^ HALF)), four, six, v4);
}

static __always_inline struct xw_flow_counts *flow_count(void)
{
	__u32 zero = 0;

	return bpf_map_lookup_elem(&flow_counts, &zero);
}

static __always_inline void count_invalid(const struct packet *p)
{
	struct xw_flow_counts *counts;

	if (EXPLAINING || p->state != XW_STATE_INVALID)
		return;
	counts = flow_count();
	if (counts)
		counts->invalid += p->packets;
}

#endif
