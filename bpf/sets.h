/* SPDX-License-Identifier: GPL-2.0-only */
/* Look up the classes of an address: the combinations of sets that list it (struct xw_class).
 *
 * An address has up to two classes, of the entry that is this address and of the longest prefix
 * that contains it; their rows are or-ed, so that a new prefix changes no other entry. Bitmaps in
 * front (XW_OCCUPIED_...) spare nearly every address outside all sets the lookups.
 */
#ifndef XDPWALL_SETS_H
#define XDPWALL_SETS_H

#include <stdbool.h>
#include <linux/bpf.h>
#include <bpf/bpf_endian.h>
#include <bpf/bpf_helpers.h>

#include "abi.h"
#include "maps.h"
#include "ruleset_shape.h"

/* Class numbers, 0: none. */
struct membership {
	__u32 exact;
	__u32 prefix;
};

/* The class that `class` has become by now: entries with a timeout leave their sets. */
static __always_inline __u32 current_class(__u32 class)
{
	if (!(features & XW_TIMED_SET) || !class)
		return class;
	for (int i = 0; i < XW_CLASS_STEPS; i++) {
		const struct xw_class *c = bpf_map_lookup_elem(&classes, &class);

		if (!c)
			return 0;
		if (!c->expires || bpf_ktime_get_boot_ns() < c->expires)
			break;
		class = c->after;
	}
	return class;
}

/* Bit `bit` & 63 of word `word` of the map. */
static __always_inline bool bitmap_bit(__u32 word, __u32 bit)
{
	const __u64 *bits = bpf_map_lookup_elem(&occupied, &word);

	return bits && *bits >> (bit & 63) & 1;
}

/* Are there any entries of this kind? */
static __always_inline bool any_of_kind(const enum xw_occupied kind)
{
	return bitmap_bit(XW_KINDS * XW_OCCUPIED_WORDS, kind);
}

/* May there be an entry at this bit of the kind's bitmap? */
static __always_inline bool is_occupied(const enum xw_occupied kind, __u32 bit)
{
	return any_of_kind(kind) && bitmap_bit(kind * XW_OCCUPIED_WORDS + (bit >> 6), bit);
}

static __always_inline __u32 lookup_once(void *set, const __u32 *address)
{
	const volatile __u32 *found = bpf_map_lookup_elem(set, address);

	return found ? *found : 0;
}

/* The class of an address in a hash map without preallocation, which reuses a freed element at
 * once: a lookup that races with it may miss the key, or read the value of another key. So two
 * lookups in a row must agree; they do, unless the entry is changed again and again. */
static __always_inline __u32 lookup_class(void *set, const __u32 *address)
{
	__u32 class;
#if GLOBAL_CLASSIFIER /* Linux 6.1's verifier takes no key out of a global function's argument */
	__u32 key[4];

	__builtin_memcpy(key, address, sizeof(key));
	address = key;
#endif
	class = lookup_once(set, address);

#pragma unroll
	for (int i = 0; i < 3; i++) {
		__u32 again = lookup_once(set, address);

		if (again == class)
			break;
		class = again;
	}
	return class;
}

/* The class of the longest prefix that contains the address of `bits` bits. IPv4's key is the
 * beginning of IPv6's: both use one place on the stack. */
static __always_inline void find_prefix_class(void *set, const __u32 *address, __u32 bits,
					      __u32 *class)
{
	struct xw_prefix6 key = {.bits = bits};
	const struct xw_set_prefix *found;

	__builtin_memcpy(key.address, address, 16);
	found = bpf_map_lookup_elem(set, &key);
	if (found)
		*class = current_class(found->class);
}

/* The class of an IPv4 address in the hash set4 or, if its bucket overflowed, in set4_rest; 0:
 * none. See xdpwall/dataplane/set_hash4.py for why readers need no lock. */
static __always_inline __u32 find_exact_class4(const __u32 *address)
{
	__u32 zero = 0;
	const struct xw_bucket *bucket = bpf_map_lookup_elem(&set4, &zero);
	__u64 entry = 0;

	if (!bucket)
		return 0;
	bucket += *address * hash_factor >> 32 & bucket_mask;
#pragma unroll
	for (int i = 0; i < XW_BUCKET; i++) {
		entry = *(volatile const __u64 *)&bucket->entry[i];
		if ((__u32)entry == *address)
			return (__u16)(entry >> 32);
		if (!entry)
			return 0;
	}
	if (!(entry << 1 >> (XW_BUCKET_REST + 1))) /* the overflow count, without XW_BUCKET_GONE */
		return 0;
	return lookup_class(&set4_rest, address);
}

static __always_inline void find_classes4(const __u32 *address, struct membership *m)
{
	__u32 bit = bpf_ntohl(*address) >> 8;

	m->exact = current_class(find_exact_class4(address));
	if (is_occupied(XW_PREFIX4, bit))
		find_prefix_class(&set4_prefixes, address, 32, &m->prefix);
}

static __always_inline __u32 bitmap_hash(__u64 bits)
{
	return bits * XW_HASH_FACTOR >> (64 - XW_OCCUPIED_BITS);
}

static __always_inline void find_classes6(const __u32 *address, struct membership *m)
{
	__u64 high = (__u64)bpf_ntohl(address[0]) << 32 | bpf_ntohl(address[1]);

	if (is_occupied(XW_EXACT6, bitmap_hash(high >> 16)))
		m->exact = current_class(lookup_class(&set6, address));
	if (is_occupied(XW_PREFIX6, bitmap_hash(high >> 32)) || any_of_kind(XW_SHORT6))
		find_prefix_class(&set6_prefixes, address, 128, &m->prefix);
}

static __always_inline void find_classes(bool ip4, const __u32 *address, struct membership *m)
{
	if (ip4)
		find_classes4(address, m);
	else
		find_classes6(address, m);
}

#endif
