/* SPDX-License-Identifier: GPL-2.0-only */
/* TCP flags, as they stand in struct packet.flags. */
#ifndef XDPWALL_TCP_FLAGS_H
#define XDPWALL_TCP_FLAGS_H

#define TCP_FIN 1
#define TCP_SYN 2
#define TCP_RST 4
#define TCP_ACK 16

#endif
