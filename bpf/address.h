/* SPDX-License-Identifier: GPL-2.0-only */
/* An address -> its row: tables of 16 bits, then 8 at a time (xdpwall/addressgroups.py). */
#ifndef XDPWALL_ADDRESS_H
#define XDPWALL_ADDRESS_H

#include <linux/bpf.h>
#include <bpf/bpf_endian.h>
#include <bpf/bpf_helpers.h>

#include "abi.h"
#include "maps.h"
#include "packet.h"
#include "ruleset_shape.h"

/* Entry `low` of a block. Added and not or-ed, behind a barrier since clang knows that it is the
 * same: Linux 6.1's verifier loses the bounds of an or. */
static __always_inline __u32 in_block(const __u32 *block, __u32 entry, __u32 low)
{
	__u64 first = (__u64)(entry & block_mask) << 8;

	barrier_var(first);
	return block[first + (low & 0xff)];
}

/* Behind a barrier: clang makes the upper half of it a be16, whose bounds Linux 6.1's verifier does
 * not know. */
static __always_inline __u32 in_host_order(__u32 word)
{
	__u32 swapped = bpf_ntohl(word);

	barrier_var(swapped);
	return swapped;
}

/* What the address tables of a generation consist of. */
struct levels {
	const struct xw_tables *t;
	struct shape shape;
	__u32 copy;
};

static __always_inline __u32 leaf4_row(const struct xw_leaf4 *all, __u32 entry, __u32 a)
{
	for (int i = 0; i < XW_CHAIN && entry & XW_LEAF; i++) {
		const struct xw_leaf4 *leaf = &all[entry & leaf4_mask];

		entry = (a ^ leaf->address) & leaf->mask ? leaf->outside : leaf->inside;
	}
	return entry;
}

/* Rows of both addresses, of those for which there are tables: 16-8-8 bits, or less where few
 * prefixes are left. Level by level for both, so that one waits for memory while the other
 * does; the barriers keep clang from moving one's reads behind the other's branches. */
static __always_inline void rows4(const struct levels *l, const struct packet *p, __u32 *src_row,
				  __u32 *dst_row)
{
	const struct shape s = l->shape;
	__u32 a = in_host_order(p->src[0]), b = in_host_order(p->dst[0]), src = 0, dst = 0;

	if (with(s, XW_SRC))
		src = l->t->src4[a >> 16];
	if (with(s, XW_DST))
		dst = l->t->dst4[b >> 16];
	barrier_var(src);
	barrier_var(dst);
	if ((src | dst) & XW_BLOCK) {
		__u32 copy = l->copy;
		const __u32 *block = bpf_map_lookup_elem(&blocks, &copy);

		if (!block)
			return;
		if (with(s, XW_SRC) && src & XW_BLOCK)
			src = in_block(block, src, a >> 8);
		if (with(s, XW_DST) && dst & XW_BLOCK)
			dst = in_block(block, dst, b >> 8);
		barrier_var(src);
		barrier_var(dst);
		if (with(s, XW_SRC) && src & XW_BLOCK)
			src = in_block(block, src, a);
		if (with(s, XW_DST) && dst & XW_BLOCK)
			dst = in_block(block, dst, b);
		barrier_var(src);
		barrier_var(dst);
	}
	if ((src | dst) & XW_LEAF) {
		__u32 copy = l->copy;
		const struct xw_leaf4 *all = bpf_map_lookup_elem(&leaves4, &copy);

		if (!all)
			return;
		if (with(s, XW_SRC))
			src = leaf4_row(all, src, a);
		if (with(s, XW_DST))
			dst = leaf4_row(all, dst, b);
	}
	if (with(s, XW_SRC))
		*src_row = src;
	if (with(s, XW_DST))
		*dst_row = dst;
}

static __always_inline __u32 leaf_row(__u32 copy, __u32 entry, const __u64 *a)
{
	const struct xw_leaf *all = bpf_map_lookup_elem(&leaves, &copy);

	if (!all)
		return 0;
	for (int i = 0; i < XW_CHAIN && entry & XW_LEAF; i++) {
		const struct xw_leaf *leaf = &all[entry & leaf_mask];
		__u64 differs;

		differs = ((a[0] ^ leaf->address[0]) & leaf->mask[0]) |
			  ((a[1] ^ leaf->address[1]) & leaf->mask[1]);
		entry = differs ? leaf->outside : leaf->inside;
	}
	return entry;
}

/* 16 bits, then 8 at a time, down to where few prefixes are left. */
static __always_inline __u32 row6(const __u32 *first, const struct levels *l, const __u32 *address)
{
	__u32 entry = first[in_host_order(address[0]) >> 16], copy = l->copy;

	if (entry & XW_BLOCK) {
		const __u32 *block = bpf_map_lookup_elem(&blocks, &copy);

		if (!block)
			return 0;
		for (int i = 2; i < 16 && entry & XW_BLOCK; i++)
			entry = in_block(block, entry, ((const __u8 *)address)[i]);
	}
	if (entry & XW_LEAF)
		return leaf_row(l->copy, entry, (const __u64 *)address);
	return entry;
}

static __always_inline __u32 trie_row6(void *trie, const __u32 *address, __u32 otherwise)
{
	struct xw_prefix6 key = {.bits = 128};
	__u32 *row;

	__builtin_memcpy(key.address, address, 16);
	row = bpf_map_lookup_elem(trie, &key);
	return row ? *row : otherwise;
}

static __always_inline __u32 src6_row(const struct levels *l, const __u32 *address)
{
	const struct xw_tables *t = l->t;

	if (!with(l->shape, XW_TRIES) || !(t->tries & XW_SRC6_TRIE))
		return row6(t->src6, l, address);
	return l->copy ? trie_row6(&src6_1, address, t->src6_row)
		       : trie_row6(&src6_0, address, t->src6_row);
}

static __always_inline __u32 dst6_row(const struct levels *l, const __u32 *address)
{
	const struct xw_tables *t = l->t;

	if (!with(l->shape, XW_TRIES) || !(t->tries & XW_DST6_TRIE))
		return row6(t->dst6, l, address);
	return l->copy ? trie_row6(&dst6_1, address, t->dst6_row)
		       : trie_row6(&dst6_0, address, t->dst6_row);
}

static __always_inline void rows6(const struct levels *l, const struct packet *p, __u32 *src_row,
				  __u32 *dst_row)
{
	const struct shape s = l->shape;

	if (with(s, XW_SRC))
		*src_row = src6_row(l, p->src);
	if (with(s, XW_DST))
		*dst_row = dst6_row(l, p->dst);
}

#endif
