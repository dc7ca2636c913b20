// SPDX-License-Identifier: Apache-2.0 OR MIT
/* Sends a stream over a veth: test-run with live frames, it overwrites each with the next frame of
 * its table and redirects it. The length of the table is a power of two. */
#include <linux/bpf.h>
#include <bpf/bpf_helpers.h>

#define SIZE4 60
#define SIZE6 78
#define ROOM  80

const volatile __u32 mask; /* frames in the table - 1 */

struct state {
	__u32 next;
	__u32 ifindex;
};

struct {
	__uint(type, BPF_MAP_TYPE_ARRAY);
	__uint(max_entries, 1);
	__type(key, __u32);
	__type(value, struct state);
} state SEC(".maps");

struct frame {
	__u8 bytes[ROOM];
};

struct {
	__uint(type, BPF_MAP_TYPE_ARRAY);
	__uint(map_flags, BPF_F_MMAPABLE);
	__uint(max_entries, 1);
	__type(key, __u32);
	__type(value, struct frame);
} frames SEC(".maps");

static __always_inline int send(struct xdp_md *ctx, __u32 size)
{
	void *data = (void *)(long)ctx->data, *end = (void *)(long)ctx->data_end;
	__u32 zero = 0, number;
	struct state *s = bpf_map_lookup_elem(&state, &zero);
	struct frame *frame;

	if (!s || data + size > end)
		return XDP_ABORTED;
	number = s->next++ & mask; /* one CPU sends */
	frame = bpf_map_lookup_elem(&frames, &number);
	if (!frame)
		return XDP_ABORTED;
	__builtin_memcpy(data, frame->bytes, size);
	return bpf_redirect(s->ifindex, 0);
}

SEC("xdp")
int drive4(struct xdp_md *ctx)
{
	return send(ctx, SIZE4);
}

SEC("xdp")
int drive6(struct xdp_md *ctx)
{
	return send(ctx, SIZE6);
}

char LICENSE[] SEC("license") = "Dual MIT/GPL";
