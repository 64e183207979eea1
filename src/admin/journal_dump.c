/* SPDX-License-Identifier: Apache-2.0 */
/* One line per record, in log order. */
#include "admin/journal_tool.h"

#include "admin/clients.h"
#include "broker/record.h"
#include "mqtt/packets.h"
#include "queue/message.h"

#include <inttypes.h>
#include <stdio.h>

struct dump {
	const struct journal_tool *tool;
	struct clients clients;
	bool is_unwritten;
};

/* A line under way: fields appear in the order in which they are put. */
struct line {
	json_t *json; /* NULL for text */
};

static void put_text(struct line *l, const char *name, struct span text)
{
	if (l->json) {
		json_object_set_new(l->json, name, journal_text(text));
		return;
	}
	printf(" %s=", name);
	journal_print_text(text);
}

static void put_number(struct line *l, const char *name, uint64_t value)
{
	if (l->json)
		json_object_set_new(l->json, name, json_integer((json_int_t)value));
	else
		printf(" %s=%" PRIu64, name, value);
}

static void put_position(struct line *l, const char *name, uint64_t position)
{
	put_text(l, name, span_of_text(journal_position(position)));
}

static void put_client(struct line *l, const struct dump *d, uint64_t log_id)
{
	const struct client *client = clients_find(&d->clients, log_id);
	if (log_id == 0)
		return;
	if (client)
		put_text(l, "client", span_of(client->name, client->name_len));
	else
		put_position(l, "session", log_id);
}

static void put_message(struct line *l, const struct message *m)
{
	put_text(l, "topic", message_topic(m));
	put_number(l, "qos", m->qos);
	put_number(l, "retain", m->retain);
	put_number(l, "size", m->payload_len);
}

/* A SUBSCRIBE names several: text repeats the words, JSON has an array. */
static void put_filter(struct line *l, json_t *filters, struct span filter, int qos)
{
	if (!l->json) {
		put_text(l, "filter", filter);
		if (qos >= 0)
			put_number(l, "qos", (uint64_t)qos);
		return;
	}
	json_t *one = json_pack("{s:o}", "filter", journal_text(filter));
	if (qos >= 0)
		json_object_set_new(one, "qos", json_integer(qos));
	json_array_append_new(filters, one);
}

static void put_filters(struct line *l, const struct command *c)
{
	struct span rest = command_text(c), filter;
	struct subscription_options options;
	json_t *filters = l->json ? json_array() : NULL;
	if (c->kind == COMMAND_SUBSCRIBE) {
		while (subscribe_next(&rest, &filter, &options))
			put_filter(l, filters, filter, options.qos);
	} else {
		while (unsubscribe_next(&rest, &filter))
			put_filter(l, filters, filter, -1);
	}
	if (l->json)
		json_object_set_new(l->json, "filters", filters);
}

static void put_command(struct line *l, const struct dump *d, const struct command *c)
{
	put_client(l, d, c->session_id);
	switch (c->kind) {
	case COMMAND_CONNECT:
		put_text(l, "client", command_text(c));
		put_number(l, "clean", c->connect->clean_start);
		put_number(l, "expiry", c->connect->expiry_interval);
		break;
	case COMMAND_PUBLISH: put_message(l, c->message); break;
	case COMMAND_SUBSCRIBE:
	case COMMAND_UNSUBSCRIBE: put_filters(l, c); break;
	case COMMAND_FINISH:
		put_number(l, "from", c->from);
		put_number(l, "to", c->to);
		break;
	case COMMAND_RECEIVED: put_number(l, "from", c->from); break;
	case COMMAND_GIVE:
		put_position(l, "message", c->given);
		put_number(l, "qos", c->qos);
		break;
	case COMMAND_REPLAYED: put_position(l, "subscribe", c->asked); break;
	case COMMAND_RETURN: put_position(l, "message", c->given); break;
	case COMMAND_AWAY: put_number(l, "sent_to", c->sent_to); break;
	default: break;
	}
	if (c->packet_id)
		put_number(l, "packet_id", c->packet_id);
}

static void begin_line(struct line *l, const struct dump *d, uint64_t position, const char *kind)
{
	l->json = d->tool->is_json ? json_object() : NULL;
	if (!l->json) {
		printf("%s %s", journal_position(position), kind);
		return;
	}
	put_position(l, "position", position);
	put_text(l, "kind", span_of_text(kind));
}

static void end_line(struct line *l, struct dump *d)
{
	if (l->json)
		d->is_unwritten |= !journal_print(l->json, true);
	else
		d->is_unwritten |= putchar('\n') == EOF;
}

static void on_record(void *context, uint64_t position, struct span body)
{
	struct dump *d = context;
	struct command *c = NULL;
	struct line l;
	bool is_ours = record_decode(body, position, &c) == 0;
	begin_line(&l, d, position, is_ours ? command_kind_name(c->kind) : "unknown");
	if (is_ours && c->kind == COMMAND_CONNECT)
		clients_add(&d->clients, position, command_text(c));
	if (is_ours)
		put_command(&l, d, c);
	put_number(&l, "bytes", body.len);
	end_line(&l, d);
	if (is_ours)
		command_free(c);
}

static void on_damage(void *context, const struct journal_damage *damage)
{
	struct dump *d = context;
	struct line l;
	begin_line(&l, d, damage->from, "damage");
	put_position(&l, "to", damage->to);
	if (damage->file)
		put_text(&l, "file", span_of_text(damage->file));
	end_line(&l, d);
}

static void ignore_segment(void *context, const struct journal_segment *segment)
{
	(void)context;
	(void)segment;
}

static void on_image(void *context, const char *file, uint64_t position, struct span image,
		     bool is_whole)
{
	struct dump *d = context;
	struct line l;
	begin_line(&l, d, position, is_whole ? "image" : "damaged image");
	put_text(&l, "file", span_of_text(file));
	put_number(&l, "bytes", image.len);
	end_line(&l, d);
}

int journal_dump(struct journal_tool *t)
{
	char reason[JOURNAL_REASON_MAX];
	struct dump d = {.tool = t};
	struct journal_survey survey = {
		.context = &d,
		.segment = ignore_segment,
		.image = on_image,
		.record = on_record,
		.damage = on_damage,
	};
	clients_init(&d.clients);
	int status = JOURNAL_SOUND;
	if (journal_survey(t->disk, &survey, reason) != 0)
		status = journal_complain("cannot dump '%s': %s", t->path, reason);
	else if (d.is_unwritten || d.clients.is_out_of_memory)
		status = journal_complain("cannot print all");
	clients_release(&d.clients);
	return status;
}
