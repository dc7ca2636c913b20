/* SPDX-License-Identifier: GPL-2.0-only */
/* The words of the map `control`. */
#ifndef XDPWALL_ABI_CONTROL_H
#define XDPWALL_ABI_CONTROL_H

/* The control word: one u64, read once by each packet, and exchanged by comparison. */
#define XW_CONTROL_COPY		  1ULL /* index of the generation in force, in maps of two */
#define XW_CONTROL_OFF		  2ULL /* every packet passes */
#define XW_CONTROL_EVENTS	  4ULL /* some packets are reported (event_settings) */
#define XW_CONTROL_MUTED	  8ULL /* some attachments are muted (XW_CONTROL_MUTES) */
#define XW_CONTROL_PENDING	  16ULL /* the copy waits for its confirmation (XW_CONTROL_DEADLINES) */
#define XW_CONTROL_FALLBACK	  32ULL /* index of the copy that is in force past the deadline */
#define XW_CONTROL_REVISION_SHIFT 8

/* The second word of the map is for user space: the features that every attached program has. Then
 * one word an attachment, 0 unless it is muted: its program could not be detached and lets every
 * packet pass. User space keeps the program's id there. */
#define XW_CONTROL_MUTES 2
/* A word a copy, in use while a change is pending: the deadline, in jiffies64. Past it packets are
 * judged by the fallback copy, whose revision is one less. Then, for each copy, a bit an
 * attachment: it passes every packet while this copy is in force, since it is to be made or removed
 * by the change. */
#define XW_CONTROL_DEADLINES 2052 /* XW_CONTROL_MUTES + XW_NUMBERS */
#define XW_CONTROL_PASSING   2054
#define XW_NUMBER_WORDS	     33 /* with a bit for each number of an attachment: of a copy */
/* For user space: a hash of the programs that the maps were made for. Others may differ. */
#define XW_CONTROL_PROGRAMS 2120
#define XW_CONTROL_WORDS    2121

/* In place of an attachment's number in .rodata: the program (compiled with XW_SHARED_PROGRAM) is
 * shared by many interfaces, whose numbers are in the map `numbers`, by interface index << 2 | enum
 * xw_place. */
#define XW_SHARED 0xffffffffU

enum xw_place { XW_PLACE_XDP = 0, XW_PLACE_TC_INGRESS, XW_PLACE_TC_EGRESS };

#endif
