/* SPDX-License-Identifier: Apache-2.0 */
#include "access/service.h"

#include "base/hash.h"
#include "base/mem.h"
#include "mqtt/wire.h"

#include <jansson.h>
#include <stdio.h>

struct service *service_new(const struct service_options *o, uint64_t seed)
{
	struct service *s = mem_zalloc(sizeof(*s));
	if (!s)
		return NULL;
	s->has_form = o->has_form;
	s->timeout_ms = o->timeout_ms;
	s->cache_ms = o->cache_ms;
	s->connections_max = o->connections_max;
	s->stamp = hash_bytes(span_of_text(o->url), seed);
	s->url = mem_copy_text(span_of_text(o->url));
	s->header = o->header ? mem_copy_text(span_of_text(o->header)) : NULL;
	s->ca_file = o->ca_file ? mem_copy_text(span_of_text(o->ca_file)) : NULL;
	if (s->url && !s->header == !o->header && !s->ca_file == !o->ca_file)
		return s;
	service_free(s);
	return NULL;
}

void service_free(struct service *s)
{
	if (!s)
		return;
	mem_free(s->url);
	mem_free(s->header);
	mem_free(s->ca_file);
	mem_free(s);
}

const char *service_content_type(const struct service *s)
{
	return s->has_form ? "Content-Type: application/x-www-form-urlencoded"
			   : "Content-Type: application/json";
}

/* Texts of the question, in the order in which they are sent; `value` NULL: left out. */
struct member {
	const char *name;
	const struct span *value;
};
#define MEMBER_COUNT 5

static void list_members(const struct service_question *q, struct member members[MEMBER_COUNT])
{
	const struct member all[MEMBER_COUNT] = {
		{"clientid", &q->client_id},
		{"username", q->user_name},
		{"password", q->password},
		{"address", &q->address},
		{"certificate", q->certificate.len > 0 ? &q->certificate : NULL},
	};
	memcpy(members, all, sizeof(all));
}

/* What need not be written as %XX in a form. */
static bool is_plain(uint8_t letter)
{
	return (letter >= 'a' && letter <= 'z') || (letter >= 'A' && letter <= 'Z') ||
	       (letter >= '0' && letter <= '9') || (letter != 0 && strchr("-._~", letter));
}

static int put_encoded(struct buffer *body, struct span value)
{
	char hex[4];
	int error = 0;
	for (size_t i = 0; i < value.len && !error; i++) {
		snprintf(hex, sizeof(hex), "%%%02X", value.ptr[i]);
		error = is_plain(value.ptr[i]) ? buffer_append(body, span_of(&value.ptr[i], 1))
					       : buffer_append(body, span_of(hex, 3));
	}
	return error;
}

static int put_form(const struct member *members, uint16_t port, struct buffer *body)
{
	char first[16];
	int len = snprintf(first, sizeof(first), "port=%u", port);
	int error = buffer_append(body, span_of(first, (size_t)len));
	for (size_t i = 0; i < MEMBER_COUNT && !error; i++) {
		if (!members[i].value)
			continue;
		error = buffer_append(body, SPAN_LITERAL("&"));
		if (!error)
			error = buffer_append(body, span_of_text(members[i].name));
		if (!error)
			error = buffer_append(body, SPAN_LITERAL("="));
		if (!error)
			error = put_encoded(body, *members[i].value);
	}
	return error;
}

static int append_dump(const char *text, size_t len, void *body)
{
	return buffer_append(body, span_of(text, len));
}

static int put_json(const struct member *members, uint16_t port, struct buffer *body)
{
	json_t *object = json_object();
	int error = json_object_set_new(object, "port", json_integer(port)) ? ERROR_NO_MEMORY : 0;
	for (size_t i = 0; i < MEMBER_COUNT && !error; i++) {
		const struct span *value = members[i].value;
		if (!value)
			continue;
		json_t *text =
			json_stringn(value->len > 0 ? (const char *)value->ptr : "", value->len);
		if (!text || json_object_set_new(object, members[i].name, text))
			error = ERROR_INVALID;
	}
	if (!error && json_dump_callback(object, append_dump, body, JSON_COMPACT))
		error = ERROR_NO_MEMORY;
	json_decref(object);
	return error;
}

int service_put_question(const struct service *s, const struct service_question *q,
			 struct buffer *body)
{
	struct member members[MEMBER_COUNT];
	list_members(q, members);
	return s->has_form ? put_form(members, q->port, body) : put_json(members, q->port, body);
}

static enum login_result result_of(const json_t *answer)
{
	const char *result = json_string_value(json_object_get(answer, "result"));
	if (!result)
		return LOGIN_SERVICE;
	if (strcmp(result, "allow") == 0)
		return LOGIN_KNOWN;
	if (strcmp(result, "deny") == 0)
		return LOGIN_WRONG;
	return strcmp(result, "ignore") == 0 ? LOGIN_UNKNOWN : LOGIN_SERVICE;
}

/* What it says of a client that may come in. */
static enum login_result read_details(const json_t *answer, struct service_answer *out)
{
	const json_t *name = json_object_get(answer, "username");
	const json_t *until = json_object_get(answer, "expire_at");
	const char *text = json_string_value(name);
	if ((until && !json_is_integer(until)) || (name && !text))
		return LOGIN_SERVICE;
	if (text && (!*text || !utf8_is_valid(span_of_text(text))))
		return LOGIN_SERVICE;
	if (until && json_integer_value(until) <= 0)
		return LOGIN_WRONG;
	*out = (struct service_answer){.until_s = (uint64_t)json_integer_value(until)};
	out->user_name = text ? mem_copy_text(span_of_text(text)) : NULL;
	return text && !out->user_name ? LOGIN_FAILED : LOGIN_KNOWN;
}

static enum login_result read_body(struct span body, struct service_answer *out)
{
	json_error_t error;
	json_t *answer =
		json_loadb((const char *)body.ptr, body.len, JSON_REJECT_DUPLICATES, &error);
	enum login_result result = result_of(answer);
	if (result == LOGIN_KNOWN)
		result = read_details(answer, out);
	json_decref(answer);
	return result;
}

enum login_result service_read_answer(long status, struct span body, struct service_answer *out)
{
	if (status == 401 || status == 403)
		return LOGIN_WRONG;
	if (status != 200 && status != 204)
		return LOGIN_SERVICE;
	if (body.len > 0)
		return read_body(body, out);
	*out = (struct service_answer){0};
	return LOGIN_KNOWN;
}
