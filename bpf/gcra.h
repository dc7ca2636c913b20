/* SPDX-License-Identifier: GPL-2.0-only */
/* A token bucket in one word: the generic cell rate algorithm (ITU-T I.371) on the kernel's tick.
 *
 * The word says when the bucket will owe nothing. A packet moves that time on by what its tokens
 * take, unless it would then be farther ahead than the bucket is deep. So nothing refills a bucket,
 * and a packet over the rate only reads the word.
 *
 * Two packets that are n ticks apart may be just over n - 1 ticks apart in time. A bucket that was
 * full gives all its tokens within one tick; from the next one on it is one tick less deep, so that
 * in no T seconds more than rate * T + burst tokens are taken. Whether it was full in this very
 * tick is told by the mark, the lowest bits of the tick in the lowest bits of the word. One tick in
 * 64 looks the same, so where no packet took a token for so long the next may be a tick early.
 *
 * No helper is called here: tests/unit/test_gcra.py compiles this file for the host.
 */
#ifndef XDPWALL_GCRA_H
#define XDPWALL_GCRA_H

#include <stdbool.h>
#include <stddef.h>
#include <linux/types.h>

#include "abi_rates.h"

#ifndef barrier_var /* of libbpf, which the host need not have */
#define barrier_var(var) asm volatile("" : "+r"(var))
#endif

#define TICK (1ULL << XW_TICK_SHIFT)

/* By how much a CPU may be behind another in reading the tick, in ticks. A bucket that is farther
 * ahead than its depth and this was last used before the clock of 34 bits went round. */
#define TICKS_APART (1ULL << 12)

/* Another CPU changed the bucket meanwhile: how often to look again. */
#define BUCKET_TRIES 8

/* How far a bucket is ahead of a tick, in units; negative: it has owed nothing for so long. */
static __always_inline __s64 bucket_ahead(__u64 bucket, __u64 tick)
{
	return (bucket & ~XW_TICK_MARK) - (tick << XW_TICK_SHIFT);
}

/* Does the bucket owe nothing, and is full? */
static __always_inline bool bucket_is_full(__u64 bucket, __u64 tick, __u64 depth)
{
	__s64 ahead = bucket_ahead(bucket, tick);

	return !bucket || ahead <= -(__s64)TICK || ahead > (__s64)(depth + TICKS_APART * TICK);
}

/* What so many tokens take, in units, rounded up to those above the mark. No more than `burst`. */
static __always_inline __u64 tokens_cost(const struct xw_rate *r, __u32 tokens)
{
	return ((tokens * r->token >> r->shift) + XW_TICK_MARK) & ~XW_TICK_MARK;
}

/* The bucket after a packet took its tokens; 0: it does not have so many. */
static __always_inline __u64 bucket_after(__u64 bucket, const struct xw_rate *r, __u64 cost,
					  __u64 tick)
{
	__u64 mark = tick & XW_TICK_MARK;
	__s64 depth = r->depth, ahead = 0;

	if (!bucket_is_full(bucket, tick, depth)) {
		ahead = bucket_ahead(bucket, tick);
		if (ahead < 0)
			ahead = 0;
		if ((bucket & XW_TICK_MARK) != mark || !ahead) {
			mark = (tick - 1) & XW_TICK_MARK;
			depth -= TICK;
		}
	}
	ahead += cost;
	if (ahead > depth)
		return 0;
	return ((tick << XW_TICK_SHIFT) + ahead) | mark;
}

/* Put the word in the place of `old`. False: another CPU was first. */
static __always_inline bool exchange_word(__u64 *word, __u64 old, __u64 new)
{
	return __sync_val_compare_and_swap(word, old, new) == old;
}

/* By how much the bucket of a place is ahead of a tick; one that was never used comes last. */
static __always_inline __s64 source_ahead(const struct xw_source *place, __u64 tick)
{
	return place->bucket ? bucket_ahead(place->bucket, tick) : (__s64)(1ULL << 63);
}

/* The place of a source in a line; or else the one to take for it, whose source owes least. */
static __always_inline struct xw_source *find_place(struct xw_source *line, __u64 key, __u64 tick)
{
	struct xw_source *best = line;

#pragma clang loop unroll(disable)
	for (int n = 0; n < XW_SOURCE_PLACES; n++, line++) {
		if (line->key == key)
			return line;
		if (source_ahead(line, tick) < source_ahead(best, tick))
			best = line;
	}
	return best;
}

/* The place of a source in a line, if it has one. */
static __always_inline struct xw_source *known_place(struct xw_source *line, __u64 key)
{
#pragma unroll
	for (int n = 0; n < XW_SOURCE_PLACES; n++)
		if (line[n].key == key)
			return line + n;
	return NULL;
}

enum taken {
	TAKEN_NONE = 0,
	TAKEN,
	TAKEN_FORGOTTEN, /* taken, and a source that owed something is forgotten for it */
	TAKEN_BY_OTHER,	 /* another CPU changed the bucket meanwhile: look again */
};

/* Take a packet's tokens, no more than `burst`, out of a bucket, at the first try. `peek`: say
 * whether it has them, and take nothing. */
static __always_inline enum taken try_tokens(__u64 *bucket, const struct xw_rate *r, __u32 tokens,
					     __u64 tick, const bool peek)
{
	__u64 old = *(volatile __u64 *)bucket;
	__u64 new = bucket_after(old, r, tokens_cost(r, tokens), tick);

	if (!new)
		return TAKEN_NONE;
	return peek || exchange_word(bucket, old, new) ? TAKEN : TAKEN_BY_OTHER;
}

/* try_tokens(), until no other CPU is quicker. */
static __always_inline enum taken take_tokens(__u64 *bucket, const struct xw_rate *r, __u32 tokens,
					      __u64 tick, const bool peek)
{
	for (int n = 0; n < BUCKET_TRIES; n++) {
		enum taken taken = try_tokens(bucket, r, tokens, tick, peek);

		if (taken != TAKEN_BY_OTHER)
			return taken;
	}
	return TAKEN_NONE;
}

/* Take them out of the source's bucket, in one of a line's places.
 *
 * Whoever exchanges the word of a place has it, and writes its key afterwards. In between a packet
 * of the source that is forgotten may pay for the new one, and one of the new source, on another
 * CPU, may take a second place: that is never looked at again, as the first with the key counts. */
static __always_inline enum taken take_source_tokens(struct xw_source *line,
						     const struct xw_rate *r, __u64 key,
						     __u32 tokens, __u64 tick, const bool peek)
{
	for (int n = 0; n < BUCKET_TRIES; n++) {
		struct xw_source *place;
		__u64 old, new;
		bool known;

		/* Else clang computes ahead of the loop what then has no room but the stack. */
		barrier_var(r);
		barrier_var(line);
		barrier_var(tick);
		barrier_var(key);
		place = find_place(line, key, tick);
		known = place->key == key;
		old = *(volatile __u64 *)&place->bucket;
		new = bucket_after(known ? old : 0, r, tokens_cost(r, tokens), tick);
		if (!new)
			return TAKEN_NONE;
		if (peek)
			return TAKEN;
		if (!exchange_word(&place->bucket, old, new))
			continue;
		if (known)
			return TAKEN;
		*(volatile __u64 *)&place->key = key;
		return old && bucket_ahead(old, tick) > -(__s64)TICK ? TAKEN_FORGOTTEN : TAKEN;
	}
	return TAKEN_NONE;
}

#endif
