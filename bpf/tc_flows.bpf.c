// SPDX-License-Identifier: GPL-2.0-only
/* The tc program with flows (flow.h), for clsact's ingress and egress. */
#include <linux/bpf.h>
#include <linux/pkt_cls.h>
#include <bpf/bpf_helpers.h>

#define XW_TC
#define XW_FLOWS_COMPILED
#include "classify.h"

SEC("tc")
int xdpwall_tc(struct __sk_buff *ctx)
{
	__u32 packets = ctx->gso_segs > 1 ? ctx->gso_segs : 1;

	/* UNSPEC and not OK: the filters after this one still run. */
	return should_drop(ctx, packets, frame_length(ctx)) ? TC_ACT_SHOT : TC_ACT_UNSPEC;
}

char LICENSE[] SEC("license") = "GPL";
