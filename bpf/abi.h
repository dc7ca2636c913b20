/* SPDX-License-Identifier: GPL-2.0-only */
/* The ABI between the programs and user space (xdpwall/abi.py): map keys and values, limits,
 * flags. tests/packets/test_abi.py compares both sides, by the objects' BTF. */
#ifndef XDPWALL_ABI_H
#define XDPWALL_ABI_H

#include <linux/types.h>

#include "abi_control.h"
#include "abi_flows.h"
#include "abi_rates.h"
#include "abi_sets.h"

#define XW_SLOTS       32768 /* of rules and counters: 16,384 rules, and deleted ones for a while */
#define XW_ATTACHMENTS 1024  /* attachments with a program of their own, by number */
#define XW_MEMBERS     1024  /* attachments of shared programs: the numbers behind those */
#define XW_UNLISTED    2048  /* of a shared program where `numbers` does not list it; + 1: egress */
#define XW_NUMBERS     2050
#define XW_NUMBER_MASK 4095
#define XW_LENGTHS     65576	      /* IP lengths: 40 + 65,535 is IPv6's longest */
#define XW_FRAGMENTS   16384	      /* datagrams whose first fragment is kept */
#define XW_FRAGMENT_NS 60000000000ULL /* reassembly timeout of RFC 8200 */
#define XW_EXTENSIONS  8	      /* IPv6 extension headers parsed */
#define XW_TAGS	       2	      /* VLAN tags parsed */

/* Values past those of a field: "cannot be read". Tables have an element for them. */
#define XW_BYTE_HIDDEN	 256
#define XW_ICMP_HIDDEN	 65536
#define XW_LENGTH_HIDDEN XW_LENGTHS
#define XW_VLAN_NONE	 4096 /* untagged */
#define XW_VLAN_HIDDEN	 4097

enum xw_action { XW_COUNT = 0, XW_ACCEPT = 1, XW_DROP = 2 };

/* A rule, by generation and position: slot, action and flags. Just 4 bytes, as every packet that
 * matches waits for this cache line. */
#define XW_RULE_SLOT	0x7fffU
#define XW_RULE_ACTION	16	    /* first bit of enum xw_action */
#define XW_RULE_LIMIT	0x10000000U /* matches while its rate has tokens (abi_rates.h) */
#define XW_RULE_OVER	0x20000000U /* matches once its rate has none */
#define XW_RULE_EXPIRES 0x40000000U /* at the time in the map `expiries` */
#define XW_RULE_LOG	0x80000000U /* packets that match are reported */

enum xw_fragment { XW_FRAG_NONE = 0, XW_FRAG_FIRST, XW_FRAG_LATER, XW_FRAG_HIDDEN };

/* What is kept of a first fragment (fragment.h). */
struct xw_first_fragment {
	__u64 seen; /* CLOCK_MONOTONIC ns */
	__u32 icmp;
	__u16 proto;
	__u16 flags;
	__u16 sport;
	__u16 dport;
	__u32 ports; /* enum ports */
};

/* The kind of frame. OPAQUE: a VLAN tag is cut off, or there are more than XW_TAGS. */
enum xw_kind { XW_KIND_IP4 = 0, XW_KIND_IP6, XW_KIND_ETHER, XW_KIND_LLC, XW_KIND_OPAQUE };

/* Features of a ruleset. Those of a program (`features` in .rodata) include at least those of the
 * generation in force; the verifier removes the code of all others. */
enum xw_feature {
	XW_ATTACHMENT = 1 << 0, /* iface, direction, vlan */
	XW_SIZE = 1 << 1,	/* length, ttl */
	XW_SRC = 1 << 2,	/* prefixes in rules */
	XW_DST = 1 << 3,
	XW_SPORT = 1 << 4,
	XW_DPORT = 1 << 5,
	XW_TRIES = 1 << 6, /* struct xw_tables.tries may be set */
	XW_SRC_SET = 1 << 7,
	XW_DST_SET = 1 << 8,
	XW_NEGATED_SET = 1 << 9,
	XW_TIMED_SET = 1 << 10,
	XW_RULES = 1 << 11,
	XW_COUNTING = 1 << 12, /* a matching rule may not decide: `count`, expiry or a rate */
	XW_EXPIRING = 1 << 13,
	XW_RATES = 1 << 16,   /* `limit` and `over` */
	XW_FLOWS = 1 << 17,   /* `state` and `keep` */
	XW_COOKIES = 1 << 18, /* `cookie` */
};

/* Bits of struct xw_tables.tries: IPv6 prefixes are in tries, as their blocks would take more than
 * the compiler allows (16 MiB). */
#define XW_SRC6_TRIE 1
#define XW_DST6_TRIE 2

enum xw_policy {
	XW_POLICY_DROP_INGRESS = 1 << 0,
	XW_POLICY_DROP_EGRESS = 1 << 1,
	XW_POLICY_DROP_NON_IP = 1 << 2,
	XW_POLICY_DROP_ND = 1 << 3,
	XW_POLICY_KEEP_INGRESS = 1 << 4,
	XW_POLICY_KEEP_EGRESS = 1 << 5,
};

/* An entry of src4, dst4, src6, dst6 or a block is a row number; or with XW_BLOCK the number of the
 * block for the next 8 bits; or with XW_LEAF the number of a leaf, a prefix to compare. */
