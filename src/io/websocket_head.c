/* SPDX-License-Identifier: Apache-2.0 */
/* The opening handshake (RFC 6455, 4): one head each way. */
#include "io/websocket_inside.h"

#include <arpa/inet.h>
#include <stdio.h>
#include <unistd.h>

#include "base/mem.h"
#include "io/http_head.h"
#include "io/sha1.h"

#define KEY_LEN 24 /* sixteen bytes in base 64 */
/* Room for one read while the head is not whole. */
#define READ_BYTES 1024u

static void encode_base64(const uint8_t *bytes, size_t len, char *text)
{
	static const char letters[] =
		"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";
	for (size_t i = 0; i < len; i += 3) {
		uint32_t group = (uint32_t)bytes[i] << 16;
		group |= i + 1 < len ? (uint32_t)bytes[i + 1] << 8 : 0;
		group |= i + 2 < len ? bytes[i + 2] : 0;
		*text++ = letters[group >> 18];
		*text++ = letters[group >> 12 & 63];
		*text++ = i + 1 < len ? letters[group >> 6 & 63] : '=';
		*text++ = i + 2 < len ? letters[group & 63] : '=';
	}
	*text = '\0';
}

/* RFC 6455, 4.2.2, 5.4 */
static void make_accept(struct span key, char text[32])
{
	static const char magic[] = "258EAFA5-E914-47DA-95CA-C5AB0DC85B11";
	uint8_t joined[SHA1_INPUT_MAX], digest[SHA1_BYTES];
	memcpy(joined, key.ptr, key.len);
	memcpy(joined + key.len, magic, sizeof(magic) - 1);
	sha1(span_of(joined, key.len + sizeof(magic) - 1), digest);
	encode_base64(digest, sizeof(digest), text);
}

/* --- reading a head --- */

/* 0 when it is whole; what came behind it stays in the buffer, from head_at on. */
static int read_head(struct websocket *w, uint32_t bytes_max)
{
	for (;;) {
		size_t len = http_head_len(span_of(w->head, w->head_len));
		if (len > 0) {
			w->head_at = (uint32_t)len;
			return 0;
		}
		if (w->head_len >= bytes_max)
			return ERROR_LIMIT;
		uint32_t room = bytes_max - w->head_len;
		if (room > READ_BYTES)
			room = READ_BYTES;
		uint8_t *head = mem_realloc(w->head, w->head_len + room);
		if (!head)
			return ERROR_NO_MEMORY;
		w->head = head;
		long n = layer_read(w->layer.below, (struct room){head + w->head_len, room});
		if (n <= 0)
			return n == ERROR_AGAIN ? ERROR_AGAIN : ERROR_CLOSED;
		w->head_len += (uint32_t)n;
	}
}

/* --- server --- */

struct refusal {
	const char *status; /* NULL: none */
	const char *sentence;
	const char *extra; /* one more header */
};

static struct refusal bad(const char *sentence)
{
	return (struct refusal){"400 Bad Request", sentence, ""};
}

static bool is_key(struct span key)
{
	return key.len == KEY_LEN && key.ptr[KEY_LEN - 1] == '=' && key.ptr[KEY_LEN - 2] == '=';
}

static bool may_come_from(const char *origins, struct span origin)
{
	struct span list = span_of_text(origins), element;
	while (http_list_take(&list, &element))
		if (element.len == origin.len && memcmp(element.ptr, origin.ptr, origin.len) == 0)
			return true;
	return false;
}

static struct refusal judge(const struct websocket_settings *s, const struct http_head *h)
{
	if (!http_text_is(h->first[0], "GET"))
		return (struct refusal){"405 Method Not Allowed",
					"this port is for MQTT over WebSocket: GET opens one",
					"Allow: GET\r\n"};
	if (!http_text_is(h->first[2], "HTTP/1.1"))
		return bad("a WebSocket is opened with HTTP/1.1");
	if (!http_list_has(h, "Upgrade", "websocket") || !http_list_has(h, "Connection", "upgrade"))
		return (struct refusal){"426 Upgrade Required",
					"this port is for MQTT over WebSocket, not for pages",
					"Upgrade: websocket\r\nConnection: Upgrade\r\n"};
	if (!http_text_is(http_field(h, "Sec-WebSocket-Version"), "13"))
		return (struct refusal){"426 Upgrade Required",
					"only version 13 of WebSocket is spoken here",
					"Sec-WebSocket-Version: 13\r\n"};
	if (!is_key(http_field(h, "Sec-WebSocket-Key")))
		return bad("Sec-WebSocket-Key is missing, or no key");
	if (!http_list_has(h, "Sec-WebSocket-Protocol", "mqtt") &&
	    !http_list_has(h, "Sec-WebSocket-Protocol", "mqttv3.1"))
		return bad("the subprotocol mqtt is not asked for"); /* [MQTT-6.0.0-3] */
	struct span origin = http_field(h, "Origin");
	if (s->origins && !may_come_from(s->origins, origin))
		return (struct refusal){"403 Forbidden",
					"pages of this origin may not connect here", ""};
	return (struct refusal){0};
}

static int refuse(struct websocket *w, struct refusal r)
{
	char text[512];
	w->state = WEBSOCKET_ANSWER;
	w->is_refused = true;
	w->layer.reason = r.sentence;
	int len = snprintf(text, sizeof(text),
			   "HTTP/1.1 %s\r\nContent-Type: text/plain\r\nContent-Length: %zu\r\n"
			   "%sConnection: close\r\n\r\n%s.\n",
			   r.status, strlen(r.sentence) + 2, r.extra, r.sentence);
	return websocket_say(w, text, (size_t)len);
}

