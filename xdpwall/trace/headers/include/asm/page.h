/* SPDX-License-Identifier: GPL-2.0-only */
/* PAGE_SIZE comes from the command line: BCC gives the size of a ring buffer in pages. */
