/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Addresses without ports, and networks of them ("192.0.2.0/24", "2001:db8::/32"), as bytes: IPv4
 * stands in IPv6 as ::ffff:192.0.2.1 (RFC 4291, 2.5.5.2), so that there is only one kind.
 */
#ifndef NIGHTJAR_IO_NETWORK_H
#define NIGHTJAR_IO_NETWORK_H

#include "base/base.h"

#define IP_BYTES 16
#define IP_BITS 128

struct network {
	uint8_t bytes[IP_BYTES];
	uint8_t bits; /* so many of them count */
};

/* An address, or one with '/' and a number of bits. False: it is none, or has bits set behind. */
bool network_read(struct span text, struct network *out) MUST_USE;
bool network_has(const struct network *n, const uint8_t ip[IP_BYTES]);
/* Without port and brackets: of "127.0.0.1:43210", "[::1]:43210", and of those that HTTP proxies tell:
 * "127.0.0.1", "::1". */
struct span ip_text_of_address(const char *address);
/* Of the same. False: it is no address of a network ("unix"). */
bool ip_of_address(const char *address, uint8_t ip_out[IP_BYTES]) MUST_USE;
bool ip_is_v4(const uint8_t ip[IP_BYTES]);
/* All bits behind these go. */
void ip_cut(uint8_t ip[IP_BYTES], unsigned bits);

#endif
