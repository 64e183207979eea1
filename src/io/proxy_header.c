/* SPDX-License-Identifier: Apache-2.0 */
#include "io/proxy_header.h"

#include <arpa/inet.h>
#include <netinet/in.h>
#include <stdio.h>
#include <sys/socket.h>

#include "base/mem.h"

#define SIGNATURE "\r\n\r\n\0\r\nQUIT\n"
#define SIGNATURE_BYTES 12
#define FIXED_BYTES 16
#define LINE_BYTES_MAX 107
#define COMMAND_LOCAL 0x20
#define COMMAND_PROXY 0x21
#define FAMILY_IPV4 1
#define FAMILY_IPV6 2
#define FAMILY_UNIX 3

/* Type-length-values: TLS was spoken with the client, and in it: its certificate's common name. */
#define TYPE_TLS 0x20
#define TYPE_TLS_NAME 0x22
#define CLIENT_SPOKE_TLS 0x01
#define CLIENT_SHOWED_CERTIFICATE 0x02
#define CLIENT_EVER_SHOWED_CERTIFICATE 0x04

static void write_address(int family, const uint8_t *ip, uint16_t port, char *text)
{
	struct sockaddr_storage address = {.ss_family = (sa_family_t)family};
	if (family == AF_INET6) {
		struct sockaddr_in6 *six = (struct sockaddr_in6 *)&address;
		memcpy(&six->sin6_addr, ip, 16);
		six->sin6_port = htons(port);
	} else {
		struct sockaddr_in *four = (struct sockaddr_in *)&address;
		memcpy(&four->sin_addr, ip, 4);
		four->sin_port = htons(port);
	}
	address_text(&address, text);
}

/* --- version 1 --- */

/* The next word of a line; false when there is none of a fitting length. */
static bool take_word(struct span *line, char *word, size_t word_max)
{
	const uint8_t *blank = line->len ? memchr(line->ptr, ' ', line->len) : NULL;
	size_t len = blank ? (size_t)(blank - line->ptr) : line->len;
	if (len == 0 || len >= word_max)
		return false;
	memcpy(word, line->ptr, len);
	word[len] = '\0';
	size_t taken = blank ? len + 1 : len;
	*line = span_of(line->ptr + taken, line->len - taken);
	return true;
}

static bool read_port(const char *text, uint16_t *port_out)
{
	uint32_t port = 0;
	size_t len = strlen(text);
	if (len == 0 || len > 5)
		return false;
	for (; *text; text++) {
		if (*text < '0' || *text > '9')
			return false;
		port = port * 10 + (uint32_t)(*text - '0');
	}
	*port_out = (uint16_t)port;
	return port <= UINT16_MAX;
}

/* Behind "PROXY ". */
static bool read_line(struct span line, struct proxy_header *out)
{
	char kind[8], from[48], to[48], from_port[8], to_port[8];
	uint8_t ip[16];
	uint16_t port, unused;
	if (!take_word(&line, kind, sizeof(kind)))
		return false;
	if (strcmp(kind, "UNKNOWN") == 0)
		return true;
	int family = strcmp(kind, "TCP4") == 0 ? AF_INET : AF_INET6;
	if (family == AF_INET6 && strcmp(kind, "TCP6") != 0)
		return false;
	bool is_whole = take_word(&line, from, sizeof(from)) && take_word(&line, to, sizeof(to)) &&
			take_word(&line, from_port, sizeof(from_port)) &&
			take_word(&line, to_port, sizeof(to_port)) && line.len == 0;
	if (!is_whole || inet_pton(family, to, ip) != 1 || inet_pton(family, from, ip) != 1 ||
	    !read_port(from_port, &port) || !read_port(to_port, &unused))
		return false;
	write_address(family, ip, port, out->address);
	return true;
}

static long decode_line(struct span bytes, struct proxy_header *out, const char **reason_out)
{
	size_t len = bytes.len < LINE_BYTES_MAX ? bytes.len : LINE_BYTES_MAX;
	const uint8_t *end = memmem(bytes.ptr, len, "\r\n", 2);
	*reason_out = "header of the PROXY protocol that is not as version 1 has it";
	if (!end)
		return bytes.len < LINE_BYTES_MAX ? 0 : ERROR_INVALID;
	size_t line_len = (size_t)(end - bytes.ptr);
	if (line_len < 6 || end[-1] == ' ' || !read_line(span_of(bytes.ptr + 6, line_len - 6), out))
		return ERROR_INVALID;
	return (long)line_len + 2;
}

