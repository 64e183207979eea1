/* SPDX-License-Identifier: Apache-2.0 */
#include "daemon/log_topic.h"

#include "base/mem.h"

void log_topic_release(struct log_topic *t)
{
	mem_free(t->lines);
	*t = (struct log_topic){0};
}

void log_topic_add(struct log_topic *t, const char *topic, struct span text)
{
	if (!t->lines)
		t->lines = mem_alloc(LOG_TOPIC_LINES_MAX * sizeof(*t->lines));
	if (!t->lines || t->count == LOG_TOPIC_LINES_MAX)
		return;
	struct log_topic_line *line = &t->lines[(t->first + t->count) % LOG_TOPIC_LINES_MAX];
	size_t len = text.len < sizeof(line->text) ? text.len : sizeof(line->text);
	while (len < text.len && len > 0 && (text.ptr[len] & 0xc0) == 0x80)
		len--; /* not within a character: the payload is UTF-8 */
	memcpy(line->text, text.ptr, len);
	line->topic = topic;
	line->len = (uint32_t)len;
	if (t->count++ == 0 && t->wake)
		t->wake(t->context);
}

bool log_topic_take(struct log_topic *t, struct log_topic_line *line_out)
{
	if (t->count == 0)
		return false;
	*line_out = t->lines[t->first];
	t->first = (t->first + 1) % LOG_TOPIC_LINES_MAX;
	t->count--;
	return true;
}
