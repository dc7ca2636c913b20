// SPDX-License-Identifier: GPL-2.0-only
/* The XDP program that explains (explain.h). It is never attached. */
#include <linux/bpf.h>
#include <bpf/bpf_helpers.h>

#define XW_EXPLAIN
#define XW_FLOWS_COMPILED
#include "answer.h"

SEC("xdp")
int explain_xdp(struct xdp_md *ctx)
{
	return explain(ctx) ? XDP_DROP : XDP_PASS;
}

char LICENSE[] SEC("license") = "GPL";
