// SPDX-License-Identifier: GPL-2.0-only
/* The tc entry: the same judgement for clsact's ingress and egress. */
#include <stdbool.h>
#include <linux/bpf.h>
#include <linux/pkt_cls.h>
#include <bpf/bpf_endian.h>
#include <bpf/bpf_helpers.h>

#define xw_ctx __sk_buff

static __always_inline __u32 frame_length(struct __sk_buff *ctx)
{
	return ctx->len;
}

static __always_inline int load_bytes(struct __sk_buff *ctx, __u32 off, void *buf, __u32 n)
{
	return bpf_skb_load_bytes(ctx, off, buf, n);
}

static __always_inline int copy_bytes(struct __sk_buff *ctx, void *buf, __u32 n)
{
	return bpf_skb_load_bytes(ctx, 0, buf, n);
}

static __always_inline bool stripped_vlan(struct __sk_buff *ctx, __u16 *vlan)
{
	if (!ctx->vlan_present)
		return false;
	*vlan = ctx->vlan_tci & 0xfff;
	return true;
}

#include "classify.h"

SEC("tc")
int xdpwall_tc(struct __sk_buff *ctx)
{
	__u32 packets = ctx->gso_segs > 1 ? ctx->gso_segs : 1;

	/* UNSPEC, not OK: filters after ours still run. */
	return dropped(ctx, packets, frame_length(ctx)) ? TC_ACT_SHOT : TC_ACT_UNSPEC;
}

char LICENSE[] SEC("license") = "GPL";
