/* SPDX-License-Identifier: GPL-2.0-only */
/* Rates: a rule with `limit` matches only while its bucket has tokens, one with `over` only once it
 * has none. Buckets are words of gcra.h, in the maps of rate_maps.h; explaining takes nothing from
 * them.
 *
 * Programs for rulesets with rates are objects of their own, compiled with XW_RATED: in the others
 * not even the registers and the stack of this code change what a packet pays. */
#ifndef XDPWALL_RATES_H
#define XDPWALL_RATES_H

#include <stdbool.h>
#include <linux/bpf.h>
#include <bpf/bpf_helpers.h>

#include "abi.h"
#include "abi_rates.h"
#include "explain.h"
#include "gcra.h"
#include "maps.h"
#include "packet.h"
#include "rate_maps.h"

/* The place of a packet's source for a rule, by a multiplication with a secret number
 * (Dietzfelbinger et al., "A Reliable Randomized Algorithm for the Closest-Pair Problem", 1997).
 * Sources of one rule and family never share a key; others do by chance, one in 2^64. */
static __always_inline __u64 source_key(const struct packet *p, const struct xw_rate *r)
{
	bool ip6 = p->kind == XW_KIND_IP6;
	__u64 source;

	if (ip6)
		source =
		    __builtin_bswap64((__u64)p->src[1] << 32 | p->src[0]) >> ((64 - r->bits6) & 63);
	else
		source = __builtin_bswap32(p->src[0]) >> ((32 - r->bits4) & 31);
	return source * source_factor + (ip6 ? ~r->seed : r->seed);
}

/* The line that has the place. */
static __always_inline struct xw_source *source_line(__u64 key)
{
	__u32 zero = 0;
	__u64 n = key >> 32 & source_mask;
	struct xw_source *all = bpf_map_lookup_elem(&sources, &zero);

	barrier_var(n); /* Linux 6.1's verifier loses the bounds of a product */
	return all ? all + n * XW_SOURCE_PLACES : NULL;
}

/* Count what the rate of a rule kept from matching, or the source that was forgotten. */
static __always_inline int count_limited(const struct packet *p, __u32 slot, bool forgotten)
{
	__u32 cpu = bpf_get_smp_processor_id();
	struct xw_limited *all;

	if (EXPLAINING)
		return 0;
	all = bpf_map_lookup_elem(&limited, &cpu);
	if (!all)
		return 0;
	all += slot & rate_mask;
	if (forgotten) {
		all->forgotten++;
	} else {
		all->packets += p->packets;
		all->bytes += p->bytes;
	}
	return 0;
}

/* Does the packet get its tokens out of its source's bucket? */
static __always_inline bool source_gets_tokens(const struct packet *p, const struct xw_rate *r,
					       __u32 slot, __u32 tokens)
{
	__u64 key = source_key(p, r);
	struct xw_source *line = source_line(key);
	enum taken taken;

	if (!line)
		return false;
	taken = take_source_tokens(line, r, key, tokens, bpf_jiffies64(), EXPLAINING);
	if (taken == TAKEN_FORGOTTEN)
		count_limited(p, slot, true);
	return taken != TAKEN_NONE;
}

/* Does the packet get its tokens, out of the rule's bucket or its source's? */
static __always_inline bool gets_tokens(const struct packet *p, struct xw_rate *r, __u32 slot)
{
	__u32 tokens = r->bytes ? p->bytes : p->packets;

	if (tokens > r->burst)
		return false;
	if (r->bits4)
		return source_gets_tokens(p, r, slot, tokens);
	return take_tokens(&r->bucket, r, tokens, bpf_jiffies64(), EXPLAINING) != TAKEN_NONE;
}

static __always_inline struct xw_rate *rate_of(__u32 rule)
{
	__u32 zero = 0;
	struct xw_rate *all = bpf_map_lookup_elem(&rates, &zero);

	return all ? all + (rule & XW_RULE_SLOT & rate_mask) : NULL;
}

/* Does a rule with a rate match a packet whose fields match? A source that cannot be read satisfies
 * `drop` alone, as any field does. */
static __always_inline bool rate_matches(const struct packet *p, __u32 rule)
{
	struct xw_rate *r = rate_of(rule);
	__u32 slot = rule & XW_RULE_SLOT;
	bool over = rule & XW_RULE_OVER;

	if (!r)
		return false;
	if (r->bits4 && (p->addresses_hidden || p->kind > XW_KIND_IP6))
		return (rule >> XW_RULE_ACTION & 3) == XW_DROP;
	if (gets_tokens(p, r, slot) != over)
		return true;
	count_limited(p, slot, false);
	return false;
}

/* The bucket that a packet's tokens are in, where it is there already; else NULL. */
static __always_inline __u64 *known_bucket(const struct packet *p, struct xw_rate *r)
{
	struct xw_source *place;
	__u64 key;

	if (!r->bits4)
		return &r->bucket;
	if (p->addresses_hidden || p->kind > XW_KIND_IP6)
		return NULL;
	key = source_key(p, r);
	place = source_line(key);
	place = place ? known_place(place, key) : NULL;
	return place ? &place->bucket : NULL;
}

/* The same without a call, for what most packets meet; -1: rate_matches() must be asked. */
static __always_inline int rate_matches_at_once(const struct packet *p, __u32 rule)
{
	struct xw_rate *r = rate_of(rule);
	__u64 *bucket = r ? known_bucket(p, r) : NULL;
	enum taken taken = TAKEN_NONE;
	__u32 tokens;

	if (!bucket)
		return -1;
	tokens = r->bytes ? p->bytes : p->packets;
	if (tokens <= r->burst)
		taken = try_tokens(bucket, r, tokens, bpf_jiffies64(), EXPLAINING);
	if (taken == TAKEN_BY_OTHER)
		return -1;
	if ((taken == TAKEN) != !!(rule & XW_RULE_OVER))
		return true;
	count_limited(p, rule & XW_RULE_SLOT, false);
	return false;
}

#endif
