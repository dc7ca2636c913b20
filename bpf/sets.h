/* SPDX-License-Identifier: GPL-2.0-only */
/* An address -> the classes of the sets that it is in, and their rows.
 *
 * An exact entry and the longest prefix are looked up apart and their rows or-ed, so that one more
 * prefix changes no exact entry. Bitmaps in front let nearly every address outside skip both.
 */
#ifndef XDPWALL_SETS_H
#define XDPWALL_SETS_H

#include <stdbool.h>
#include <linux/bpf.h>
#include <bpf/bpf_endian.h>
#include <bpf/bpf_helpers.h>

#include "abi.h"
#include "maps.h"

struct membership {
	__u32 exact;
	__u32 wide;
};

/* The class that counts now. */
static __always_inline __u32 unexpired(__u32 class)
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

/* `word` of the map, bit & 63 of it. */
static __always_inline bool is_set(__u32 word, __u32 bit)
{
	const __u64 *bits = bpf_map_lookup_elem(&occupied, &word);

	return bits && *bits >> (bit & 63) & 1;
}

static __always_inline bool has(const enum xw_occupied kind)
{
	return is_set(XW_KINDS * XW_OCCUPIED_WORDS, kind);
}

static __always_inline bool is_occupied(const enum xw_occupied kind, __u32 bit)
{
	return has(kind) && is_set(kind * XW_OCCUPIED_WORDS + (bit >> 6), bit);
}

static __always_inline __u32 one_look(void *set, const __u32 *address)
{
	const volatile __u32 *found = bpf_map_lookup_elem(set, address);

	return found ? *found : 0;
}

/* An address's class in a hash of the kernel, which gives an element that is freed to another key
 * at once: a look may meet it half changed and find nothing, or read the other one's class. So two
 * in a row have to agree, which they do unless the entry is changed again and again. */
static __always_inline __u32 class_in(void *set, const __u32 *address)
{
	__u32 class = one_look(set, address);

#pragma unroll
	for (int i = 0; i < 3; i++) {
		__u32 again = one_look(set, address);

		if (again == class)
			break;
		class = again;
	}
	return class;
}

/* `bits` are all of the address's. IPv4's key is the beginning of IPv6's: one place on a stack that
 * the parser shares. */
static __always_inline void find_wide(void *set, const __u32 *address, __u32 bits, __u32 *class)
{
	struct xw_prefix6 key = {.bits = bits};
	const struct xw_set_prefix *found;

	__builtin_memcpy(key.address, address, 16);
	found = bpf_map_lookup_elem(set, &key);
	if (found)
		*class = unexpired(found->class);
}

/* The address's class, 0 when it is in no bucket and not among the rest. */
static __always_inline __u32 find_exact4(const __u32 *address)
{
	__u32 zero = 0;
	const struct xw_bucket *bucket = bpf_map_lookup_elem(&set4, &zero);
	__u64 entry = 0;

	if (!bucket)
		return 0;
	bucket += *address * XW_HASH_FACTOR >> 32 & bucket_mask;
#pragma unroll
	for (int i = 0; i < XW_BUCKET; i++) {
		entry = *(volatile const __u64 *)&bucket->entry[i];
		if ((__u32)entry == *address)
			return (__u16)(entry >> 32);
		if (!entry)
			return 0;
	}
	if (!(entry << 1 >> (XW_BUCKET_REST + 1))) /* all but the mark above it */
		return 0;
	return class_in(&set4_rest, address);
}

static __always_inline void classify4(const __u32 *address, struct membership *m)
{
	__u32 bit = bpf_ntohl(*address) >> 8;

	m->exact = unexpired(find_exact4(address));
	if (is_occupied(XW_PREFIX4, bit))
		find_wide(&set4_prefixes, address, 32, &m->wide);
}

static __always_inline __u32 hashed(__u64 bits)
{
	return bits * XW_HASH_FACTOR >> (64 - XW_OCCUPIED_BITS);
}

static __always_inline void classify6(const __u32 *address, struct membership *m)
{
	__u64 high = (__u64)bpf_ntohl(address[0]) << 32 | bpf_ntohl(address[1]);

	if (is_occupied(XW_EXACT6, hashed(high >> 16)))
		m->exact = unexpired(class_in(&set6, address));
	if (is_occupied(XW_PREFIX6, hashed(high >> 32)) || has(XW_SHORT6))
		find_wide(&set6_prefixes, address, 128, &m->wide);
}

static __always_inline void classify(bool ip4, const __u32 *address, struct membership *m)
{
	if (ip4)
		classify4(address, m);
	else
		classify6(address, m);
}

#endif