/* [MQTT-6.0.0-4] */
static int accept_client(struct websocket *w, const struct http_head *h)
{
	char accept[32], text[256];
	bool is_old = !http_list_has(h, "Sec-WebSocket-Protocol", "mqtt");
	make_accept(http_field(h, "Sec-WebSocket-Key"), accept);
	w->state = WEBSOCKET_ANSWER;
	int len = snprintf(text, sizeof(text),
			   "HTTP/1.1 101 Switching Protocols\r\nUpgrade: websocket\r\n"
			   "Connection: Upgrade\r\nSec-WebSocket-Accept: %s\r\n"
			   "Sec-WebSocket-Protocol: %s\r\n\r\n",
			   accept, is_old ? "mqttv3.1" : "mqtt");
	return websocket_say(w, text, (size_t)len);
}

/* The last one: those before it are what the client itself may have claimed. */
static struct span forwarded_address(const struct http_head *h)
{
	struct span list, element, last = SPAN_NONE;
	size_t at = 0;
	while (http_field_next(h, "X-Forwarded-For", &at, &list))
		while (http_list_take(&list, &element))
			last = element;
	return last.len > 0 ? last : http_field(h, "X-Real-IP");
}

static int learn_address(struct websocket *w, const struct http_head *h)
{
	char text[INET6_ADDRSTRLEN];
	uint8_t room[sizeof(struct in6_addr)];
	struct span address = forwarded_address(h);
	if (address.len == 0 || address.len >= sizeof(text))
		return 0;
	memcpy(text, address.ptr, address.len);
	text[address.len] = '\0';
	if (inet_pton(AF_INET, text, room) != 1 && inet_pton(AF_INET6, text, room) != 1)
		return 0;
	w->forwarded = mem_copy_text(address);
	return w->forwarded ? 0 : ERROR_NO_MEMORY;
}

static int answer(struct websocket *w)
{
	struct http_head head;
	const char *flaw = http_head_parse(span_of(w->head, w->head_at), &head);
	struct refusal refusal = flaw ? bad(flaw) : judge(w->settings, &head);
	if (refusal.status)
		return refuse(w, refusal);
	int error = w->settings->trusts_forwarded ? learn_address(w, &head) : 0;
	return error ? error : accept_client(w, &head);
}

static int serve(struct websocket *w)
{
	static const struct refusal too_large = {"431 Request Header Fields Too Large",
						 "the head of the request is too large", ""};
	int error = read_head(w, w->settings->head_bytes_max);
	if (error == ERROR_LIMIT)
		return refuse(w, too_large);
	if (error == ERROR_CLOSED && !w->layer.reason && w->head_len > 0)
		w->layer.reason = "closed in the middle of the WebSocket's head";
	return error ? error : answer(w);
}

/* --- client --- */

static int check_answer(struct websocket *w)
{
	struct http_head head;
	const char *flaw = http_head_parse(span_of(w->head, w->head_at), &head);
	if (flaw)
		w->layer.reason = "the server's answer is no HTTP";
	else if (!http_text_is(head.first[1], "101"))
		w->layer.reason = "the server opens no WebSocket there";
	else if (!http_text_is(http_field(&head, "Sec-WebSocket-Accept"), w->expected_key))
		w->layer.reason = "the server's answer is to another request";
	else if (!http_text_is(http_field(&head, "Sec-WebSocket-Protocol"), "mqtt"))
		w->layer.reason =
			"the server does not speak mqtt over WebSocket"; /* [MQTT-6.0.0-3] */
	if (w->layer.reason)
		return ERROR_CLOSED;
	w->state = WEBSOCKET_OPEN;
	return 0;
}

static int make_request(struct websocket *w)
{
	uint8_t bytes[16];
	char key[32], text[1024];
	if (getentropy(bytes, sizeof(bytes)) != 0)
		return ERROR_SYSTEM;
	encode_base64(bytes, sizeof(bytes), key);
	make_accept(span_of(key, KEY_LEN), w->expected_key);
	int len = snprintf(text, sizeof(text),
			   "GET %sUpgrade: websocket\r\nConnection: Upgrade\r\n"
			   "Sec-WebSocket-Version: 13\r\nSec-WebSocket-Key: %s\r\n"
			   "Sec-WebSocket-Protocol: mqtt\r\n\r\n",
			   w->request, key);
	mem_free(w->request);
	w->request = NULL;
	if (len < 0 || (size_t)len >= sizeof(text))
		return ERROR_LIMIT;
	return websocket_say(w, text, (size_t)len);
}

static int ask(struct websocket *w)
{
	int error = w->request ? make_request(w) : 0;
	if (error == 0)
		error = websocket_flush_out(w);
	if (error == 0)
		error = read_head(w, WEBSOCKET_HEAD_BYTES);
	if (error == ERROR_LIMIT)
		w->layer.reason = "the server's answer is too large";
	return error ? error : check_answer(w);
}

static void begin_frames(struct websocket *w)
{
	w->state = WEBSOCKET_OPEN;
	mem_free(w->settings);
	w->settings = NULL;
}

int websocket_shake(struct websocket *w)
{
	int error = 0;
	if (w->is_client)
		error = ask(w);
	else if (w->state == WEBSOCKET_HEAD)
		error = serve(w);
	if (error == 0 && w->state == WEBSOCKET_ANSWER) {
		error = websocket_flush_out(w);
		if (error == 0 && !w->is_refused)
			begin_frames(w);
		else if (error == 0)
			error = ERROR_CLOSED;
	}
	if (error == ERROR_AGAIN || error == ERROR_NO_MEMORY || error == 0)
		return error;
	w->state = WEBSOCKET_OVER;
	return ERROR_CLOSED;
}
