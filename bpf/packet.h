/* SPDX-License-Identifier: GPL-2.0-only */
/* A packet as the classifier sees it. */
#ifndef XDPWALL_PACKET_H
#define XDPWALL_PACKET_H

#include <linux/types.h>

enum decision {
	DECISION_DROP = 1 << 0,
	DECISION_BY_POLICY = 1 << 1,
	DECISION_ERROR = 1 << 2,
};

enum ports { PORTS_NONE = 0, PORTS_READ, PORTS_HIDDEN };

/* Addresses in network order (IPv4 in the first word), everything else in host order. A field
 * that cannot be read holds its HIDDEN index. Zeroed by the entry. */
struct packet {
	__u32 src[4];
	__u32 dst[4];
	__u32 length;
	__u32 icmp; /* type << 8 | code */
	__u32 fragment_id;
	__u16 fragment_units; /* its place in the datagram, in 8 bytes */
	__u16 sport;
	__u16 dport;
	__u16 proto;
	__u16 flags;
	__u16 ttl;
	__u16 vlan;
	__u16 ethertype;
	__u8 kind;
	__u8 fragment;
	__u8 ports;
	__u8 addresses_hidden;
	__u8 malformed;
	__u8 neighbor_discovery;
	__u32 packets; /* what it counts for */
	__u32 bytes;
	__u32 slot;	       /* of the rule that decided, + 1 */
	__u32 log;	       /* of the first matching rule with XW_RULE_LOG, + 1 */
} __attribute__((aligned(8))); /* an IPv6 address is compared as two u64 */

#endif
