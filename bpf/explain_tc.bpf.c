// SPDX-License-Identifier: GPL-2.0-only
/* The tc program that explains, for ingress and egress (explain.h). It is never attached. */
#include <linux/bpf.h>
#include <linux/pkt_cls.h>
#include <bpf/bpf_helpers.h>

#define XW_TC
#define XW_EXPLAIN
#define XW_FLOWS_COMPILED
#include "answer.h"

SEC("tc")
int explain_tc(struct __sk_buff *ctx)
{
	return explain(ctx) ? TC_ACT_SHOT : TC_ACT_UNSPEC;
}

char LICENSE[] SEC("license") = "GPL";
