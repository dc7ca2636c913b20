/* SPDX-License-Identifier: GPL-2.0-only */
/* Look up the row of an address among the prefixes in rules: a table of 16 bits, then blocks of 8
 * bits, then a list of up to XW_CHAIN leaves as soon as few prefixes are left; or, for IPv6, a
 * trie. */
#ifndef XDPWALL_ADDRESS_H
#define XDPWALL_ADDRESS_H

#include <linux/bpf.h>
#include <bpf/bpf_endian.h>
#include <bpf/bpf_helpers.h>

#include "abi.h"
#include "maps.h"
#include "packet.h"
#include "ruleset_shape.h"

/* Entry `low` of the block that `entry` leads to. Added, behind a barrier that keeps clang from an
 * OR: Linux 6.1's verifier loses the bounds of an OR. */
static __always_inline __u32 block_entry(const __u32 *block, __u32 entry, __u32 low)
{
	__u64 first = (__u64)(entry & block_mask) << 8;

	barrier_var(first);
	return block[first + (low & 0xff)];
}

/* Behind a barrier: clang makes the upper half a be16, whose bounds Linux 6.1's verifier does not
 * know. */
static __always_inline __u32 host_order(__u32 word)
{
	__u32 swapped = bpf_ntohl(word);

	barrier_var(swapped);
	return swapped;
}

/* The generation that a packet is matched by. */
struct generation {
	const struct xw_tables *tables;
	struct shape shape;
	__u32 copy;
};

/* Follow the leaves from `entry` to a row: the first prefix that contains the address wins. */
static __always_inline __u32 leaf4_row(const struct xw_leaf4 *all, __u32 entry, __u32 a)
{
	for (int i = 0; i < XW_CHAIN && entry & XW_LEAF; i++) {
		const struct xw_leaf4 *leaf = &all[entry & leaf4_mask];

		entry = (a ^ leaf->address) & leaf->mask ? leaf->outside : leaf->inside;
	}
	return entry;
}

/* Find the rows of both IPv4 addresses, if rules name such. Level by level for both, so that their
 * cache misses overlap; the barriers keep clang from moving one's loads behind the other's
 * branches. */
static __always_inline void address_rows4(const struct generation *g, const struct packet *p,
					  __u32 *src_row, __u32 *dst_row)
{
	const struct shape s = g->shape;
	__u32 a = host_order(p->src[0]), b = host_order(p->dst[0]), src = 0, dst = 0;

	if (has_feature(s, XW_SRC))
		src = g->tables->src4[a >> 16];
	if (has_feature(s, XW_DST))
		dst = g->tables->dst4[b >> 16];
	barrier_var(src);
	barrier_var(dst);
	if ((src | dst) & XW_BLOCK) {
		__u32 copy = g->copy;
		const __u32 *block = bpf_map_lookup_elem(&blocks, &copy);

		if (!block)
			return;
		if (has_feature(s, XW_SRC) && src & XW_BLOCK)
			src = block_entry(block, src, a >> 8);
		if (has_feature(s, XW_DST) && dst & XW_BLOCK)
			dst = block_entry(block, dst, b >> 8);
		barrier_var(src);
		barrier_var(dst);
		if (has_feature(s, XW_SRC) && src & XW_BLOCK)
			src = block_entry(block, src, a);
		if (has_feature(s, XW_DST) && dst & XW_BLOCK)
			dst = block_entry(block, dst, b);
		barrier_var(src);
		barrier_var(dst);
	}
	if ((src | dst) & XW_LEAF) {
		__u32 copy = g->copy;
		const struct xw_leaf4 *all = bpf_map_lookup_elem(&leaves4, &copy);

		if (!all)
			return;
		if (has_feature(s, XW_SRC))
			src = leaf4_row(all, src, a);
		if (has_feature(s, XW_DST))
			dst = leaf4_row(all, dst, b);
	}
	if (has_feature(s, XW_SRC))
		*src_row = src;
	if (has_feature(s, XW_DST))
		*dst_row = dst;
}

static __always_inline __u32 leaf6_row(__u32 copy, __u32 entry, const __u64 *a)
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

/* The row by tables; `first` is indexed by the upper 16 bits. */
static __always_inline __u32 table_row6(const __u32 *first, const struct generation *g,
					const __u32 *address)
{
	__u32 entry = first[host_order(address[0]) >> 16], copy = g->copy;

	if (entry & XW_BLOCK) {
		const __u32 *block = bpf_map_lookup_elem(&blocks, &copy);

		if (!block)
			return 0;
		for (int i = 2; i < 16 && entry & XW_BLOCK; i++)
			entry = block_entry(block, entry, ((const __u8 *)address)[i]);
	}
	if (entry & XW_LEAF)
		return leaf6_row(g->copy, entry, (const __u64 *)address);
	return entry;
}

/* The row by the trie, for prefixes that would need more blocks than the compiler allows. */
static __always_inline __u32 trie_row6(void *trie, const __u32 *address, __u32 otherwise)
{
	struct xw_prefix6 key = {.bits = 128};
	__u32 *row;

	__builtin_memcpy(key.address, address, 16);
	row = bpf_map_lookup_elem(trie, &key);
	return row ? *row : otherwise;
}

static __always_inline __u32 src6_row(const struct generation *g, const __u32 *address)
{
	const struct xw_tables *t = g->tables;

	if (!has_feature(g->shape, XW_TRIES) || !(t->tries & XW_SRC6_TRIE))
		return table_row6(t->src6, g, address);
	return g->copy ? trie_row6(&src6_1, address, t->src6_row)
		       : trie_row6(&src6_0, address, t->src6_row);
}

static __always_inline __u32 dst6_row(const struct generation *g, const __u32 *address)
{
	const struct xw_tables *t = g->tables;

	if (!has_feature(g->shape, XW_TRIES) || !(t->tries & XW_DST6_TRIE))
		return table_row6(t->dst6, g, address);
	return g->copy ? trie_row6(&dst6_1, address, t->dst6_row)
		       : trie_row6(&dst6_0, address, t->dst6_row);
}

/* Find the rows of both IPv6 addresses, if rules name such. */
static __always_inline void address_rows6(const struct generation *g, const struct packet *p,
					  __u32 *src_row, __u32 *dst_row)
{
	const struct shape s = g->shape;

	if (has_feature(s, XW_SRC))
		*src_row = src6_row(g, p->src);
	if (has_feature(s, XW_DST))
		*dst_row = dst6_row(g, p->dst);
}

#endif
