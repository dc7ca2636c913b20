/* SPDX-License-Identifier: GPL-2.0-only */
/* Instruction classes: not used. */
