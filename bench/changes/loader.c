// SPDX-License-Identifier: Apache-2.0 OR MIT
/* The least that loading a set costs: reads a file of IPv4 addresses, one a line, writes them to a
 * BPF hash in batches and prints the seconds of reading and of writing. A bit for each /24 is set
 * first, as xdpwall does. */
#include <arpa/inet.h>
#include <bpf/bpf.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#define BATCH 65536

static double now(void)
{
	struct timespec t;

	clock_gettime(CLOCK_MONOTONIC, &t);
	return t.tv_sec + t.tv_nsec / 1e9;
}

static unsigned int address(const char *line)
{
	unsigned int whole = 0, part = 0;

	for (; *line && *line != '\n'; line++) {
		if (*line == '.') {
			whole = whole << 8 | part;
			part = 0;
		} else {
			part = part * 10 + (*line - '0');
		}
	}
	return htonl(whole << 8 | part);
}

int main(int argc, char **argv)
{
	LIBBPF_OPTS(bpf_map_create_opts, options, .map_flags = BPF_F_NO_PREALLOC);
	LIBBPF_OPTS(bpf_map_batch_opts, batch);
	unsigned int count = argc > 2 ? atoi(argv[2]) : 0, n = 0;
	unsigned int *keys = malloc(count * sizeof(*keys));
	unsigned int *values = malloc(BATCH * sizeof(*values));
	unsigned long long *occupied = calloc(1 << 18, sizeof(*occupied));
	double start = now(), read;
	char line[64];
	FILE *file;
	int map;

	if (!count || !keys || !values || !occupied || !(file = fopen(argv[1], "r")))
		return 1;
	while (n < count && fgets(line, sizeof(line), file))
		keys[n++] = address(line);
	read = now();
	map = bpf_map_create(BPF_MAP_TYPE_HASH, "loader", 4, 4, 1 << 20, &options);
	if (map < 0)
		return 2;
	for (unsigned int i = 0; i < BATCH; i++)
		values[i] = 1;
	for (unsigned int i = 0; i < n; i++) {
		unsigned int bit = ntohl(keys[i]) >> 8;

		occupied[bit >> 6] |= 1ULL << (bit & 63);
	}
	for (unsigned int i = 0; i < n; i += BATCH) {
		unsigned int some = n - i < BATCH ? n - i : BATCH;

		if (bpf_map_update_batch(map, keys + i, values, &some, &batch))
			return 3;
	}
	printf("%u %.6f %.6f\n", n, read - start, now() - read);
	return 0;
}
