/* SPDX-License-Identifier: Apache-2.0 */
#include "trace/fault.h"

#include "mqtt/wire.h"

int fault_add(struct fault_table *t, const struct fault_rule *rule)
{
	if (rule->kind > FAULT_CUT || rule->type > PACKET_AUTH || rule->count == 0)
		return ERROR_INVALID;
	/* those that are over make room */
	uint32_t kept = 0;
	for (uint32_t i = 0; i < t->rule_count; i++)
		if (t->rules[i].count > 0)
			t->rules[kept++] = t->rules[i];
	t->rule_count = kept;
	if (t->rule_count == FAULT_RULES_MAX)
		return ERROR_LIMIT;
	t->rules[t->rule_count++] = *rule;
	return 0;
}

/* The rule that happens to the next packet of this type, or NULL. */
static const struct fault_rule *judge(struct fault_table *t, bool is_outgoing, uint8_t type)
{
	for (uint32_t i = 0; i < t->rule_count; i++) {
		struct fault_rule *r = &t->rules[i];
		if (r->count == 0 || r->is_outgoing != is_outgoing || (r->type && r->type != type))
			continue;
		if (r->skip > 0) {
			r->skip--;
			continue;
		}
		r->count--;
		t->happened_count++;
		return r;
	}
	return NULL;
}

/* The length of the packet at the beginning; 0: it is not all there. */
static size_t packet_len(struct fault_stream *s, struct span bytes)
{
	struct fixed_header header;
	const struct flaw *flaw;
	enum header_result result = fixed_header_decode_3_1(bytes, &header, &flaw);
	if (result == HEADER_MALFORMED) {
		s->is_raw = true;
		return bytes.len;
	}
	if (result == HEADER_INCOMPLETE)
		return 0;
	size_t len = (size_t)header.header_len + header.remaining_length;
	return len <= bytes.len ? len : 0;
}

/* Passes bytes on, up to the cut. */
static int emit(struct fault_stream *s, struct span bytes, struct buffer *out)
{
	bool is_end = s->is_cutting && bytes.len >= s->left;
	if (is_end)
		bytes.len = s->left;
	int error = buffer_append(out, bytes);
	if (error)
		return error;
	s->left -= s->is_cutting ? (uint32_t)bytes.len : 0;
	return is_end ? ERROR_CLOSED : 0;
}

/* What happens to the packet; `copies_out`: how often it passes. False: not now. */
static bool decide(struct fault_stream *s, struct fault_table *t, uint8_t type, uint64_t now_ms,
		   unsigned *copies_out)
{
	const struct fault_rule *r =
		s->is_judged || s->is_raw || s->is_cutting ? NULL : judge(t, s->is_outgoing, type);
	s->is_judged = false;
	*copies_out = 1;
	if (!r)
		return true;
	switch (r->kind) {
	case FAULT_DROP: *copies_out = 0; break;
	case FAULT_DUPLICATE: *copies_out = 2; break;
	case FAULT_DELAY:
		s->is_judged = true;
		s->due_ms = now_ms + r->delay_ms;
		return false;
	case FAULT_CUT:
		s->is_cutting = true;
		s->left = r->after_bytes;
		break;
	}
	return true;
}

int fault_pass(struct fault_stream *s, struct fault_table *t, struct span bytes, uint64_t now_ms,
	       struct buffer *out)
{
	int error = buffer_append(&s->waiting, bytes);
	while (!error && buffer_len(&s->waiting) > 0 && now_ms >= s->due_ms) {
		struct span rest = buffer_content(&s->waiting);
		size_t len = packet_len(s, rest);
		unsigned copies;
		if (len == 0 || !decide(s, t, rest.ptr[0] >> 4, now_ms, &copies))
			break;
		for (unsigned i = 0; i < copies && !error; i++)
			error = emit(s, span_of(rest.ptr, len), out);
		buffer_consume(&s->waiting, len);
	}
	return error;
}

uint64_t fault_due(const struct fault_stream *s)
{
	return s->is_judged ? s->due_ms : UINT64_MAX;
}

void fault_stream_release(struct fault_stream *s)
{
	buffer_release(&s->waiting);
	*s = (struct fault_stream){.is_outgoing = s->is_outgoing};
}
