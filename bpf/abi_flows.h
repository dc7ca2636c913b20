/* SPDX-License-Identifier: GPL-2.0-only */
/* The ABI of flows: the flow tables, which user space lists and flushes by mapping them, and the
 * state of a packet (flow.h). */
#ifndef XDPWALL_ABI_FLOWS_H
#define XDPWALL_ABI_FLOWS_H

#include <linux/types.h>

/* The state of a packet. A rule with `state` has a bit for each that it names, from XW_RULE_STATE
 * on; no packet is anything else once it was asked. */
enum xw_state {
	XW_STATE_UNASKED = 0, /* no rule wanted to know */
	XW_STATE_NEW,
	XW_STATE_ESTABLISHED,
	XW_STATE_RELATED,
	XW_STATE_INVALID,
	XW_STATE_UNTRACKED,
	XW_STATE_HIDDEN, /* cannot be read: satisfies `drop` rules only */
};

#define XW_STATES 8 /* rows by state (struct xw_tables): a power of two above all */

/* In the word of a rule, beside abi.h's XW_RULE_... */
#define XW_RULE_STATE	  0xf80000U /* one bit for each enum xw_state from NEW on; 0: any */
#define XW_RULE_STATE_BIT 19
#define XW_RULE_KEEP	  0x1000000U /* packets that pass by it make a flow */

/* An index word: a tag of 16 bits, and the deadline's lower 16 bits. 0 is a free place. A bucket is
 * one cache line of words, so that a lookup that finds nothing costs one miss. */
#define XW_FLOW_BUCKET	16
#define XW_FLOW_CLAIMED 1 /* a tag: the place is being written */
#define XW_FLOW_TAGS	2 /* the first tag of a flow */
#define XW_FLOW_LAYOUT	1 /* version of all that is here; in the index, behind the buckets */

/* In `ports_meta`: the ports of both endpoints, the slot of the rule that made it + 1 (0: a policy
 * did), XW_FLOW_... and the protocol. One word, which is compared and exchanged as one: a place
 * that meanwhile went to another flow is not changed. */
#define XW_FLOW_PORT0	  48
#define XW_FLOW_PORT1	  32
#define XW_FLOW_SLOT	  16
#define XW_FLOW_FLAGS	  8
#define XW_FLOW_ORIGIN	  1 /* endpoint 1 sent the packet that made it, else endpoint 0 */
#define XW_FLOW_REPLIED	  2 /* a packet of the other endpoint passed */
#define XW_FLOW_FIN0	  4 /* endpoint 0 sent a FIN */
#define XW_FLOW_FIN1	  8 /* endpoint 1 did */
#define XW_FLOW_RESET	  16
#define XW_FLOW_ASSURED	  32  /* both endpoints take part, as far as can be told */
#define XW_FLOW_PICKED_UP 64  /* made by a packet in the middle of a connection */
#define XW_FLOW_SYN_ACK	  128 /* `number` is what an ACK must have at least */

/* What both families have. */
struct xw_flow_rest {
	__u64 ports_meta;
	__u32 zone;	/* an interface's number, for link-local addresses; XW_FLOW_ASKER1 */
	__u32 deadline; /* the first tick at which it is over, - 1; all 32 bits */
	__u32 number;	/* the SYN-ACK's number + 1 while not assured, else the tick it was made */
	__u32 packets;
};

#define XW_FLOW_ASKER1 0x80000000U /* of an echo: endpoint 1 asks */

struct xw_flow4 {
	__u64 addresses; /* endpoint 0's in the upper half, both in host order */
	struct xw_flow_rest rest;
};

struct xw_flow6 {
	__u64 addresses[4]; /* endpoint 0's, endpoint 1's, as they lie in a packet */
	struct xw_flow_rest rest;
	__u64 pad;
};

/* Timeouts, in ticks (jiffies >> flow_shift). */
enum xw_timeout {
	XW_TIMEOUT_TCP_NEW = 0,
	XW_TIMEOUT_TCP_ONE_SIDE,
	XW_TIMEOUT_TCP,
	XW_TIMEOUT_TCP_FIN,
	XW_TIMEOUT_TCP_FINS,
	XW_TIMEOUT_TCP_RESET,
	XW_TIMEOUT_UDP,
	XW_TIMEOUT_UDP_REPLIED,
	XW_TIMEOUT_ICMP,
	XW_TIMEOUT_OTHER,
	XW_TIMEOUTS,
};

struct xw_timeouts {
	__u32 ticks[XW_TIMEOUTS];
};

/* Since the maps were made, one element a CPU. */
struct xw_flow_counts {
	__u64 made;
	__u64 evicted_tcp;
	__u64 evicted_udp;
	__u64 evicted_icmp;
	__u64 evicted_other;
	__u64 lost;	 /* two CPUs wanted one place */
	__u64 by_socket; /* made since a socket was past its handshake */
	__u64 invalid;	 /* packets */
};

#endif
