/* SPDX-License-Identifier: GPL-2.0-only */
/* Access to the frame, in which the hooks differ. Both files define the same names:
 *
 *   struct xw_ctx     the program's context: struct xdp_md or struct __sk_buff
 *   frame_length()    bytes in the frame, from the Ethernet header on
 *   load_bytes()      copies bytes that may lie outside data..data_end; 0 or an error
 *   copy_bytes()      copies the frame's first bytes, wherever they lie; 0 or an error
 *   interface_index() of the interface that the program is on
 *   hook_place()      enum xw_place
 *   stripped_vlan()   reads the VLAN tag that is no longer part of the frame
 *
 * tc.bpf.c defines XW_TC before it includes any of the headers here.
 */
#ifndef XDPWALL_CONTEXT_H
#define XDPWALL_CONTEXT_H

#ifdef XW_TC
#include "context_tc.h"
#else
#include "context_xdp.h"
#endif

#endif
