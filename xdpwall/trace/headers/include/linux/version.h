/* SPDX-License-Identifier: GPL-2.0-only */
/* BCC asks for a version below which its tables lack something: our oldest. */
#define KERNEL_VERSION(a, b, c) (((a) << 16) + ((b) << 8) + (c))
#define LINUX_VERSION_CODE	KERNEL_VERSION(6, 1, 0)
