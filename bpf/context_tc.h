/* SPDX-License-Identifier: GPL-2.0-only */
/* tc's side of context.h. */
#ifndef XDPWALL_CONTEXT_TC_H
#define XDPWALL_CONTEXT_TC_H

#include <stdbool.h>
#include <linux/bpf.h>
#include <bpf/bpf_helpers.h>

#include "explain.h"

#define xw_ctx __sk_buff

static __always_inline __u32 frame_length(struct __sk_buff *ctx)
{
	return asked_length(ctx->len);
}

static __always_inline int load_bytes(struct __sk_buff *ctx, __u32 off, void *buf, __u32 n)
{
	return bpf_skb_load_bytes(ctx, off, buf, n);
}

static __always_inline int copy_bytes(struct __sk_buff *ctx, void *buf, __u32 n)
{
	return bpf_skb_load_bytes(ctx, 0, buf, n);
}

static __always_inline __u32 interface_index(struct __sk_buff *ctx)
{
	return ctx->ifindex;
}

static __always_inline __u32 hook_place(void)
{
	return egress ? XW_PLACE_TC_EGRESS : XW_PLACE_TC_INGRESS;
}

/* The kernel takes the outer tag off before clsact's ingress (skb_vlan_untag()). */
static __always_inline bool stripped_vlan(struct __sk_buff *ctx, __u16 *vlan)
{
#ifdef XW_EXPLAIN /* a test-run takes no tag */
	const struct xw_question *q = asked();

	if (!q || q->vlan >= XW_VLAN_NONE)
		return false;
	*vlan = q->vlan;
	return true;
#endif
	if (!ctx->vlan_present)
		return false;
	*vlan = ctx->vlan_tci & 0xfff;
	return true;
}

#endif
