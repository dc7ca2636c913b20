/* SPDX-License-Identifier: GPL-2.0-only */
/* struct packet -> a row for each group of fields. */
#ifndef XDPWALL_ROWS_H
#define XDPWALL_ROWS_H

#include <stdbool.h>
#include <linux/bpf.h>
#include <bpf/bpf_helpers.h>

#include "abi.h"
#include "address.h"
#include "maps.h"
#include "packet.h"
#include "ruleset_shape.h"
#include "sets.h"

/* An address has four: of the rules' own prefixes; of the sets that it is in, exactly and by a
 * prefix; and the rules on `not @set`. */
enum group {
	G_WHAT = 0,
	G_WHERE,
	G_HEADER,
	G_SPORT,
	G_DPORT,
	G_SRC,
	G_SRC_EXACT,
	G_SRC_WIDE,
	G_SRC_NEGATED,
	G_DST,
	G_DST_EXACT,
	G_DST_WIDE,
	G_DST_NEGATED,
	GROUPS
};

/* Row 0 satisfies nothing. */
#define NO_ROW 0

#define SRC_FEATURES (XW_SRC | XW_SRC_SET)
#define DST_FEATURES (XW_DST | XW_DST_SET)

static __always_inline __u32 what_row(const struct xw_tables *t, const struct packet *p)
{
	__u32 row;

	if (p->proto > XW_BYTE_HIDDEN || p->flags > XW_BYTE_HIDDEN || p->icmp > XW_ICMP_HIDDEN)
		return NO_ROW;
	if (p->kind == XW_KIND_IP4) {
		row = t->proto4[p->proto];
		if (p->proto == 6)
			row += t->flags[p->flags];
		else if (p->proto == 1)
			row += t->icmp4[p->icmp];
	} else if (p->kind == XW_KIND_IP6) {
		row = t->proto6[p->proto];
		if (p->proto == 6)
			row += t->flags[p->flags];
		else if (p->proto == 58)
			row += t->icmp6[p->icmp];
	} else if (p->kind == XW_KIND_ETHER) {
		return t->ether_row + t->ether[p->ethertype];
	} else {
		return p->kind == XW_KIND_LLC ? t->llc_row : t->opaque_row;
	}
	return row + (p->fragment & 3) * t->fragment_stride;
}

static __always_inline __u32 where_row(const struct xw_tables *t, const struct packet *p)
{
	if (p->vlan > XW_VLAN_HIDDEN)
		return NO_ROW;
	return t->attachment[number & (XW_ATTACHMENTS - 1)] + t->vlan[p->vlan];
}

static __always_inline __u32 header_row(const struct xw_tables *t, const struct packet *p)
{
	if (p->length > XW_LENGTH_HIDDEN || p->ttl > XW_BYTE_HIDDEN)
		return NO_ROW;
	return t->header_row + t->length[p->length] + t->ttl[p->ttl];
}

static __always_inline __u32 class_row(__u32 copy, __u32 class, const bool src)
{
	const struct xw_class_rows *all = bpf_map_lookup_elem(&class_rows, &copy);

	if (!all)
		return NO_ROW;
	class &= class_mask;
	return src ? all[class].src : all[class].dst;
}

/* The rows of the sets that an address is in; false: no rule has any of the address's rows. */
static __always_inline bool set_rows(const struct levels *l, const struct packet *p, const bool src,
				     __u32 *row)
{
	const struct xw_tables *t = l->t;
	const struct shape s = l->shape;
	struct membership m = {};

	if (!with(s, src ? XW_SRC_SET : XW_DST_SET))
		return row[0];
	if (with(s, XW_NEGATED_SET))
		row[3] = src ? t->src_negated : t->dst_negated;
	classify(p->kind == XW_KIND_IP4, src ? p->src : p->dst, &m);
	row[1] = row[2] = src ? t->src_unlisted : t->dst_unlisted;
	if (!(m.exact | m.wide))
		return row[0] | row[1] | (with(s, XW_NEGATED_SET) ? row[3] : 0);
	if (m.exact)
		row[1] = class_row(l->copy, m.exact, src);
	if (m.wide)
		row[2] = class_row(l->copy, m.wide, src);
	return true;
}

/* Rules on `not @set` match neither one way nor the other. */
static __always_inline void hidden_rows(const struct levels *l, __u32 *row)
{
	const struct xw_tables *t = l->t;
	const struct shape s = l->shape;

	if (with(s, SRC_FEATURES))
		row[G_SRC] = t->src_hidden;
	if (with(s, DST_FEATURES))
		row[G_DST] = t->dst_hidden;
	if (with(s, XW_NEGATED_SET)) {
		row[G_SRC_EXACT] = row[G_SRC_NEGATED] = t->src_negated;
		row[G_DST_EXACT] = row[G_DST_NEGATED] = t->dst_negated;
	}
}

/* Both addresses' rows; false: no rule has those. */
static __always_inline bool address_rows(const struct levels *l, const struct packet *p, __u32 *row)
{
	const struct shape s = l->shape;

	if (p->addresses_hidden) {
		hidden_rows(l, row);
		return true;
	}
	if (!with(s, XW_SRC) && with(s, XW_SRC_SET))
		row[G_SRC] = NO_ROW;
	if (!with(s, XW_DST) && with(s, XW_DST_SET))
		row[G_DST] = NO_ROW;
	if (with(s, XW_SRC | XW_DST)) {
		if (p->kind == XW_KIND_IP4)
			rows4(l, p, row + G_SRC, row + G_DST);
		else
			rows6(l, p, row + G_SRC, row + G_DST);
	}
	if (with(s, SRC_FEATURES) && !set_rows(l, p, true, row + G_SRC))
		return false;
	return !with(s, DST_FEATURES) || set_rows(l, p, false, row + G_DST);
}

static __always_inline void port_rows(const struct levels *l, const struct packet *p, __u32 *row)
{
	const struct xw_tables *t = l->t;
	const struct shape s = l->shape;
	bool read = p->ports == PORTS_READ;

	if (with(s, XW_SPORT))
		row[G_SPORT] = read ? t->sport_row + t->sport[p->sport] : t->sport_hidden;
	if (with(s, XW_DPORT))
		row[G_DPORT] = read ? t->dport_row + t->dport[p->dport] : t->dport_hidden;
}

/* A group that this packet does not have repeats the first row. False: no rule matches, as those
 * that name addresses name others. */
static __always_inline bool find_rows(const struct levels *l, const struct packet *p, __u32 *row)
{
	const struct xw_tables *t = l->t;
	const struct shape s = l->shape;
	__u32 what = what_row(t, p);

	row[G_WHAT] = what;
	row[G_WHERE] = with(s, XW_WHERE) ? where_row(t, p) : what;
	row[G_HEADER] = row[G_SPORT] = row[G_DPORT] = row[G_SRC] = row[G_DST] = what;
	if (p->kind > XW_KIND_IP6)
		return true;
	if (with(s, XW_HEADER))
		row[G_HEADER] = header_row(t, p);
	if (p->ports != PORTS_NONE)
		port_rows(l, p, row);
	return !with(s, SRC_FEATURES | DST_FEATURES) || address_rows(l, p, row);
}

#endif
