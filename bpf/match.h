/* SPDX-License-Identifier: GPL-2.0-only */
/* struct packet -> the first rule that decides: aggregated bit vectors (Baboescu and Varghese,
 * "Scalable Packet Classification", SIGCOMM 2001).
 *
 * Each group of fields maps the packet to a row: the set of rules that it satisfies, one bit a
 * position, with summaries in front (row_words.h). The lowest bit set in all rows is the first
 * rule. Rows are looked up once; the same code serves IPv4, IPv6 and frames without IP.
 */
#ifndef XDPWALL_MATCH_H
#define XDPWALL_MATCH_H

#include <linux/bpf.h>
#include <bpf/bpf_helpers.h>

#include "abi.h"
#include "kinds.h"
#include "maps.h"
#include "packet.h"

static __always_inline int by_policy(const struct xw_tables *t, const struct packet *p)
{
	__u32 bit = egress ? XW_POLICY_DROP_EGRESS : XW_POLICY_DROP_INGRESS;

	if (p->kind == XW_KIND_ETHER || p->kind == XW_KIND_LLC)
		bit = XW_POLICY_DROP_NON_IP;
	if (!(t->policy & bit))
		return 0;
	if (p->neighbor_discovery && !(t->policy & XW_POLICY_JUDGE_ND))
		return 0;
	return DECISION_DROP | DECISION_BY_POLICY;
}

/* `control_word` was read once by the entry, so everything here is of one generation. */
static __always_inline int decide(struct packet *p, __u64 control_word)
{
	__u32 copy = control_word & XW_CONTROL_COPY;
	const struct xw_tables *t = bpf_map_lookup_elem(&tables, &copy);
	int decision = -1;

	if (!t)
		return DECISION_ERROR;
	if (features & XW_RULES)
		decision = by_kind(t, p, copy);
	return decision < 0 ? by_policy(t, p) : decision;
}

#endif
