/* SPDX-License-Identifier: GPL-2.0-only */
/* SYNs answered at XDP, as the classifier meets them: what rules with `cookie` add to it.
 *
 *   take_action()   the rule that decides says so: note_cookie()
 *   decide()        a packet that passes: ask_cookie(), DECISION_ANSWERED (syn_cookie.h)
 *   classify_frame()  once it is counted and reported: send_answer() (syn_answer.h)
 *
 * Only objects compiled with XW_COOKIES_COMPILED have any of it; in the others these functions are
 * constants, so that a ruleset without cookies pays nothing. tc has none: XDP_TX is XDP's.
 */
#ifndef XDPWALL_COOKIE_H
#define XDPWALL_COOKIE_H

#include <stdbool.h>
#include <linux/types.h>

#include "abi.h"
#include "context.h"
#include "packet.h"

#ifdef XW_COOKIES_COMPILED

#define WITH_COOKIES 1

#include "syn_answer.h"
#include "syn_cookie.h"

static __always_inline void note_cookie(struct packet *p, __u32 rule)
{
	p->cookie = rule & XW_RULE_COOKIE ? 1 : 0;
}

/* DECISION_ANSWERED for a SYN that send_answer() is to answer, else `decision`. */
static __always_inline int decide_answer(struct xw_ctx *ctx, struct packet *p, int decision)
{
	if (decision || !p->cookie || !is_plain_syn(p))
		return decision;
	return ask_cookie(ctx, p) > 0 ? DECISION_ANSWERED : 0;
}

/* Answer, and count it for the rule. */
static __always_inline bool finish_answer(struct xw_ctx *ctx, struct packet *p)
{
	return !send_answer(ctx, p);
}

#else

#define WITH_COOKIES 0

static __always_inline void note_cookie(struct packet *p, __u32 rule)
{
}

static __always_inline int decide_answer(struct xw_ctx *ctx, struct packet *p, int decision)
{
	return decision;
}

static __always_inline bool finish_answer(struct xw_ctx *ctx, struct packet *p)
{
	return false;
}

#endif

#endif
