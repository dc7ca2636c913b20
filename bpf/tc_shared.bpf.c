// SPDX-License-Identifier: GPL-2.0-only
/* The tc program of attachments that share one (XW_SHARED in abi.h). */
#include <linux/bpf.h>
#include <linux/pkt_cls.h>
#include <bpf/bpf_helpers.h>

#define XW_TC
#define XW_SHARED_PROGRAM
#include "classify.h"

SEC("tc")
int xdpwall_tc(struct __sk_buff *ctx)
{
	__u32 packets = ctx->gso_segs > 1 ? ctx->gso_segs : 1;

	/* UNSPEC and not OK: the filters after this one still run. */
	return should_drop(ctx, packets, frame_length(ctx)) ? TC_ACT_SHOT : TC_ACT_UNSPEC;
}

char LICENSE[] SEC("license") = "GPL";
