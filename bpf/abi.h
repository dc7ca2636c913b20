/* SPDX-License-Identifier: GPL-2.0-only */
/* The ABI between the programs and xdpwall/layout.py: keys, values, limits, flags. A test compares
 * layout.py with this file by the object's BTF. */
#ifndef XDPWALL_ABI_H
#define XDPWALL_ABI_H

#include <linux/types.h>

#include "abi_sets.h"

#define XW_SLOTS       32768 /* counters: 16,384 rules and those that are leaving */
#define XW_ATTACHMENTS 64    /* numbers of attachments */
#define XW_LENGTHS     65576 /* IP lengths: 40 + 65,535 is IPv6's longest */
#define XW_FRAGMENTS   16384 /* datagrams remembered */
#define XW_FRAGMENT_NS 60000000000ULL
#define XW_EXTENSIONS  8 /* IPv6 extension headers stepped over */
#define XW_TAGS	       2 /* VLAN tags stepped over */

/* Indexes past a field's values that mean "cannot be read". */
#define XW_BYTE_HIDDEN	 256
#define XW_ICMP_HIDDEN	 65536
#define XW_LENGTH_HIDDEN XW_LENGTHS
#define XW_VLAN_NONE	 4096 /* untagged */
#define XW_VLAN_HIDDEN	 4097

/* The control word, one u64 that a packet reads once. */
#define XW_CONTROL_COPY		  1ULL
#define XW_CONTROL_OFF		  2ULL
#define XW_CONTROL_EVENTS	  4ULL /* some packets are reported: see event_settings */
#define XW_CONTROL_REVISION_SHIFT 8

/* The second word of the map is not for packets: the features that every program in place has. */
#define XW_CONTROL_WORDS 2

enum xw_action { XW_COUNT = 0, XW_ACCEPT = 1, XW_DROP = 2 };

/* A rule in the kernel, indexed by generation and position: its slot, its action, and what it asks
 * for besides. Four bytes, as each packet that matches waits for its rule. */
#define XW_RULE_SLOT	0x7fffU
#define XW_RULE_ACTION	16	    /* from this bit on, enum xw_action */
#define XW_RULE_EXPIRES 0x40000000U /* see the map `expiries` */
#define XW_RULE_LOG	0x80000000U /* packets that match are reported */

enum xw_fragment { XW_FRAG_NONE = 0, XW_FRAG_FIRST, XW_FRAG_LATER, XW_FRAG_HIDDEN };

/* What a frame turned out to be. OPAQUE: a VLAN tag was cut off, or there were too many. */
enum xw_kind { XW_KIND_IP4 = 0, XW_KIND_IP6, XW_KIND_ETHER, XW_KIND_LLC, XW_KIND_OPAQUE };

/* What a program can judge by (const volatile `features`): at least what the generation in force
 * uses. The verifier takes the rest out. */
enum xw_feature {
	XW_WHERE = 1 << 0,  /* iface, direction, vlan */
	XW_HEADER = 1 << 1, /* length, ttl */
	XW_SRC = 1 << 2,    /* prefixes in rules */
	XW_DST = 1 << 3,
	XW_SPORT = 1 << 4,
	XW_DPORT = 1 << 5,
	XW_TRIES = 1 << 6, /* struct xw_tables.tries may be set */
	XW_SRC_SET = 1 << 7,
	XW_DST_SET = 1 << 8,
	XW_NEGATED_SET = 1 << 9,
	XW_TIMED_SET = 1 << 10,
	XW_RULES = 1 << 11,
	XW_COUNTING = 1 << 12, /* a rule that matches may not decide */
	XW_EXPIRING = 1 << 13,
};

/* struct xw_tables.tries: IPv6 prefixes are in the tries, as their blocks would have passed the
 * compiler's cap. */
#define XW_SRC6_TRIE 1
#define XW_DST6_TRIE 2

enum xw_policy {
	XW_POLICY_DROP_INGRESS = 1 << 0,
	XW_POLICY_DROP_EGRESS = 1 << 1,
	XW_POLICY_DROP_NON_IP = 1 << 2,
	XW_POLICY_JUDGE_ND = 1 << 3,
};

/* An entry of src4, dst4, src6, dst6 or a block: a row; with XW_BLOCK the block of the next 8 bits;
 * with XW_LEAF the one prefix that is left to compare. */
#define XW_BLOCK 0x80000000U
#define XW_LEAF	 0x40000000U
#define XW_CHAIN 4 /* leaves that an address may be led to, one by the other, longest first */

/* One generation's first-level tables. Every value ends in a row number; a composed field is a sum:
 *   what   = proto4|proto6[proto] (+ flags[] or icmp4|icmp6[]) + fragment * fragment_stride
 *   where  = attachment[number] + vlan[]
 *   header = header_row + length[] + ttl[]
 */
