/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The head of an HTTP/1.1 message (RFC 9112, 2 to 5), as far as opening a WebSocket needs it: a
 * first line of three words and fields. It is read where it lies; nothing is kept.
 */
#ifndef NIGHTJAR_IO_HTTP_HEAD_H
#define NIGHTJAR_IO_HTTP_HEAD_H

#include "base/base.h"

struct http_head {
	struct span first[3]; /* "GET", "/mqtt", "HTTP/1.1"; or "HTTP/1.1", "101", the rest */
	struct span fields;   /* lines, each with its CR LF */
};

/* The length of the head with its empty line; 0 while that has not come. */
size_t http_head_len(struct span bytes);
/* All of it, and nothing behind. NULL, or what is wrong. */
const char *http_head_parse(struct span bytes, struct http_head *out);

/* The next value of the fields of that name, from `*at` on (0 at first). False: there is none. */
bool http_field_next(const struct http_head *h, const char *name, size_t *at,
		     struct span *value_out);
/* The first of that name; empty when there is none. */
struct span http_field(const struct http_head *h, const char *name);
/* Is the word in a list with commas, of any of the fields of that name? Case does not count. */
bool http_list_has(const struct http_head *h, const char *name, const char *word);
/* The next element of such a list; false at its end. */
bool http_list_take(struct span *list, struct span *element_out);
/* Case does not count. */
bool http_text_is(struct span text, const char *word);

#endif
