/* SPDX-License-Identifier: GPL-2.0-only */
/* The ABI of the explaining programs: what they are asked, and what they answer (explain.h). */
#ifndef XDPWALL_ABI_EXPLAIN_H
#define XDPWALL_ABI_EXPLAIN_H

#include <linux/types.h>

#include "abi.h"

#define XW_QUESTION_NOW 2 /* of copies: the one in force for the attachment, as packets find it */

/* What a test-run cannot say of a frame. */
struct xw_question {
	__u32 number; /* of the attachment */
	__u32 egress;
	__u32 copy;   /* 0, 1 or XW_QUESTION_NOW */
	__u32 length; /* of the frame, from the Ethernet header on; 0: that of the run */
	__u32 vlan;   /* of a tag that is in the metadata, or XW_VLAN_NONE; not for XDP */
	__u32 first_known;
	__u32 ifindex; /* of the interface, for link-local flows */
	__u32 pad;
	struct xw_first_fragment first; /* of a later fragment's datagram, where it is known */
};

#define XW_ANSWER_RULES	  16384	   /* rules that match, at most */
#define XW_ANSWER_EXPIRED 0x40000U /* the rule would match, and is past its time */
#define XW_ANSWER_LIMITED 0x8000U  /* the rule would match, but for its rate */

struct xw_answer {
	__u64
	    control_word; /* as the attachment finds it; with XW_CONTROL_OFF every packet passes */
	__u32 matched;	  /* elements of `rules` */
	__u32 neighbor_discovery;
	struct xw_event event;	      /* without the frame */
	__u32 rules[XW_ANSWER_RULES]; /* XW_RULE_..., in their order; the last may have decided */
};

#endif
