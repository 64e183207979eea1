/* SPDX-License-Identifier: Apache-2.0 */
#include "cli/show.h"

#include "cli/format.h"

#include <stdio.h>

struct publish show_publish_of(const nj_message *m)
{
	struct nj_bytes payload = nj_message_payload(m), properties = nj_message_properties(m);
	return (struct publish){.topic = span_of_text(nj_message_topic(m)),
				.payload = span_of(payload.ptr, payload.len),
				.dup = nj_message_dup(m),
				.qos = nj_message_qos(m),
				.retain = nj_message_retain(m),
				.packet_id = nj_message_packet_id(m),
				.properties.raw = span_of(properties.ptr, properties.len)};
}

static void print_formatted(const struct options *o, const struct publish *message)
{
	struct format format = {.text = o->format, .is_pretty = o->is_pretty};
	struct timespec now;
	clock_gettime(CLOCK_REALTIME, &now);
	format_print(stdout, &format, message, &now);
}

static void print_plainly(bool is_verbose, const struct publish *message)
{
	if (is_verbose) {
		fwrite(message->topic.ptr, 1, message->topic.len, stdout);
		fputc(' ', stdout);
	}
	if (message->payload.len > 0)
		fwrite(message->payload.ptr, 1, message->payload.len, stdout);
	else
		fputs("(null)", stdout);
}

void show_message(const struct options *o, const struct publish *message)
{
	bool is_empty = message->payload.len == 0;
	if (o->format)
		print_formatted(o, message);
	else if (is_empty && (!o->is_verbose || o->has_no_newline))
		return; /* as mosquitto_sub: not even a newline */
	else
		print_plainly(o->is_verbose, message);
	if (!o->has_no_newline)
		fputc('\n', stdout);
}
