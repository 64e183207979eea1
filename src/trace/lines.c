/* SPDX-License-Identifier: Apache-2.0 */
/* The words are those of mosquitto's log, which MQTT users know; where it is vague, clearer ones. */
#include "trace/lines.h"

#include "mqtt/reason.h"
#include "trace/line_text.h"

/* "[::1]:43210" is written "::1:43210", as mosquitto does. */
static void write_address(struct line_text *t, struct span address)
{
	for (size_t i = 0; i < address.len; i++) {
		if (address.ptr[i] != '[' && address.ptr[i] != ']')
			line_foreign(t, span_of(address.ptr + i, 1));
	}
}

/* The client; before it has a name, the address. */
static void write_client(struct line_text *t, const struct event_detail *d)
{
	if (d->client_id.len > 0)
		line_foreign(t, d->client_id);
	else if (d->address.len > 0)
		write_address(t, d->address);
	else
		line_sentence(t, "<unknown>");
}

/* "Client NAME [ADDRESS]", or "Connection from ADDRESS" before it has a name. */
static void write_client_and_address(struct line_text *t, const struct event_detail *d)
{
	line_sentence(t, d->client_id.len > 0 ? "Client " : "Connection from ");
	write_client(t, d);
	if (d->client_id.len == 0 || d->address.len == 0)
		return;
	line_sentence(t, " [");
	write_address(t, d->address);
	line_sentence(t, "]");
}

static void write_code(struct line_text *t, const struct event *e, unsigned packet)
{
	line_words(t, "0x%02X %s", e->reason_code,
		   reason_name(e->reason_code, (enum packet_type)packet));
}

/* The event's own sentence and the reason code, or the name of the code alone. */
static void write_why(struct line_text *t, const struct event *e, const struct event_detail *d,
		      unsigned packet)
{
	if (d->text) {
		line_sentence(t, d->text);
		if (e->reason_code >= REASON_UNSPECIFIED_ERROR) {
			line_sentence(t, " (");
			write_code(t, e, packet);
			line_sentence(t, ")");
		}
	} else {
		line_words(t, "%s (0x%02X)", reason_name(e->reason_code, (enum packet_type)packet),
			   e->reason_code);
	}
}

static void write_opened(struct line_text *t, const struct event *e, const struct event_detail *d)
{
	line_begin(t, LOG_TYPE_CONNECTION);
	line_sentence(t, "New connection from ");
	write_address(t, d->address);
	line_words(t, " on port %u.", e->number);
}

/* Lines of which a peer could cause any number. */
static void write_left_out(struct line_text *t, const struct event *e)
{
	if (e->number > 0)
		line_words(t, " (%u like it were not shown.)", e->number);
}

static void write_refused(struct line_text *t, const struct event *e, const struct event_detail *d)
{
	line_begin(t, LOG_TYPE_NOTICE);
	write_client_and_address(t, d);
	line_sentence(t, " refused: ");
	write_why(t, e, d, PACKET_CONNACK);
	line_sentence(t, ".");
	write_left_out(t, e);
}

static void write_will(struct line_text *t, const struct event *e, const struct event_detail *d)
{
	line_begin(t, LOG_TYPE_DEBUG);
	if ((e->flags & EVENT_FLAG_WILL) == 0 || !d->will) {
		line_sentence(t, "No will message specified.");
		return;
	}
	line_words(t, "Will message specified (%u bytes) (r%d, q%u).", d->will->bytes,
		   d->will->retain, d->will->qos);
	line_begin(t, LOG_TYPE_DEBUG);
	line_sentence(t, "\t");
	line_foreign(t, d->will->topic);
}

/* p1, p2 and p5 are mosquitto's numbers for 3.1, 3.1.1 and 5. */
static unsigned protocol_number(const struct event *e)
{
	return e->version == MQTT_3_1 ? 1 : e->version == MQTT_3_1_1 ? 2 : e->version;
}

