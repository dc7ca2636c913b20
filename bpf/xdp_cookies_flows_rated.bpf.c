// SPDX-License-Identifier: GPL-2.0-only
/* The XDP program with `cookie`, flows and rates (cookie.h, flow.h, rates.h). */
#include <linux/bpf.h>
#include <bpf/bpf_helpers.h>

#define XW_COOKIES_COMPILED
#define XW_FLOWS_COMPILED
#define XW_RATED
#include "classify.h"

SEC("xdp")
int xdpwall_xdp(struct xdp_md *ctx)
{
	bool answered = false;

	if (classify_frame(ctx, 1, frame_length(ctx), &answered))
		return XDP_DROP;
	return answered ? XDP_TX : XDP_PASS;
}

char LICENSE[] SEC("license") = "GPL";
