// SPDX-License-Identifier: GPL-2.0-only
/* The XDP program for rulesets with `cookie` (cookie.h), without flows and rates. */
#include <linux/bpf.h>
#include <bpf/bpf_helpers.h>

#define XW_COOKIES_COMPILED
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
