/* SPDX-License-Identifier: GPL-2.0-only */
/* The parsed packet and the verdict on it. */
#ifndef XDPWALL_PACKET_H
#define XDPWALL_PACKET_H

#include <linux/types.h>

/* The verdict on a packet: a set of these bits, 0 for "pass". Functions that may come to no verdict
 * return -1 then. An error passes the packet and is counted. */
enum decision {
	DECISION_DROP = 1 << 0,
	DECISION_BY_POLICY = 1 << 1, /* and not by a rule */
	DECISION_ERROR = 1 << 2,     /* not parsed, or a map lookup failed */
	DECISION_ANSWERED = 1 << 3,  /* passed, as a SYN that is answered (cookie.h) */
};

/* In place of a verdict: a rule with a rate is left to the caller (walk.h). */
#define DECISION_LEFT -2

enum ports { PORTS_NONE = 0, PORTS_READ, PORTS_HIDDEN };

/* In place of `keep`: the flow table has this packet already. */
#define KEPT 2

/* Addresses are in network byte order (IPv4 in the first word), all else in host order. A field
 * that cannot be read holds its XW_..._HIDDEN value (abi.h): such a field satisfies `drop` rules
 * and no `accept` or `count` rule, so hiding a field earns nothing. */
struct packet {
	__u32 src[4];
	__u32 dst[4];
	__u32 length;
	__u32 icmp; /* type << 8 | code */
	__u32 fragment_id;
	__u16 fragment_units; /* IP fragment offset, in units of 8 bytes */
	__u16 sport;
	__u16 dport;
	__u16 proto;
	__u16 flags;
	__u16 ttl;
	__u16 vlan;
	__u16 ethertype;
	__u8 kind;     /* enum xw_kind */
	__u8 fragment; /* enum xw_fragment */
	__u8 ports;    /* enum ports */
	__u8 addresses_hidden;
	__u8 malformed;
	__u8 neighbor_discovery; /* or multicast listener discovery */
	__u8 state;		 /* enum xw_state */
	__u8 keep;		 /* the rule or the policy by which it passes says so; KEPT */
	__u32 packets;		 /* counted for this frame: GSO segments */
	__u32 bytes;
	__u32 slot;	 /* of the deciding rule, + 1; 0: the policy */
	__u32 log;	 /* slot of the first matching rule with XW_RULE_LOG, + 1 */
#ifdef XW_SHARED_PROGRAM /* which has no flows */
	__u32 number;	 /* of the attachment */
#else
	__u16 l4_off; /* of the L4 header in the frame; 0: none. Both only for flows */
	__u16 l4_end; /* of the IP packet or of the frame */
#endif
#ifdef XW_COOKIES_COMPILED
	__u8 cookie; /* the rule by which it passes says so */
#endif
} __attribute__((aligned(8))); /* IPv6 addresses are compared as two u64 */

#endif
