/* SPDX-License-Identifier: GPL-2.0-only */
/* Read first, by BCC's -include. Stands for the kernel's headers, of which our program needs none:
 * the places of struct members come from the running kernel's BTF. */
#ifndef XDPWALL_KCONFIG_H
#define XDPWALL_KCONFIG_H
#define CONFIG_BPF_SYSCALL 1
#include <linux/types.h>
#endif