static void write_connected(struct line_text *t, const struct event *e,
			    const struct event_detail *d)
{
	line_begin(t, LOG_TYPE_CONNECTION);
	line_sentence(t, "New client connected from ");
	write_address(t, d->address);
	line_sentence(t, " as ");
	write_client(t, d);
	line_words(t, " (p%u, c%d, k%u", protocol_number(e), (e->flags & EVENT_FLAG_CLEAN) != 0,
		   e->packet_id);
	if (d->user_name.len > 0) {
		line_sentence(t, ", u'");
		line_foreign(t, d->user_name);
		line_sentence(t, "'");
	}
	line_sentence(t, ").");
	write_will(t, e, d);
}

static void write_disconnected(struct line_text *t, const struct event *e,
			       const struct event_detail *d)
{
	line_begin(t, LOG_TYPE_CONNECTION);
	write_client_and_address(t, d);
	line_sentence(t, " disconnected: ");
	if (e->reason_code == REASON_DISCONNECT_WITH_WILL) {
		line_sentence(t, "it said goodbye and asked for its will");
	} else if (e->flags & EVENT_FLAG_CLEAN) {
		line_sentence(t, "it said goodbye");
	} else if (e->reason_code == REASON_KEEP_ALIVE_TIMEOUT) {
		line_sentence(t, d->text ? d->text : "keep alive timeout");
		if (e->number > 0)
			line_words(t, ", no packet for %u s", e->number);
	} else {
		write_why(t, e, d, PACKET_DISCONNECT);
	}
	line_sentence(t, ".");
}

/* "(d0, q2, r0, m1, 'home/temperature', ... (12 bytes))" */
static void write_message(struct line_text *t, const struct event *e, const struct event_detail *d)
{
	line_words(t, " (d%d, q%u, r%d, m%u, '", (e->flags & EVENT_FLAG_DUP) != 0, e->qos,
		   (e->flags & EVENT_FLAG_RETAIN) != 0, e->qos > 0 ? e->packet_id : 0);
	line_foreign(t, d->topic);
	line_words(t, "', ... (%u bytes))", e->bytes);
}

/* "(Mid: 1)", "(Mid: 1, RC: 0x97 Quota exceeded)" */
static void write_packet_id(struct line_text *t, const struct event *e)
{
	line_words(t, " (Mid: %u", e->packet_id);
	if (e->reason_code != REASON_SUCCESS) {
		line_sentence(t, ", RC: ");
		write_code(t, e, e->packet_type);
	}
	line_sentence(t, ")");
}

static void write_reason(struct line_text *t, const struct event *e)
{
	if (e->reason_code == REASON_SUCCESS)
		return;
	line_sentence(t, " (RC: ");
	write_code(t, e, e->packet_type);
	line_sentence(t, ")");
}

static void write_packet(struct line_text *t, const struct event *e, const struct event_detail *d)
{
	bool is_in = e->kind == EVENT_PACKET_IN;
	/* EVENT_CLIENT_CONNECTED has said it all. */
	if (is_in && e->packet_type == PACKET_CONNECT)
		return;
	line_begin(t, LOG_TYPE_DEBUG);
	line_words(t, "%s %s %s ", is_in ? "Received" : "Sending", packet_type_name(e->packet_type),
		   is_in ? "from" : "to");
	write_client(t, d);
	switch (e->packet_type) {
	case PACKET_CONNACK:
		line_words(t, " (%d, %u)", (e->flags & EVENT_FLAG_SESSION_PRESENT) != 0,
			   e->reason_code);
		break;
	case PACKET_PUBLISH: write_message(t, e, d); break;
	case PACKET_PUBACK:
	case PACKET_PUBREC:
	case PACKET_PUBREL:
	case PACKET_PUBCOMP: write_packet_id(t, e); break;
	case PACKET_DISCONNECT:
	case PACKET_AUTH: write_reason(t, e); break;
	default: break;
	}
}

static void write_subscribed(struct line_text *t, const struct event *e,
			     const struct event_detail *d)
{
	line_begin(t, LOG_TYPE_DEBUG);
	line_sentence(t, "\t");
	line_foreign(t, d->topic);
	line_words(t, " (QoS %u)", e->qos);
	line_begin(t, LOG_TYPE_SUBSCRIBE);
	write_client(t, d);
	if (e->reason_code < REASON_UNSPECIFIED_ERROR) {
		line_words(t, " %u ", e->reason_code);
		line_foreign(t, d->topic);
	} else {
		line_sentence(t, " may not have ");
		line_foreign(t, d->topic);
		line_sentence(t, ": ");
		write_why(t, e, d, PACKET_SUBACK);
	}
}

