/* SPDX-License-Identifier: Apache-2.0 */
#include "io/network.h"

#include <arpa/inet.h>
#include <netinet/in.h>

#define V4_AT 12 /* where the four bytes stand */
#define V4_BITS (V4_AT * 8)
#define TEXT_MAX 64

/* NUL-terminated text. */
static bool read_ip(const char *text, uint8_t ip_out[IP_BYTES])
{
	uint8_t ip[IP_BYTES] = {[10] = 0xff, [11] = 0xff};
	if (inet_pton(AF_INET, text, ip + V4_AT) != 1 && inet_pton(AF_INET6, text, ip) != 1)
		return false;
	memcpy(ip_out, ip, IP_BYTES);
	return true;
}

bool ip_is_v4(const uint8_t ip[IP_BYTES])
{
	static const uint8_t mapped[V4_AT] = {[10] = 0xff, [11] = 0xff};
	return memcmp(ip, mapped, V4_AT) == 0;
}

void ip_cut(uint8_t ip[IP_BYTES], unsigned bits)
{
	for (unsigned i = 0; i < IP_BYTES; i++) {
		unsigned left = bits > i * 8 ? bits - i * 8 : 0;
		if (left < 8)
			ip[i] &= (uint8_t)(0xff00u >> left);
	}
}

static bool read_bits(const char *text, unsigned bits_max, unsigned *bits_out)
{
	unsigned bits = 0;
	size_t len = strlen(text);
	if (len == 0 || len > 3)
		return false;
	for (; *text; text++) {
		if (*text < '0' || *text > '9')
			return false;
		bits = bits * 10 + (unsigned)(*text - '0');
	}
	*bits_out = bits;
	return bits <= bits_max;
}

bool network_read(struct span text, struct network *out)
{
	char copy[TEXT_MAX];
	struct network n = {.bits = IP_BITS};
	unsigned bits;
	if (text.len == 0 || text.len >= sizeof(copy) || memchr(text.ptr, '\0', text.len))
		return false;
	memcpy(copy, text.ptr, text.len);
	copy[text.len] = '\0';
	char *slash = strchr(copy, '/');
	if (slash)
		*slash = '\0';
	if (!read_ip(copy, n.bytes))
		return false;
	bool is_v4 = strchr(copy, ':') == NULL;
	if (slash) {
		if (!read_bits(slash + 1, is_v4 ? IP_BITS - V4_BITS : IP_BITS, &bits))
			return false;
		n.bits = (uint8_t)(bits + (is_v4 ? V4_BITS : 0));
	}
	uint8_t cut[IP_BYTES];
	memcpy(cut, n.bytes, IP_BYTES);
	ip_cut(cut, n.bits);
	*out = n;
	return memcmp(cut, n.bytes, IP_BYTES) == 0;
}

bool network_has(const struct network *n, const uint8_t ip[IP_BYTES])
{
	uint8_t cut[IP_BYTES];
	memcpy(cut, ip, IP_BYTES);
	ip_cut(cut, n->bits);
	return memcmp(cut, n->bytes, IP_BYTES) == 0;
}

struct span ip_text_of_address(const char *address)
{
	const char *colon = strchr(address, ':'), *bracket = strrchr(address, ']');
	if (address[0] == '[' && bracket)
		return span_of(address + 1, (size_t)(bracket - address - 1));
	/* in one of IPv6 there are more than that of the port */
	bool has_port = colon && colon == strrchr(address, ':');
	return span_of(address, has_port ? (size_t)(colon - address) : strlen(address));
}

bool ip_of_address(const char *address, uint8_t ip_out[IP_BYTES])
{
	char copy[TEXT_MAX];
	struct span text = ip_text_of_address(address);
	if (text.len >= sizeof(copy))
		return false;
	memcpy(copy, text.ptr, text.len);
	copy[text.len] = '\0';
	return read_ip(copy, ip_out);
}
