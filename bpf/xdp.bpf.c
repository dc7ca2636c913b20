// SPDX-License-Identifier: GPL-2.0-only
/* The XDP entry. */
#include <stdbool.h>
#include <linux/bpf.h>
#include <bpf/bpf_endian.h>
#include <bpf/bpf_helpers.h>

#define xw_ctx xdp_md

const volatile __u32 fragmented; /* loaded with BPF_F_XDP_HAS_FRAGS */

static __always_inline __u32 frame_length(struct xdp_md *ctx)
{
	return fragmented ? bpf_xdp_get_buff_len(ctx) : ctx->data_end - ctx->data;
}

static __always_inline int load_bytes(struct xdp_md *ctx, __u32 off, void *buf, __u32 n)
{
	return fragmented ? bpf_xdp_load_bytes(ctx, off, buf, n) : -1;
}

/* From the frame's beginning, however the frame lies. */
static __always_inline int copy_bytes(struct xdp_md *ctx, void *buf, __u32 n)
{
	return bpf_xdp_load_bytes(ctx, 0, buf, n);
}

/* A tag that the NIC or a veth's sender took off is beside the frame, out of XDP's sight. */
static __always_inline bool stripped_vlan(struct xdp_md *ctx, __u16 *vlan)
{
	return false;
}

#include "classify.h"

SEC("xdp")
int xdpwall_xdp(struct xdp_md *ctx)
{
	return dropped(ctx, 1, frame_length(ctx)) ? XDP_DROP : XDP_PASS;
}

char LICENSE[] SEC("license") = "GPL";
