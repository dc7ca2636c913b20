/* SPDX-License-Identifier: GPL-2.0-only */
/* The part of abi.h that is about rates: the buckets of rules and of sources (rates.h). */
#ifndef XDPWALL_ABI_RATES_H
#define XDPWALL_ABI_RATES_H

#include <linux/types.h>

#include "abi_control.h"

/* A bucket is one word: the time at which it will owe nothing, in units of 1/2^30 tick, and in the
 * lowest bits of that the tick in which it was last full (gcra.h). 0 is a full bucket. */
#define XW_TICK_SHIFT 30
#define XW_TICK_MARK  63ULL

#define XW_RATED_RULES 1024 /* rules with a rate that may be enabled */

/* The rate of the rule in a slot, which stays as long as the slot is the rule's: another rate is
 * another match, and takes another slot. */
struct xw_rate {
	__u64 bucket; /* unless sources have buckets of their own */
	__u64 token;  /* what one token takes, in units >> shift */
	__u64 depth;  /* of the bucket, in units: what `burst` tokens take */
	__u32 burst;  /* tokens; a packet that needs more gets none */
	__u8 shift;
	__u8 bytes; /* tokens are bytes, and not packets */
	__u8 bits4; /* of an IPv4 source, that have a bucket; 0: the rule has one bucket */
	__u8 bits6;
	__u64 seed;   /* of the keys of its sources, another one for each rule that the slot had */
	__u64 before; /* packets in `limited` at the last reset, for user space */
	__u64 answered_before; /* the same of its `answered` */
	__u64 pad;
};

/* What a rule did not match for its rate, and which SYNs it answered (cookie.h), on one CPU. */
struct xw_limited {
	__u64 packets;
	__u64 bytes;
	__u64 forgotten; /* sources that still owed something, and whose place this rule's took */
	__u64 answered;
};

/* In the word of a rule, beside abi.h's XW_RULE_...: a SYN that it accepts may be answered
 * (cookie.h) */
#define XW_RULE_COOKIE 0x2000000U

/* What stands behind the last rate. */
struct xw_rates_end {
	__u64 source_factor; /* as in .rodata, for user space */
	/* A bit an attachment, by number: its answers to SYNs arrive (syn_cookie.h). */
	__u64 answering[XW_NUMBER_WORDS];
};

#define XW_SOURCE_PLACES 4

/* The bucket of a source. A cache line has four. */
struct xw_source {
	__u64 key; /* of rule and source */
	__u64 bucket;
};

#endif
