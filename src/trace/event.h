/* SPDX-License-Identifier: Apache-2.0 */
/*
 * What happened: one stream of fixed-size binary events per shard, kept in a ring. Log lines,
 * tracing, metrics and diagrams are views of it.
 */
#ifndef NIGHTJAR_TRACE_EVENT_H
#define NIGHTJAR_TRACE_EVENT_H

#include "base/base.h"

enum event_kind {
	/* detail: address; number = listener port */
	EVENT_CONNECTION_OPENED,
	/* before a session: reason_code, text; detail: address; number = of its kind that were not
	 * shown before it */
	EVENT_CONNECTION_REFUSED,
	/* CONNECT accepted; packet_id = keep alive; detail: all */
	EVENT_CLIENT_CONNECTED,
	/* reason_code and text say why; EVENT_FLAG_CLEAN when the client said goodbye; number =
	 * seconds of silence, on a keep alive timeout */
	EVENT_CLIENT_DISCONNECTED,
	/* a whole packet was received and understood */
	EVENT_PACKET_IN,
	/* a packet was put into the output buffer */
	EVENT_PACKET_OUT,
	/* a filter of SUBSCRIBE or UNSUBSCRIBE: packet_type tells which; qos = asked, reason_code =
	 * answer; topic = filter */
	EVENT_FILTER,
	/* state, step: see session/delivery.h */
	EVENT_DELIVERY_STEP,
	/* a subscription that stands, for who asked; qos, topic = filter; or number = left out */
	EVENT_SUBSCRIPTION,
	/* a message waits for this client; number = queue length */
	EVENT_QUEUED,
	/* a message was not delivered; text says why */
	EVENT_DROPPED,
	EVENT_WILL_PUBLISHED,
	/* an access rule: packet_type PUBLISH, SUBSCRIBE, or CONNECT for a will; topic; number =
	 * of its kind that were not shown before it; detail: client id, user name */
	EVENT_DENIED,
	/* a client that is too fast for its listener: text says what follows; number = of its kind
	 * that were not shown before it; detail: client id, address */
	EVENT_LIMITED,
	/* for number seconds, since text; detail: one of address, user name, client id */
	EVENT_BANNED,
	/* what is given up, or no more, for want of memory (state 1; number per cent of the
	 * ceiling) or of time (state 0; number milliseconds); text says what follows */
	EVENT_LOAD,
	/* expired or replaced by a clean start: text says which; EVENT_FLAG_CLEAN when it was never
	 * meant to outlive its connection */
	EVENT_SESSION_ENDED,
	EVENT_KIND_COUNT,
};

#define EVENT_FLAG_DUP 0x01
#define EVENT_FLAG_RETAIN 0x02
#define EVENT_FLAG_CLEAN 0x04
#define EVENT_FLAG_SESSION_PRESENT 0x08
#define EVENT_FLAG_WILL 0x10
#define EVENT_FLAG_FROM_HERE 0x20 /* EVENT_DELIVERY_STEP: of the sending side */

/* 48 bytes, no pointers: may be copied to disk or another process as it is. */
struct event {
	uint64_t time_ms; /* wall clock, milliseconds since 1970 */
	uint64_t session; /* number of the session, 0 before there is one */
	uint32_t bytes;   /* payload or packet length */
	uint32_t number;  /* see the kinds */
	uint16_t packet_id;
	uint8_t kind;        /* enum event_kind */
	uint8_t packet_type; /* enum packet_type, 0 where none */
	uint8_t qos;
	uint8_t flags;
	uint8_t reason_code;
	uint8_t version;   /* protocol level of the client */
	uint8_t state;     /* delivery state after the step */
	uint8_t step;      /* delivery event that led there */
	uint8_t topic_len; /* bytes of `topic` used */
	uint8_t topic[13]; /* the topic's or client id's last bytes, a hint only */
};

/* What a view may show beside the event while it happens. Borrowed: valid during the call. */
struct event_detail {
	struct span client_id;
	struct span topic; /* topic name or filter */
	struct span user_name;
	struct span address;          /* "127.0.0.1:43210" */
	const struct will_view *will; /* EVENT_CLIENT_CONNECTED with EVENT_FLAG_WILL */
	const char *text;             /* a sentence, static; NULL where none */
};

struct will_view {
	struct span topic;
	uint32_t bytes;
	uint8_t qos;
	bool retain;
};

const char *event_kind_name(unsigned kind);

/* The ring of one shard: the newest `capacity` events, overwritten in turn. */
struct event_ring {
	struct event *events;
	uint32_t capacity; /* power of two */
	uint64_t written;  /* events ever written; the newest is at written - 1 */
};
int event_ring_init(struct event_ring *r, uint32_t capacity) MUST_USE;
void event_ring_release(struct event_ring *r);
static inline struct event *event_ring_next(struct event_ring *r)
{
	return &r->events[r->written++ & (r->capacity - 1)];
}
/* The i-th newest event (0 = newest), NULL when it is no longer or not yet there. */
const struct event *event_ring_newest(const struct event_ring *r, uint64_t i);

#endif