struct xw_tables {
	__u32 policy;
	__u32 tries;
	__u32 fragment_stride;
	__u32 header_row;
	__u32 sport_row;
	__u32 dport_row;
	__u32 ether_row;
	__u32 llc_row;
	__u32 opaque_row;
	__u32 src6_row; /* no prefix matches */
	__u32 dst6_row;
	__u32 src_hidden;
	__u32 dst_hidden;
	__u32 sport_hidden;
	__u32 dport_hidden;
	__u32 src_unlisted; /* in no set */
	__u32 dst_unlisted;
	__u32 src_negated; /* rules on `not @set` */
	__u32 dst_negated;
	__u32 attachment[XW_ATTACHMENTS];
	__u32 proto4[XW_BYTE_HIDDEN + 1];
	__u32 proto6[XW_BYTE_HIDDEN + 1];
	__u16 flags[XW_BYTE_HIDDEN + 1];
	__u16 ttl[XW_BYTE_HIDDEN + 1];
	__u16 vlan[XW_VLAN_HIDDEN + 1];
	__u16 icmp4[XW_ICMP_HIDDEN + 2];
	__u16 icmp6[XW_ICMP_HIDDEN + 2];
	__u16 length[XW_LENGTHS + 2];
	__u16 ether[65536];
	__u16 sport[65536];
	__u16 dport[65536];
	__u32 src4[65536];
	__u32 dst4[65536];
	__u32 src6[65536];
	__u32 dst6[65536];
};

/* A row says which rules a packet satisfies by some of its fields, one bit a position. Positions
 * fall into at most 64 segments, and rules into patterns by what they leave open, so that a packet
 * that satisfies many of one pattern by one field and many of another by another field is not led
 * to all their words. Of 64 positions, a row is one word. Up to 1,024, a word is a segment, and a
 * row is a u64, its bit 16 * p + s about pattern p and segment s, and its words. From 2,048 on it
 * is packed: */
#define XW_PATTERNS   4
#define XW_AGGREGATES 4
#define XW_PATCHES    6

struct xw_row {
	__u64 segments[XW_PATTERNS];	 /* bit s: some rule of the pattern in segment s */
	__u64 aggregates[XW_AGGREGATES]; /* bit i of number j: word 64 * j + i is not zero */
	__u8 which[XW_PATCHES];		 /* the words that differ from ... */
	__u16 whole;			 /* ... those of this whole row */
	__u64 patch[XW_PATCHES];
	__u64 pad;
};

/* An IPv6 prefix, in network order, the row of addresses inside, and an entry for the others. */
struct xw_leaf {
	__u64 address[2];
	__u64 mask[2];
	__u32 inside;
	__u32 outside;
};

/* Likewise an IPv4 prefix, in host order. */
struct xw_leaf4 {
	__u32 address;
	__u32 mask;
	__u32 inside;
	__u32 outside;
};

/* Key of the IPv6 prefix tries; the value is a row, __u32. */
struct xw_prefix6 {
	__u32 bits;
	__u8 address[16];
};

struct xw_count {
	__u64 packets;
	__u64 bytes;
};

/* One per attachment and CPU. seen is passed + dropped. */
struct xw_totals {
	struct xw_count passed;
	struct xw_count dropped;
	struct xw_count policy_dropped;
	struct xw_count malformed;
	struct xw_count errors;
};

/* Events: records of single packets. */
#define XW_EVENT_RING	(256 * 1024)
#define XW_EVENT_BYTES	256  /* of a frame, at most, in a record */
#define XW_EVENT_LIMITS 1024 /* rules whose rates are limited apart from each other's */

struct xw_event_settings {
	__u32 log_drops; /* report each drop, not only by rules with XW_RULE_LOG */
	__u32 chance;	 /* one event in (2^32 / (chance + 1)) is reported; ~0 is each */
	__u32 rate;	 /* events of one rule on one CPU within `second` */
	__u32 second;	 /* in jiffies */
	__u32 bytes;	 /* of the frame in a record; never less than its Ethernet header */
	__u32 enabled;	 /* 0: no events; the control word may say that there are, for taps */
	__u32 tapped;	 /* some tap is in use */
};

#define XW_TAPS	   4 /* processes that trace at once */
#define XW_TAP_ANY 0xffffffffU
#define XW_TAP_ALL 0xffffffffU /* of kinds: whatever it is */

/* What one process that traces wants to see of our drops. */
struct xw_tap {
	__u64 lost; /* records for which its ring had no room */
	__u32 in_use;
	__u32 kinds; /* bits of enum xw_kind, IP4 and IP6 only; or XW_TAP_ALL: each drop */
	__u32 proto; /* or XW_TAP_ANY */
	__u32 dport; /* or XW_TAP_ANY */
	__u32 src[4];
	__u32 src_mask[4];
	__u32 dst[4];
	__u32 dst_mask[4];
};

/* In packets, one per CPU. */
struct xw_event_counts {
	__u64 sent;
	__u64 lost; /* the ring buffer was full */
	__u64 sampled;
};

/* One rule's share of a second. */
struct xw_event_limit {
	__u32 start;   /* of the second, in jiffies */
	__u32 sent;    /* within it */
	__u64 limited; /* packets over the rate, since the maps were made */
};

/* One record: struct packet as judged, and the frame's first `captured` bytes, which end it. */
struct xw_event {
	__u64 time; /* CLOCK_BOOTTIME ns */
	__u64 revision;
	__u32 number; /* of the attachment */
	__u32 slot;   /* of the rule that decided, + 1; 0 is the policy */
	__u32 log;    /* of the first matching rule with `log`, + 1; 0 is none */
	__u32 packets;
	__u32 bytes;
	__u32 length;
	__u32 icmp;
	__u32 src[4];
	__u32 dst[4];
	__u16 sport;
	__u16 dport;
	__u16 proto;
	__u16 flags;
	__u16 ttl;
	__u16 vlan;
	__u16 ethertype;
	__u16 captured;
	__u8 kind;
	__u8 fragment;
	__u8 ports;
	__u8 addresses_hidden;
	__u8 malformed;
	__u8 decision;
	__u8 pad[6];
	__u8 data[XW_EVENT_BYTES];
};

#endif
