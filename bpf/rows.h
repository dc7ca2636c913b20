/* SPDX-License-Identifier: GPL-2.0-only */
/* Find the row of each group of fields for a packet (match.h), as row numbers: a composed value is
 * a sum of table entries (struct xw_tables), an address is looked up by address.h and sets.h. */
#ifndef XDPWALL_ROWS_H
#define XDPWALL_ROWS_H

#include <stdbool.h>
#include <linux/bpf.h>
#include <linux/in.h>
#include <linux/in6.h>
#include <bpf/bpf_helpers.h>

#include "abi.h"
#include "address.h"
#include "explain.h"
#include "maps.h"
#include "packet.h"
#include "ruleset_shape.h"
#include "sets.h"

/* The groups of fields. An address has four rows: of the prefixes in rules; of the sets that list
 * it as an address, and by a prefix; and of the rules on `not @set`. */
enum group {
	G_PROTOCOL = 0, /* family, protocol, TCP flags, ICMP type and code, fragment, ethertype */
	G_ATTACHMENT,	/* interface, direction, VLAN */
	G_SIZE,		/* IP length, TTL */
	G_SPORT,
	G_DPORT,
	G_SRC,
	G_SRC_EXACT,
	G_SRC_PREFIX,
	G_SRC_NEGATED,
	G_DST,
	G_DST_EXACT,
	G_DST_PREFIX,
	G_DST_NEGATED,
	GROUPS
};

/* The row of a packet that satisfies no rule. */
#define NO_ROW 0

#define SRC_FEATURES (XW_SRC | XW_SRC_SET)
#define DST_FEATURES (XW_DST | XW_DST_SET)

static __always_inline __u32 protocol_row(const struct xw_tables *t, const struct packet *p)
{
	__u32 row;

	if (p->proto > XW_BYTE_HIDDEN || p->flags > XW_BYTE_HIDDEN || p->icmp > XW_ICMP_HIDDEN)
		return NO_ROW;
	if (p->kind == XW_KIND_IP4) {
		row = t->proto4[p->proto];
		if (p->proto == IPPROTO_TCP)
			row += t->flags[p->flags];
		else if (p->proto == IPPROTO_ICMP)
			row += t->icmp4[p->icmp];
	} else if (p->kind == XW_KIND_IP6) {
		row = t->proto6[p->proto];
		if (p->proto == IPPROTO_TCP)
			row += t->flags[p->flags];
		else if (p->proto == IPPROTO_ICMPV6)
			row += t->icmp6[p->icmp];
	} else if (p->kind == XW_KIND_ETHER) {
		return t->ether_row + t->ether[p->ethertype];
	} else {
		return p->kind == XW_KIND_LLC ? t->llc_row : t->opaque_row;
	}
	return row + (p->fragment & 3) * t->fragment_stride;
}

static __always_inline __u32 attachment_row(const struct xw_tables *t, const struct packet *p)
{
	if (p->vlan > XW_VLAN_HIDDEN)
		return NO_ROW;
	return t->attachment[attachment_number(p) & XW_NUMBER_MASK] + t->vlan[p->vlan];
}

static __always_inline __u32 size_row(const struct xw_tables *t, const struct packet *p)
{
	if (p->length > XW_LENGTH_HIDDEN || p->ttl > XW_BYTE_HIDDEN)
		return NO_ROW;
	return t->size_row + t->length[p->length] + t->ttl[p->ttl];
}

/* The row of a set class (abi_sets.h), for the source or the destination. */
static __always_inline __u32 class_row(__u32 copy, __u32 class, const bool src)
{
	const struct xw_class_rows *all = bpf_map_lookup_elem(&class_rows, &copy);

	if (!all)
		return NO_ROW;
	class &= class_mask;
	return src ? all[class].src : all[class].dst;
}

