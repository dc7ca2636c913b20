/* SPDX-License-Identifier: GPL-2.0-only */
/* The part of abi.h that is about sets, which both generations share. */
#ifndef XDPWALL_ABI_SETS_H
#define XDPWALL_ABI_SETS_H

#include <linux/types.h>

#define XW_CLASSES     65536
#define XW_CLASS_STEPS 8 /* times at which entries of one address may expire */

/* A class: a combination of sets, some of them until a time, that addresses belong to. */
struct xw_class {
	__u64 expires; /* CLOCK_BOOTTIME ns; 0: never */
	__u32 after;   /* the class from then on */
	__u32 pad;
};

/* The rows of a class in a generation: the rules that its sets satisfy. */
struct xw_class_rows {
	__u32 src;
	__u32 dst;
};

/* LPM key of set4_prefixes. */
struct xw_prefix4 {
	__u32 bits;
	__u8 address[4]; /* network byte order */
};

/* LPM key of IPv6 prefixes. */
struct xw_prefix6 {
	__u32 bits;
	__u8 address[16];
};

/* Value of the sets' tries. */
struct xw_set_prefix {
	__u32 class; /* of the prefix's own sets and those of all wider prefixes */
	__u32 own;   /* of its own sets alone, for user space */
};

/* A bucket of set4. An entry: class << 32 | address in network byte order. The first 0 is the end.
 */
#define XW_BUCKET      8
#define XW_BUCKET_GONE 0x8000000000000000ULL /* deleted; the word stays in use */
#define XW_BUCKET_REST 48 /* bits 48 to 62 of the last word: how many overflowed, or more */

struct xw_bucket {
	__u64 entry[XW_BUCKET];
};

/* Three bitmaps in front of the maps of other entries: IPv4 prefixes by /24; IPv6 addresses by a
 * hash of the /48; IPv6 prefixes by a hash of the /32. Bit n is bit n & 63 of word n >> 6. A set
 * bit may be stale; none is ever missing. The word behind the bitmaps has a bit for each kind in
 * use. */
#define XW_OCCUPIED_BITS  24
#define XW_OCCUPIED_WORDS 262144		/* of one bitmap */
#define XW_HASH_FACTOR	  0x9E3779B97F4A7C15ULL /* 2^64 / golden ratio: Knuth, TAOCP 3, 6.4 */
#define XW_KINDS	  3

enum xw_occupied { XW_PREFIX4 = 0, XW_EXACT6, XW_PREFIX6, XW_SHORT6 /* than a /16: no bitmap */ };

#endif
