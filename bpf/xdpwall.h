/* SPDX-License-Identifier: GPL-2.0-only */
/* The ABI between the programs and xdpwall/layout.py: keys, values, limits, flags. A test compares
 * layout.py with this file by the object's BTF. */
#ifndef XDPWALL_H
#define XDPWALL_H

#include <linux/types.h>

#define XW_SLOTS 20480	    /* counters: 16,384 rules and those that leave */
#define XW_ATTACHMENTS 64   /* numbers of attachments */
#define XW_LENGTHS 65576    /* IP lengths: 40 + 65,535 is IPv6's longest */
#define XW_VLAN_NONE 4096   /* index of "untagged" */
#define XW_VLAN_HIDDEN 4097 /* index of "cannot be read" */
#define XW_FRAGMENTS 65536  /* datagrams remembered */
#define XW_FRAGMENT_NS 60000000000ULL
#define XW_EXTENSIONS 8 /* IPv6 extension headers stepped over */
#define XW_TAGS 2

/* The control word, one u64 that a packet reads once. */
#define XW_CONTROL_COPY 1ULL
#define XW_CONTROL_OFF 2ULL
#define XW_CONTROL_REVISION_SHIFT 8

/* Which of a generation's fields are used (struct xw_tables.used). */
enum xw_used {
	XW_USED_SMALL2 = 1 << 0, /* iface, direction, vlan */
	XW_USED_SMALL3 = 1 << 1, /* length, ttl */
	XW_USED_SRC = 1 << 2,
	XW_USED_DST = 1 << 3,
	XW_USED_SPORT = 1 << 4,
	XW_USED_DPORT = 1 << 5,
};

enum xw_action { XW_COUNT = 0, XW_ACCEPT = 1, XW_DROP = 2 };

enum xw_fragment { XW_FRAG_NONE = 0, XW_FRAG_FIRST, XW_FRAG_LATER, XW_FRAG_HIDDEN };

/* Policy bits (struct xw_tables.policy). */
enum xw_policy {
	XW_POLICY_DROP_INGRESS = 1 << 0,
	XW_POLICY_DROP_EGRESS = 1 << 1,
	XW_POLICY_DROP_NON_IP = 1 << 2,
	XW_POLICY_JUDGE_ND = 1 << 3,
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

/* A rule in the kernel, indexed by position. */
struct xw_rule {
	__u32 slot;
	__u32 action;
	__u64 expires; /* CLOCK_BOOTTIME ns; 0 is never */
};

#endif
