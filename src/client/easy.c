/* SPDX-License-Identifier: Apache-2.0 */
/* What a first program needs: one-line calls, a loop that runs by itself, and failures in words. */
#include <stdio.h>

#include "base/mem.h"
#include "client/client_state.h"
#include "mqtt/reason.h"

int nj_publish_text(nj_client *c, const char *topic, const char *text, uint8_t qos, bool retain)
{
	struct nj_message_out message = {.topic = topic,
					 .payload = text,
					 .payload_len = strlen(text),
					 .qos = qos,
					 .retain = retain};
	return nj_publish(c, &message, NULL);
}

int nj_subscribe_to(nj_client *c, const char *filter, uint8_t qos)
{
	struct nj_subscription subscription = {.filter = filter, .qos = qos};
	return nj_subscribe(c, &subscription, 1, NULL, 0, NULL);
}

/* --- run --- */

static bool is_over(nj_client *c, void *subject)
{
	(void)subject;
	return c->link == LINK_DOWN && !c->wants_connection && list_is_empty(&c->events);
}

int nj_run(nj_client *c, int64_t timeout_ms)
{
	pthread_mutex_lock(&c->mutex);
	int error = client_wait(c, is_over, NULL, timeout_ms);
	client_leave(c);
	if (error == NJ_ERROR_TIMED_OUT)
		return 0;
	return error ? error : NJ_ERROR_CLOSED;
}

/* --- failures in words --- */

const char *nj_reason_text(uint8_t reason_code)
{
	return reason_name(reason_code, PACKET_PUBACK);
}

const char *nj_outcome_text(enum nj_outcome outcome)
{
	static const char *const texts[] = {
		[NJ_PENDING] = "not finished",      [NJ_SENT] = "sent",
		[NJ_ACKNOWLEDGED] = "acknowledged", [NJ_REFUSED] = "refused",
		[NJ_DROPPED] = "dropped",           [NJ_GIVEN_UP] = "given up",
		[NJ_EXPIRED] = "expired",           [NJ_NOT_STORED] = "not stored",
	};
	return (unsigned)outcome < ARRAY_COUNT(texts) ? texts[outcome] : "unknown";
}

/* "mqtt://[::1]:1883", "unix:///run/nightjar" */
static void write_address(const struct endpoint *e, char *text, size_t size)
{
	bool has_colon = strchr(e->name, ':') != NULL;
	if (e->port > 0)
		snprintf(text, size, "%s://%s%s%s:%u", e->transport->scheme, has_colon ? "[" : "",
			 e->name, has_colon ? "]" : "", e->port);
	else
		snprintf(text, size, "%s://%s", e->transport->scheme, e->name);
}

static const char *cause_of(const struct nj_disconnected *d, char *text, size_t size)
{
	if (d->text)
		return d->text;
	if (d->system_error == 0)
		return "no reason is known";
	snprintf(text, size, "%s", "");
	return strerror_r(d->system_error, text, size);
}

static const char *refusal_of(const nj_client *c, uint8_t reason_code)
{
	if (c->version < NJ_MQTT_5)
		return return_code_name(reason_code);
	return reason_name(reason_code, PACKET_CONNACK);
}

static void describe(const nj_client *c, const char *where, char *text, size_t size)
{
	const struct nj_disconnected *d = &c->disconnected;
	char buffer[128];
	switch (d->end) {
	case NJ_END_DISCONNECTED: snprintf(text, size, "%s", ""); break;
	case NJ_END_UNREACHABLE:
		snprintf(text, size, "cannot connect to %s: %s", where,
			 cause_of(d, buffer, sizeof(buffer)));
		break;
	case NJ_END_REFUSED:
		snprintf(text, size, "%s refuses the connection: %s (0x%02x)", where,
			 refusal_of(c, d->reason_code), d->reason_code);
		break;
	case NJ_END_SERVER:
		snprintf(text, size, "%s ended the connection: %s (0x%02x)", where,
			 reason_name(d->reason_code, PACKET_DISCONNECT), d->reason_code);
		break;
	case NJ_END_LOST:
		snprintf(text, size, "the connection to %s broke: %s", where,
			 d->system_error || d->text ? cause_of(d, buffer, sizeof(buffer))
						    : "the other side closed it");
		break;
	case NJ_END_FLAW:
		snprintf(text, size, "%s broke the protocol: %s", where,
			 cause_of(d, buffer, sizeof(buffer)));
		break;
	case NJ_END_UNPROVEN:
		snprintf(text, size, "%s is not who we know: %s", where,
			 cause_of(d, buffer, sizeof(buffer)));
		break;
	case NJ_END_SILENT: snprintf(text, size, "%s does not answer", where); break;
	case NJ_END_NO_MEMORY: snprintf(text, size, "%s", nj_error_text(NJ_ERROR_NO_MEMORY)); break;
	}
}

const char *nj_problem(nj_client *c, char *text, size_t size)
{
	char where[320];
	pthread_mutex_lock(&c->mutex);
	write_address(&c->endpoints[c->endpoint_tried], where, sizeof(where));
	if (size > 0)
		*text = '\0';
	if (c->has_failed)
		describe(c, where, text, size);
	else if (c->link == LINK_OPENING || (c->link == LINK_OPEN && c->connected_ms == 0))
		snprintf(text, size, "%s has not answered yet", where);
	pthread_mutex_unlock(&c->mutex);
	return text;
}
