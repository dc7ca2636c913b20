/* SPDX-License-Identifier: GPL-2.0-only */
/* XDP's side of context.h. */
#ifndef XDPWALL_CONTEXT_XDP_H
#define XDPWALL_CONTEXT_XDP_H

#include <stdbool.h>
#include <linux/bpf.h>
#include <bpf/bpf_helpers.h>

#include "explain.h"

#define xw_ctx xdp_md

const volatile __u32 fragmented; /* loaded with BPF_F_XDP_HAS_FRAGS */

static __always_inline __u32 frame_length(struct xdp_md *ctx)
{
	return asked_length(fragmented ? bpf_xdp_get_buff_len(ctx) : ctx->data_end - ctx->data);
}

/* A linear frame has no bytes outside data..data_end. */
static __always_inline int load_bytes(struct xdp_md *ctx, __u32 off, void *buf, __u32 n)
{
	return fragmented ? bpf_xdp_load_bytes(ctx, off, buf, n) : -1;
}

static __always_inline int copy_bytes(struct xdp_md *ctx, void *buf, __u32 n)
{
	return bpf_xdp_load_bytes(ctx, 0, buf, n);
}

static __always_inline __u32 interface_index(struct xdp_md *ctx)
{
	return ctx->ingress_ifindex;
}

static __always_inline __u32 hook_place(void)
{
	return XW_PLACE_XDP;
}

/* XDP cannot see a tag that the NIC or the veth peer has moved to the metadata. */
static __always_inline bool stripped_vlan(struct xdp_md *ctx, __u16 *vlan)
{
	return false;
}

#endif