/* --- version 2 --- */

struct value {
	uint8_t type;
	struct span bytes;
};

static bool take_value(struct span *rest, struct value *out)
{
	if (rest->len < 3)
		return false;
	size_t len = load_u16(rest->ptr + 1);
	if (len > rest->len - 3)
		return false;
	*out = (struct value){rest->ptr[0], span_of(rest->ptr + 3, len)};
	*rest = span_of(rest->ptr + 3 + len, rest->len - 3 - len);
	return true;
}

/* One byte about the client, four about its certificate (0: verified), then more values. */
static void read_tls(struct span bytes, struct proxy_header *out)
{
	struct value v;
	if (bytes.len < 5)
		return;
	bool has_certificate =
		bytes.ptr[0] & (CLIENT_SHOWED_CERTIFICATE | CLIENT_EVER_SHOWED_CERTIFICATE);
	out->has_tls = bytes.ptr[0] & CLIENT_SPOKE_TLS;
	out->has_certificate = has_certificate && load_u32(bytes.ptr + 1) == 0;
	if (!out->has_certificate)
		return;
	struct span rest = span_of(bytes.ptr + 5, bytes.len - 5);
	while (take_value(&rest, &v)) {
		bool is_text = v.bytes.len > 0 && v.bytes.len < sizeof(out->name) &&
			       !memchr(v.bytes.ptr, '\0', v.bytes.len);
		if (v.type != TYPE_TLS_NAME || !is_text)
			continue;
		memcpy(out->name, v.bytes.ptr, v.bytes.len);
		out->name[v.bytes.len] = '\0';
	}
}

static size_t addresses_len(uint8_t family)
{
	switch (family) {
	case FAMILY_IPV4: return 12;
	case FAMILY_IPV6: return 36;
	case FAMILY_UNIX: return 216;
	default: return 0;
	}
}

static bool read_body(uint8_t family, struct span body, struct proxy_header *out)
{
	size_t len = addresses_len(family);
	struct value v;
	if (body.len < len)
		return false;
	if (family == FAMILY_IPV4)
		write_address(AF_INET, body.ptr, load_u16(body.ptr + 8), out->address);
	else if (family == FAMILY_IPV6)
		write_address(AF_INET6, body.ptr, load_u16(body.ptr + 32), out->address);
	struct span rest = span_of(body.ptr + len, body.len - len);
	while (take_value(&rest, &v))
		if (v.type == TYPE_TLS)
			read_tls(v.bytes, out);
	return rest.len == 0;
}

static long decode_binary(struct span bytes, struct proxy_header *out, const char **reason_out)
{
	*reason_out = "header of the PROXY protocol that is not as version 2 has it";
	if (bytes.len < FIXED_BYTES)
		return 0;
	uint8_t command = bytes.ptr[12], family = bytes.ptr[13] >> 4;
	size_t len = load_u16(bytes.ptr + 14);
	if ((command != COMMAND_LOCAL && command != COMMAND_PROXY) || family > FAMILY_UNIX)
		return ERROR_INVALID;
	if (FIXED_BYTES + len > PROXY_HEADER_BYTES) {
		*reason_out = "header of the PROXY protocol that is too long";
		return ERROR_INVALID;
	}
	if (bytes.len < FIXED_BYTES + len)
		return 0;
	if (command == COMMAND_PROXY &&
	    !read_body(family, span_of(bytes.ptr + FIXED_BYTES, len), out))
		return ERROR_INVALID;
	return (long)(FIXED_BYTES + len);
}

static bool begins_like(struct span bytes, const char *text, size_t len)
{
	size_t known = bytes.len < len ? bytes.len : len;
	return memcmp(bytes.ptr, text, known) == 0;
}

long proxy_header_decode(struct span bytes, struct proxy_header *out, const char **reason_out)
{
	out->address[0] = out->name[0] = '\0';
	out->has_tls = out->has_certificate = false;
	if (bytes.len == 0)
		return 0;
	if (begins_like(bytes, SIGNATURE, SIGNATURE_BYTES))
		return decode_binary(bytes, out, reason_out);
	if (begins_like(bytes, "PROXY ", 6))
		return decode_line(bytes, out, reason_out);
	*reason_out = "no header of the PROXY protocol on a port where proxies speak";
	return ERROR_INVALID;
}

