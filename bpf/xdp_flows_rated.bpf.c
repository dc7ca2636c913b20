// SPDX-License-Identifier: GPL-2.0-only
/* The XDP program with flows and rates (flow.h, rates.h). */
#include <linux/bpf.h>
#include <bpf/bpf_helpers.h>

#define XW_FLOWS_COMPILED
#define XW_RATED
#include "classify.h"

SEC("xdp")
int xdpwall_xdp(struct xdp_md *ctx)
{
	return should_drop(ctx, 1, frame_length(ctx)) ? XDP_DROP : XDP_PASS;
}

char LICENSE[] SEC("license") = "GPL";
