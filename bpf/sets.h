/* SPDX-License-Identifier: GPL-2.0-only */
/* An address -> the classes of the sets that it is in, and their rows.
 *
 * An exact entry and the longest prefix are looked up apart and their rows or-ed, so that one more
 * prefix changes no exact entry. Bitmaps in front let nearly every address outside skip both.
 */
#ifndef XDPWALL_SETS_H
#define XDPWALL_SETS_H

#include "maps.h"

struct membership {
	__u32 exact;
	__u32 wide;
};

/* The class that counts now. */
static __always_inline __u32 unexpired(__u32 class)
{
	if (!(features & XW_TIMED_SET))
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

static __always_inline bool has_bit(const __u64 *words, __u32 bit)
{
	bit &= (1 << XW_OCCUPIED_BITS) - 1;
	return words[bit >> 6] >> (bit & 63) & 1;
}

static __always_inline void find_exact(void *set, const void *address, __u32 *class)
{
	const __u32 *found = bpf_map_lookup_elem(set, address);

	if (found)
		*class = unexpired(*found);
}

static __always_inline void find_wide(void *set, const void *key, __u32 *class)
{
	const struct xw_set_prefix *found = bpf_map_lookup_elem(set, key);

	if (found)
		*class = unexpired(found->class);
}

static __always_inline void classify4(const struct xw_occupied *o, const __u32 *address,
				      struct membership *m)
{
	__u32 key = *address, bit = bpf_ntohl(key) >> 8;

	if (has_bit(o->exact4, bit))
		find_exact(&set4, &key, &m->exact);
	if (has_bit(o->prefix4, bit)) {
		struct xw_prefix4 prefix = {.bits = 32};

		__builtin_memcpy(prefix.address, &key, 4);
		find_wide(&set4_prefixes, &prefix, &m->wide);
	}
}

static __always_inline __u32 hashed(__u64 bits)
{
	return bits * XW_HASH_FACTOR >> (64 - XW_OCCUPIED_BITS);
}

static __always_inline void classify6(const struct xw_occupied *o, const __u32 *address,
				      struct membership *m)
{
	__u64 high = (__u64)bpf_ntohl(address[0]) << 32 | bpf_ntohl(address[1]);
	struct xw_prefix6 prefix = {.bits = 128};

	__builtin_memcpy(prefix.address, address, 16);
	if (has_bit(o->exact6, hashed(high >> 16)))
		find_exact(&set6, prefix.address, &m->exact);
	if (o->short6 || has_bit(o->prefix6, hashed(high >> 32)))
		find_wide(&set6_prefixes, &prefix, &m->wide);
}

static __always_inline void classify(bool ip4, const __u32 *address, struct membership *m)
{
	__u32 zero = 0;
	const struct xw_occupied *o = bpf_map_lookup_elem(&occupied, &zero);

	if (!o)
		return;
	if (ip4)
		classify4(o, address, m);
	else
		classify6(o, address, m);
}

#endif