/* --- the layer --- */

struct proxy {
	struct layer layer;
	struct proxy_terms terms;
	bool is_open;
	uint8_t *bytes; /* the header, then what came behind it; freed when that was read */
	uint32_t len, at;
	struct proxy_header header;
	struct proxy_judge judge;
};

static struct proxy *proxy_of(struct layer *l)
{
	return CONTAINER_OF(l, struct proxy, layer);
}

static bool is_admitted(const struct proxy *p)
{
	return !p->judge.admits || !p->header.address[0] ||
	       p->judge.admits(p->judge.context, p->header.address);
}

/* NULL: it may come in. */
static const char *find_objection(const struct proxy *p)
{
	if (p->terms.must_have_tls && !p->header.has_tls)
		return "header of the PROXY protocol without TLS, which is asked for";
	if (p->terms.must_have_certificate && !p->header.has_certificate)
		return "header of the PROXY protocol without a verified certificate, which is "
		       "asked for";
	return NULL;
}

static int proxy_open(struct layer *l)
{
	struct proxy *p = proxy_of(l);
	if (p->is_open)
		return 0;
	if (!p->bytes && !(p->bytes = mem_alloc(PROXY_HEADER_BYTES)))
		return ERROR_NO_MEMORY;
	for (;;) {
		long len = proxy_header_decode(span_of(p->bytes, p->len), &p->header, &l->reason);
		if (len < 0)
			return ERROR_CLOSED;
		if (len > 0 && !is_admitted(p)) {
			l->reason = "its address is banned for what was done before";
			return ERROR_CLOSED;
		}
		if (len > 0) {
			p->at = (uint32_t)len;
			l->reason = find_objection(p);
			p->is_open = !l->reason;
			l->has_more = p->len > p->at;
			return l->reason ? ERROR_CLOSED : 0;
		}
		ASSERT(p->len < PROXY_HEADER_BYTES); /* or it would have been whole, or wrong */
		l->reason = NULL;
		long n = layer_read(l->below,
				    (struct room){p->bytes + p->len, PROXY_HEADER_BYTES - p->len});
		if (n <= 0)
			return n == ERROR_AGAIN ? ERROR_AGAIN : ERROR_CLOSED;
		p->len += (uint32_t)n;
	}
}

static long proxy_read(struct layer *l, struct room room)
{
	struct proxy *p = proxy_of(l);
	size_t len = p->len - p->at;
	if (!p->bytes || len == 0) {
		mem_free(p->bytes);
		p->bytes = NULL;
		return layer_read(l->below, room);
	}
	if (len > room.len)
		len = room.len;
	memcpy(room.ptr, p->bytes + p->at, len);
	p->at += (uint32_t)len;
	l->has_more = p->len > p->at;
	return (long)len;
}

static long proxy_write(struct layer *l, const struct span *parts, unsigned count)
{
	return count == 0 ? 0 : layer_write(l->below, parts, count);
}

static void proxy_free(struct layer *l)
{
	struct proxy *p = proxy_of(l);
	mem_free(p->bytes);
	mem_free(p);
}

static void proxy_peer(const struct layer *l, struct stream_peer *peer)
{
	const struct proxy *p = CONTAINER_OF((struct layer *)(uintptr_t)l, struct proxy, layer);
	if (!peer->address && p->header.address[0])
		peer->address = p->header.address;
	if (!p->terms.gives_name || peer->user_name)
		return;
	peer->user_name = p->header.name[0] ? p->header.name : NULL;
	peer->lacks_user_name = !p->header.name[0];
}

struct layer *proxy_layer_new(const struct proxy_terms *terms, const struct proxy_judge *judge)
{
	static const struct layer_ops ops = {
		.open = proxy_open,
		.read = proxy_read,
		.write = proxy_write,
		.free = proxy_free,
		.peer = proxy_peer,
	};
	struct proxy *p = mem_zalloc(sizeof(*p));
	if (!p)
		return NULL;
	p->layer.ops = &ops;
	p->terms = *terms;
	if (judge)
		p->judge = *judge;
	return &p->layer;
}
