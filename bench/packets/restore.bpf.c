// SPDX-License-Identifier: Apache-2.0 OR MIT
/* Runs a program that changes its frame on a frame of its table each time, by a tail call: a
 * test-run goes on with what the last run left. All frames have one length, which is not changed. */
#include <linux/bpf.h>
#include <bpf/bpf_helpers.h>

#define SIZE4 58
#define SIZE6 78
#define ROOM  80

const volatile __u32 mask; /* frames in the table - 1 */

struct {
	__uint(type, BPF_MAP_TYPE_ARRAY);
	__uint(max_entries, 1);
	__type(key, __u32);
	__type(value, __u32);
} next SEC(".maps");

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

struct {
	__uint(type, BPF_MAP_TYPE_PROG_ARRAY);
	__uint(max_entries, 1);
	__type(key, __u32);
	__type(value, __u32);
} tested SEC(".maps");

static __always_inline int run(struct xdp_md *ctx, __u32 size)
{
	void *data = (void *)(long)ctx->data, *end = (void *)(long)ctx->data_end;
	__u32 zero = 0, number, *counter = bpf_map_lookup_elem(&next, &zero);
	struct frame *frame;

	if (!counter || data + size > end)
		return XDP_ABORTED;
	number = (*counter)++ & mask;
	frame = bpf_map_lookup_elem(&frames, &number);
	if (!frame)
		return XDP_ABORTED;
	__builtin_memcpy(data, frame->bytes, size);
	bpf_tail_call(ctx, &tested, 0);
	return XDP_DROP;
}

SEC("xdp")
int restore4(struct xdp_md *ctx)
{
	return run(ctx, SIZE4);
}

SEC("xdp")
int restore6(struct xdp_md *ctx)
{
	return run(ctx, SIZE6);
}

char LICENSE[] SEC("license") = "GPL";