static void write_unsubscribed(struct line_text *t, const struct event *e,
			       const struct event_detail *d)
{
	line_begin(t, LOG_TYPE_DEBUG);
	line_sentence(t, "\t");
	line_foreign(t, d->topic);
	line_begin(t, LOG_TYPE_UNSUBSCRIBE);
	write_client(t, d);
	line_sentence(t, " ");
	line_foreign(t, d->topic);
	if (e->reason_code != REASON_SUCCESS) {
		line_sentence(t, " (");
		write_code(t, e, PACKET_UNSUBACK);
		line_sentence(t, ")");
	}
}

static void write_filter(struct line_text *t, const struct event *e, const struct event_detail *d)
{
	if (e->packet_type == PACKET_UNSUBSCRIBE)
		write_unsubscribed(t, e, d);
	else
		write_subscribed(t, e, d);
}

static void write_subscription(struct line_text *t, const struct event *e,
			       const struct event_detail *d)
{
	line_begin(t, LOG_TYPE_INFORMATION);
	if (e->number > 0) {
		line_words(t, "And %u more subscriptions.", e->number);
		return;
	}
	line_sentence(t, "Subscription of ");
	write_client(t, d);
	line_sentence(t, ": ");
	line_foreign(t, d->topic);
	line_words(t, " (QoS %u)", e->qos);
}

/* Not a notice: a slow reader of a fast topic would flood the log. */
static void write_dropped(struct line_text *t, const struct event *e, const struct event_detail *d)
{
	line_begin(t, LOG_TYPE_DEBUG);
	line_sentence(t, "Dropped PUBLISH to ");
	write_client(t, d);
	write_message(t, e, d);
	line_sentence(t, ": ");
	write_why(t, e, d, PACKET_PUBACK);
}

static void write_denied(struct line_text *t, const struct event *e, const struct event_detail *d)
{
	line_begin(t, LOG_TYPE_NOTICE);
	if (e->packet_type == PACKET_SUBSCRIBE)
		line_sentence(t, "Denied SUBSCRIBE from ");
	else
		line_sentence(t, e->packet_type == PACKET_CONNECT ? "Denied the will of "
								  : "Denied PUBLISH from ");
	write_client(t, d);
	if (d->user_name.len > 0) {
		line_sentence(t, " (user '");
		line_foreign(t, d->user_name);
		line_sentence(t, "')");
	}
	line_sentence(t, ": the access rules do not allow '");
	line_foreign(t, d->topic);
	line_sentence(t, "'.");
	write_left_out(t, e);
}

static void write_will_published(struct line_text *t, const struct event *e,
				 const struct event_detail *d)
{
	line_begin(t, LOG_TYPE_DEBUG);
	line_sentence(t, "Publishing will of ");
	write_client(t, d);
	line_words(t, " (q%u, r%d, '", e->qos, (e->flags & EVENT_FLAG_RETAIN) != 0);
	line_foreign(t, d->topic);
	line_words(t, "', ... (%u bytes))", e->bytes);
}

static void write_session_ended(struct line_text *t, const struct event *e,
				const struct event_detail *d)
{
	/* A session that was never meant to outlive its connection ends with it, unsaid. */
	if (e->flags & EVENT_FLAG_CLEAN)
		return;
	line_begin(t, LOG_TYPE_NOTICE);
	line_sentence(t, "Session of ");
	write_client(t, d);
	line_sentence(t, " ended");
	if (d->text) {
		line_sentence(t, ": ");
		line_sentence(t, d->text);
	}
	line_sentence(t, ".");
}

static void write_limited(struct line_text *t, const struct event *e, const struct event_detail *d)
{
	line_begin(t, LOG_TYPE_NOTICE);
	write_client_and_address(t, d);
	line_sentence(t, " ");
	line_sentence(t, d->text);
	line_sentence(t, ".");
	write_left_out(t, e);
}