/* Find the rows of the sets that an address is in. False: all rows of the address are empty. */
static __always_inline bool set_rows(const struct generation *g, const struct packet *p,
				     const bool src, __u32 *row)
{
	const struct xw_tables *t = g->tables;
	const struct shape s = g->shape;
	struct membership m = {};

	if (!has_feature(s, src ? XW_SRC_SET : XW_DST_SET))
		return row[0];
	if (has_feature(s, XW_NEGATED_SET))
		row[3] = src ? t->src_negated : t->dst_negated;
	find_classes(p->kind == XW_KIND_IP4, src ? p->src : p->dst, &m);
	row[1] = row[2] = src ? t->src_unlisted : t->dst_unlisted;
	if (!(m.exact | m.prefix))
		return row[0] | row[1] | (has_feature(s, XW_NEGATED_SET) ? row[3] : 0);
	if (m.exact)
		row[1] = class_row(g->copy, m.exact, src);
	if (m.prefix)
		row[2] = class_row(g->copy, m.prefix, src);
	return true;
}

/* The rows of addresses that cannot be read: src_hidden and dst_hidden alone. The row of rules on
 * `not @set` stands there twice, which cancels it in address_word(). */
static __always_inline void hidden_rows(const struct generation *g, __u32 *row)
{
	const struct xw_tables *t = g->tables;
	const struct shape s = g->shape;

	if (has_feature(s, SRC_FEATURES))
		row[G_SRC] = t->src_hidden;
	if (has_feature(s, DST_FEATURES))
		row[G_DST] = t->dst_hidden;
	if (has_feature(s, XW_NEGATED_SET)) {
		row[G_SRC_EXACT] = row[G_SRC_NEGATED] = t->src_negated;
		row[G_DST_EXACT] = row[G_DST_NEGATED] = t->dst_negated;
	}
}

/* Find the rows of both addresses. False: those of one are all empty. */
static __always_inline bool address_rows(const struct generation *g, const struct packet *p,
					 __u32 *row)
{
	const struct shape s = g->shape;

	if (p->addresses_hidden) {
		hidden_rows(g, row);
		return true;
	}
	if (!has_feature(s, XW_SRC) && has_feature(s, XW_SRC_SET))
		row[G_SRC] = NO_ROW;
	if (!has_feature(s, XW_DST) && has_feature(s, XW_DST_SET))
		row[G_DST] = NO_ROW;
	if (has_feature(s, XW_SRC | XW_DST)) {
		if (p->kind == XW_KIND_IP4)
			address_rows4(g, p, row + G_SRC, row + G_DST);
		else
			address_rows6(g, p, row + G_SRC, row + G_DST);
	}
	if (has_feature(s, SRC_FEATURES) && !set_rows(g, p, true, row + G_SRC))
		return false;
	return !has_feature(s, DST_FEATURES) || set_rows(g, p, false, row + G_DST);
}

static __always_inline void port_rows(const struct generation *g, const struct packet *p,
				      __u32 *row)
{
	const struct xw_tables *t = g->tables;
	const struct shape s = g->shape;
	bool read = p->ports == PORTS_READ;

	if (has_feature(s, XW_SPORT))
		row[G_SPORT] = read ? t->sport_row + t->sport[p->sport] : t->sport_hidden;
	if (has_feature(s, XW_DPORT))
		row[G_DPORT] = read ? t->dport_row + t->dport[p->dport] : t->dport_hidden;
}

/* Find all rows. A group whose fields the packet does not have repeats the protocol's row, which
 * changes no AND. False: no rule matches, by its addresses. */
static __always_inline bool find_rows(const struct generation *g, const struct packet *p,
				      __u32 *row)
{
	const struct xw_tables *t = g->tables;
	const struct shape s = g->shape;
	__u32 protocol = protocol_row(t, p);

	row[G_PROTOCOL] = protocol;
	row[G_ATTACHMENT] = has_feature(s, XW_ATTACHMENT) ? attachment_row(t, p) : protocol;
	row[G_SIZE] = row[G_SPORT] = row[G_DPORT] = row[G_SRC] = row[G_DST] = protocol;
	if (p->kind > XW_KIND_IP6)
		return true;
	if (has_feature(s, XW_SIZE))
		row[G_SIZE] = size_row(t, p);
	if (p->ports != PORTS_NONE)
		port_rows(g, p, row);
	return !has_feature(s, SRC_FEATURES | DST_FEATURES) || address_rows(g, p, row);
}

#endif
