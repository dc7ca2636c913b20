/* SPDX-License-Identifier: GPL-2.0-only */
/* The ABI of the sets, a part of abi.h. */
#ifndef XDPWALL_ABI_SETS_H
#define XDPWALL_ABI_SETS_H

#include <linux/types.h>

#define XW_CLASSES     65536
#define XW_CLASS_STEPS 8 /* moments at which the entries of one address expire */

/* Sets are shared by both generations; which class satisfies which rule is in a generation. */

/* A class is what an address belongs to: sets, some of them for a time. */
struct xw_class {
	__u64 expires; /* CLOCK_BOOTTIME ns; 0 is never */
	__u32 after;   /* the class from then on */
	__u32 pad;
};

/* One generation's rows of a class. */
struct xw_class_rows {
	__u32 src;
	__u32 dst;
};

/* Key of set4_prefixes, in network order. */
struct xw_prefix4 {
	__u32 bits;
	__u8 address[4];
};

/* Value of the sets' tries. */
struct xw_set_prefix {
	__u32 class; /* its own sets and those of every wider prefix */
	__u32 own;
};

/* IPv4 addresses of the sets: class << 32 | address as in packets; from the front, 0 is none. */
#define XW_BUCKET      8
#define XW_BUCKET_GONE 0x8000000000000000ULL /* taken out; the word stays in use */
#define XW_BUCKET_REST 48 /* of the last word, 15 bits: how many had no room here (or more) */

struct xw_bucket {
	__u64 entry[XW_BUCKET];
};

/* Where sets have others, three bitmaps: bit n is bit n & 63 of word n >> 6. IPv4 prefixes by the
 * /24; IPv6 by a hash of the /48 (addresses) or the /32 (prefixes). A bit may be stale; none is
 * ever missing. The word behind them: of which kinds there are any. */
#define XW_OCCUPIED_BITS  24
#define XW_OCCUPIED_WORDS 262144		/* of one bitmap */
#define XW_HASH_FACTOR	  0x9E3779B97F4A7C15ULL /* 2^64 / golden ratio: Knuth, TAOCP 3, 6.4 */
#define XW_KINDS	  3

enum xw_occupied { XW_PREFIX4 = 0, XW_EXACT6, XW_PREFIX6, XW_SHORT6 /* than a /16: no bitmap */ };

#endif