static void write_banned(struct line_text *t, const struct event *e, const struct event_detail *d)
{
	const char *way_out = "; limit_exempt and a reload end it";
	if (d->address.len == 0)
		way_out = d->user_name.len > 0 ? "; ban_users false and a reload end it"
					       : "; ban_client_ids false and a reload end it";
	line_begin(t, LOG_TYPE_NOTICE);
	line_sentence(t, "Banned ");
	if (d->address.len > 0) {
		line_sentence(t, "the address of ");
		write_address(t, d->address);
	} else {
		line_sentence(t, d->user_name.len > 0 ? "user '" : "client '");
		line_foreign(t, d->user_name.len > 0 ? d->user_name : d->client_id);
		line_sentence(t, "'");
	}
	line_words(t, " for %u s: ", e->number);
	line_sentence(t, d->text);
	line_sentence(t, way_out);
	line_sentence(t, ".");
}

static void write_load(struct line_text *t, const struct event *e, const struct event_detail *d)
{
	line_begin(t, LOG_TYPE_WARNING);
	line_words(t,
		   e->state ? "Memory is at %u %% of memory_ceiling: "
			    : "Clients wait %u ms for their turn: ",
		   e->number);
	line_sentence(t, d->text);
	line_sentence(t, ".");
}

typedef void write_event_lines(struct line_text *t, const struct event *e,
			       const struct event_detail *d);

/* Delivery steps and queueing are for diagrams and metrics: they have no line. */
static write_event_lines *const writers[EVENT_KIND_COUNT] = {
	[EVENT_CONNECTION_OPENED] = write_opened,
	[EVENT_CONNECTION_REFUSED] = write_refused,
	[EVENT_CLIENT_CONNECTED] = write_connected,
	[EVENT_CLIENT_DISCONNECTED] = write_disconnected,
	[EVENT_PACKET_IN] = write_packet,
	[EVENT_PACKET_OUT] = write_packet,
	[EVENT_FILTER] = write_filter,
	[EVENT_SUBSCRIPTION] = write_subscription,
	[EVENT_DROPPED] = write_dropped,
	[EVENT_WILL_PUBLISHED] = write_will_published,
	[EVENT_DENIED] = write_denied,
	[EVENT_LIMITED] = write_limited,
	[EVENT_BANNED] = write_banned,
	[EVENT_LOAD] = write_load,
	[EVENT_SESSION_ENDED] = write_session_ended,
};

static size_t write_lines(const struct event *event, const struct event_detail *detail,
			  unsigned types, bool has_marks, char *text, size_t room)
{
	if (room == 0)
		return 0;
	struct line_text t;
	line_text_init(&t, text, room, types);
	t.has_marks = has_marks;
	if (event->kind < EVENT_KIND_COUNT && writers[event->kind])
		writers[event->kind](&t, event, detail);
	return t.len;
}

size_t event_lines_of_types(const struct event *event, const struct event_detail *detail,
			    unsigned types, char *text, size_t room)
{
	return write_lines(event, detail, types, false, text, room);
}

size_t event_lines_marked(const struct event *event, const struct event_detail *detail,
			  unsigned types, char *text, size_t room)
{
	return write_lines(event, detail, types, true, text, room);
}

size_t event_lines(const struct event *event, const struct event_detail *detail, char *text,
		   size_t room)
{
	return event_lines_of_types(event, detail, LOG_TYPES_ALL, text, room);
}

bool event_is_notice(const struct event *event)
{
	switch (event->kind) {
	case EVENT_CONNECTION_OPENED:
	case EVENT_CONNECTION_REFUSED:
	case EVENT_DENIED:
	case EVENT_LIMITED:
	case EVENT_BANNED:
	case EVENT_SUBSCRIPTION:
	case EVENT_LOAD:
	case EVENT_CLIENT_CONNECTED:
	case EVENT_CLIENT_DISCONNECTED: return true;
	case EVENT_SESSION_ENDED: return (event->flags & EVENT_FLAG_CLEAN) == 0;
	default: return false;
	}
}
