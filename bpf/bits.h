/* SPDX-License-Identifier: GPL-2.0-only */
/* Bit operations that clang 14 lacks for BPF. */
#ifndef XDPWALL_BITS_H
#define XDPWALL_BITS_H

#include <linux/types.h>
#include <bpf/bpf_helpers.h>

/* Leiserson, Prokop and Randall, "Using de Bruijn Sequences to Index a 1 in a Computer Word",
 * 1998. */
static const __u8 bit_of_product[64] = {
    0,	1,  2,	53, 3,	7,  54, 27, 4,	38, 41, 8,  34, 55, 48, 28, 62, 5,  39, 46, 44, 42,
    22, 9,  24, 35, 59, 56, 49, 18, 29, 11, 63, 52, 6,	26, 37, 40, 33, 47, 61, 45, 43, 21,
    23, 58, 17, 10, 51, 25, 36, 32, 60, 20, 57, 16, 50, 31, 19, 15, 30, 14, 13, 12,
};

/* The number of the lowest bit set, as __ffs(); `word` is not 0.
 *
 * Behind a barrier: clang 19 sees that no element of the table is above 63, and drops the masks of
 * callers who index with it; the verifier knows only that each is a byte. In 64 bits, as a loaded
 * byte is: no extension is needed. */
static __always_inline __u32 lowest_bit(__u64 word)
{
	__u64 bit = bit_of_product[((word & -word) * 0x022fdd63cc95386dULL) >> 58];

	barrier_var(bit);
	return bit;
}

#endif
