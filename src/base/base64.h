/* SPDX-License-Identifier: Apache-2.0 */
/* Base 64 (RFC 4648): bytes as text, with padding (section 4) or for addresses and tokens (section
 * 5). */
#ifndef NIGHTJAR_BASE_BASE64_H
#define NIGHTJAR_BASE_BASE64_H

#include "base/base.h"

/* Letters for so many bytes, without the NUL behind them. */
#define BASE64_LEN(bytes) (((bytes) + 2) / 3 * 4)

/* Writes BASE64_LEN(bytes.len) letters and a NUL. */
void base64_encode(struct span bytes, char *text_out);
/* The bytes into the room; padding may be missing. False when it is no base 64, has bits that say
 * nothing, or needs more room. */
bool base64_decode(struct span text, struct room room, size_t *len_out) MUST_USE;
/* The same with '-' and '_' in the places of '+' and '/', and never with padding ([RFC 7515] 2). */
bool base64url_decode(struct span text, struct room room, size_t *len_out) MUST_USE;

#endif