#define XW_BLOCK 0x80000000U
#define XW_LEAF	 0x40000000U
#define XW_CHAIN 4 /* leaves compared for one address at most, the longest prefix first */

/* The first-level tables of a generation. They lead to row numbers; composed values are sums:
 *   protocol   = proto4|proto6[proto] (+ flags[] or icmp4|icmp6[]) + fragment * fragment_stride
 *   attachment = attachment[number] + vlan[]
 *   size       = size_row + length[] + ttl[]
 */
struct xw_tables {
	__u32 policy;
	__u32 tries;
	__u32 fragment_stride;
	__u32 size_row;
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
	__u32 attachment[XW_NUMBER_MASK + 1];
	__u32 state[XW_STATES]; /* the rows of enum xw_state; UNASKED: of all rules */
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

/* A row is a bit vector: the rules that a packet satisfies by one group of fields, one bit a
 * position.
 *
 * Positions fall into at most 64 segments, of one word or four, and rules into patterns, by which
 * of two fields they leave open. Summaries are kept for each pattern: otherwise a packet that
 * satisfies many rules by its source, and many others by its destination, would be led to all their
 * words.
 *
 *   64 positions       the word
 *   128 to 1,024       a summary (bit 16 * p + s: pattern p, segment s), then the words
 *   2,048 and more     packed, struct xw_row
 */
#define XW_PATTERNS   4
#define XW_AGGREGATES 4
#define XW_PATCHES    6

struct xw_row {
	__u64 segments[XW_PATTERNS];	 /* bit s: the pattern has a rule in segment s */
	__u64 aggregates[XW_AGGREGATES]; /* bit i of number j: word 64 * j + i is not zero */
	__u8 which[XW_PATCHES];		 /* indexes of the words that differ ... */
	__u16 whole;			 /* ... from this row of `whole_rows` */
	__u64 patch[XW_PATCHES];	 /* values of the words in `which` */
	__u64 pad;
};

/* A leaf: an IPv6 prefix in network byte order, the row for addresses inside, the entry (a row or
 * the next leaf) for all others. */
struct xw_leaf {
	__u64 address[2];
	__u64 mask[2];
	__u32 inside;
	__u32 outside;
};

/* A leaf with an IPv4 prefix in host order. */
struct xw_leaf4 {
	__u32 address;
	__u32 mask;
	__u32 inside;
	__u32 outside;
};

struct xw_count {
	__u64 packets;
	__u64 bytes;
};

/* Totals of an attachment on one CPU. All packets are passed + dropped; the rest are parts of
 * these. */
struct xw_totals {
	struct xw_count passed;
	struct xw_count dropped;
	struct xw_count policy_dropped;
	struct xw_count malformed;
	struct xw_count errors;
};

/* Packet events (events.h). */
#define XW_EVENT_RING	(256 * 1024)
#define XW_EVENT_BYTES	256  /* of the frame in a record, at most */
#define XW_EVENT_LIMITS 1024 /* rate limits; rules share one by slot % 1024 */

struct xw_event_settings {
	__u32 log_drops; /* report every drop, not just rules with XW_RULE_LOG */
	__u32 chance;	 /* sampling: one event in 2^32 / (chance + 1); ~0: all */
	__u32 rate;	 /* events of one rule on one CPU in a `second` */
	__u32 second;	 /* in jiffies */
	__u32 bytes;	 /* of the frame in a record; the Ethernet header at least */
	__u32 enabled;	 /* 0: no events, whatever the control word says for taps */
	__u32 tapped;	 /* a tap is in use */
};

#define XW_TAPS	   4 /* processes that trace at once */
#define XW_TAP_ANY 0xffffffffU
#define XW_TAP_ALL 0xffffffffU /* of kinds: no filter */

/* The drops that one tracing process asks for: those that pass all fields. */
struct xw_tap {
	__u64 lost; /* records for which its ring had no room */
	__u32 in_use;
	__u32 kinds; /* bits of enum xw_kind (IP4, IP6), or XW_TAP_ALL: every drop */
	__u32 proto; /* or XW_TAP_ANY */
	__u32 dport; /* or XW_TAP_ANY */
	__u32 src[4];
	__u32 src_mask[4];
	__u32 dst[4];
	__u32 dst_mask[4];
};

/* In packets, one element a CPU. */
struct xw_event_counts {
	__u64 sent;
	__u64 lost; /* the ring buffer was full */
	__u64 sampled;
};

/* The rate limit of a rule on one CPU. */
struct xw_event_limit {
	__u32 start;   /* of the current second, in jiffies */
	__u32 sent;    /* events in it */
	__u64 limited; /* packets over the rate, since the map was created */
};

/* A record: struct packet after classification, then the first `captured` bytes of the frame. */
struct xw_event {
	__u64 time; /* CLOCK_BOOTTIME ns */
	__u64 revision;
	__u32 number; /* of the attachment */
	__u32 slot;   /* of the deciding rule, + 1; 0: the policy */
	__u32 log;    /* slot of the first matching rule with `log`, + 1; 0: none */
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
	__u8 state; /* enum xw_state */
	__u8 pad[5];
	__u8 data[XW_EVENT_BYTES];
};

#endif
