// SPDX-License-Identifier: GPL-2.0-only
/* The XDP program of attachments that share one, for rulesets with rates (rates.h). */
#include <linux/bpf.h>
#include <bpf/bpf_helpers.h>

#define XW_RATED
#define XW_SHARED_PROGRAM
#include "classify.h"

SEC("xdp")
int xdpwall_xdp(struct xdp_md *ctx)
{
	return should_drop(ctx, 1, frame_length(ctx)) ? XDP_DROP : XDP_PASS;
}

char LICENSE[] SEC("license") = "GPL";
