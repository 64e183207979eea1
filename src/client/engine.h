/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The client's end of MQTT 3.1, 3.1.1 and 5.0 as a pure engine: bytes in, bytes out, time as an
 * argument, results as events. No sockets, no threads, no clock; client/link.c gives it a socket.
 *
 *      engine_publish, engine_subscribe           events: message, published, answered ...
 *                  |                                          ^
 *                  v                                          |
 *      queue -> window (session/send)            window (session/receive) -> held (QoS 2)
 *                  |                                          ^
 *                  v                                          |
 *            engine_output, engine_sent                 engine_input
 *
 * One engine is one session: unfinished messages live on while it reconnects, and are sent again
 * when the server still has the session [MQTT-4.4.0-1]. If the server has lost it, messages that
 * it had not acknowledged are sent as new ones: better twice than never.
 *
 * All that a server or the application can make grow is bounded by engine_options.
 */
#ifndef NIGHTJAR_CLIENT_ENGINE_H
#define NIGHTJAR_CLIENT_ENGINE_H

#include "mqtt/packets.h"

struct engine;

/* Why a connection ended. */
enum engine_end {
	ENGINE_END_DISCONNECTED, /* by engine_disconnect */
	ENGINE_END_REFUSED,      /* CONNACK with a reason or return code other than 0 */
	ENGINE_END_SERVER,       /* the server sent DISCONNECT */
	ENGINE_END_LOST,         /* the stream ended, perhaps before all output was sent */
	ENGINE_END_FLAW,         /* the server broke the protocol */
	ENGINE_END_SILENT,       /* no answer to CONNECT or PINGREQ within the keep alive */
	ENGINE_END_NO_MEMORY,
	ENGINE_END_UNPROVEN, /* the server has not proven itself: engine_reject */
};

struct engine_closed {
	enum engine_end end;
	uint8_t reason_code; /* of CONNACK or DISCONNECT, either way; in 3.x a return code */
	const char *text;    /* ENGINE_END_FLAW and _UNPROVEN: a sentence; else NULL */
};

/* No position in a store. */
#define POSITION_NONE UINT64_MAX

/* What became of a message that engine_publish took. */
struct engine_published {
	uint32_t token;
	uint16_t packet_id;  /* 0 at QoS 0 and for what was never sent */
	uint8_t reason_code; /* of PUBACK or PUBREC; >= 0x80: it was refused */
	bool was_sent;       /* false: beyond what the server announced, so it was not sent */
	bool is_expired;     /* not sent: its Message Expiry Interval was over */
	uint64_t position;   /* of one that a store keeps; POSITION_NONE: of none */
};

/* SUBACK or UNSUBACK. */
struct engine_answered {
	uint32_t token;
	const struct suback *packet;
};

/* A packet that came or goes, for those who want to watch. Borrowed for the call. */
struct engine_packet {
	bool is_outgoing;
	uint8_t type; /* enum packet_type; nothing is set for pings */
	union {
		const struct connect *connect;
		const struct connack *connack;
		const struct publish *publish;
		const struct ack *ack;
		const struct subscribe *subscribe;
		const struct unsubscribe *unsubscribe;
		const struct suback *suback;
		const struct disconnect *disconnect;
		const struct auth *auth;
	};
	size_t len; /* bytes, the fixed header included */
};

/*
 * Where results go; each may be NULL. Called from inside engine functions; what is passed is
 * borrowed for the call. A handler may publish, subscribe and disconnect; it may not free the
 * engine or feed it.
 */
struct engine_events {
	/* The server took us. Subscriptions are to be made here if !session_present. */
	void (*connected)(void *context, const struct connack *connack);
	/* Once for each engine_connect, from engine_lost. */
	void (*closed)(void *context, const struct engine_closed *closed);
	/* Topic aliases are resolved. `handle` is for engine_acknowledge; 0: nothing to do. */
	void (*message)(void *context, const struct publish *message, uint64_t handle);
	/* PUBREL came for this packet id, of whatever message. */
	void (*released)(void *context, uint16_t packet_id);
	/* QoS 0: stands in the output. QoS 1 and 2: acknowledged, or refused. */
	void (*published)(void *context, const struct engine_published *published);
	/* Requests under way when a connection ends get no answer. */
	void (*answered)(void *context, const struct engine_answered *answered);
	/* Enhanced authentication ([5] 4.12): answer a challenge (0x18) with engine_auth; with 0x00
	 * a second authentication is done. NULL: an AUTH is a flaw. */
	void (*auth)(void *context, const struct auth *auth);
	/* With a method in CONNECT: CONNACK says that the server takes us. True: and we take it.
	 * False: engine_reject was called, or engine_admit will be; until then nothing that came
	 * behind is looked at. */
	bool (*admits)(void *context, const struct connack *connack);
	void (*packet)(void *context, const struct engine_packet *packet);
	/* With a store (see engine_publish_kept). True: the rest waits for engine_pubrec_kept,
	 * engine_pubrel_kept. */
	bool (*pubrec)(void *context, uint64_t position);
	bool (*pubrel)(void *context, uint16_t packet_id);
};

struct engine_options {
	uint16_t inflight_max; /* QoS 1 and 2 under way at a time, beside the server's maximum */
	uint32_t queue_messages_max; /* taken by engine_publish and not finished */
	size_t queue_bytes_max;      /* the same in bytes; a single message may exceed it */
	uint32_t packet_bytes_max;   /* larger packets of the server are a flaw */
	/*
	 * When the application gets a QoS 2 message: with the PUBLISH, or only when its PUBREL has
	 * come. In the second case up to held_* wait inside the engine; past that, the oldest are
	 * given early.
	 */
	bool holds_until_release;
	uint32_t held_messages_max;
	size_t held_bytes_max;
	/*
	 * QoS 1 and 2: PUBACK and PUBREC wait for engine_acknowledge. Else they leave when `message`
	 * has returned. Not together with holds_until_release, whose PUBREC must leave before.
	 */
	bool acknowledges_when_told;
	/* With it: a QoS 1 message that comes again (DUP) while the application still owes, or owed
	 * when the connection ended, an acknowledgement of the first is not given again. */
	bool drops_duplicates;
	/* QoS 1 and 2 tolerated beyond the Receive Maximum that CONNECT announces. */
	uint16_t receive_maximum_slack;
	/* engine_input and engine_continue handle one packet each, not all that is there: for an
	 * application that may end between two of them. */
	bool stops_after_packet;
	/* 5.0: so many topics, those used most, get an alias, if the server takes so many. */
	uint16_t aliases_max;
	/* 3.x: what is unacknowledged goes out again, on a live connection, when nothing was
	 * acknowledged for so long; 0: never. Version 5 forbids it [MQTT-4.4.0-1]. */
	uint32_t retry_interval_ms;
	/* 3.x: so many messages of QoS 1 and 2 that the application has and has not let go, and no
	 * more is looked at; 0: any number. In 5.0 the server keeps the Receive Maximum. */
	uint16_t unacknowledged_max;
	/* A store keeps all messages of QoS 1 and 2: they come by engine_publish_kept alone. */
	bool is_kept;
};

/* Roomy defaults for a program on a PC; every number is the application's to change. */
void engine_options_init(struct engine_options *options);

/*
 * `connect` is copied. ERROR_INVALID when it is not a valid CONNECT (in 3.1.1 an empty client id
 * without clean session, a bad will topic), ERROR_NO_MEMORY. Announced limits in its properties
 * (Receive Maximum, Maximum Packet Size, Topic Alias Maximum) are held against the server.
 * ERROR_INVALID too for options that exclude each other.
 */
int engine_new(const struct connect *connect, const struct engine_options *options,
	       const struct engine_events *events, void *context,
	       struct engine **engine_out) MUST_USE;
void engine_free(struct engine *e);

/* A stream to the server has been opened: puts CONNECT into the output. The engine must be
 * idle (new, or after engine_lost). 0 or ERROR_NO_MEMORY. */
int engine_connect(struct engine *e, uint64_t now_ms) MUST_USE;
/* Ends the connection with DISCONNECT; `disconnect` may be NULL for a plain one. Nothing happens
 * unless connected or connecting. Send the output, close the stream, call engine_lost. */
void engine_disconnect(struct engine *e, const struct disconnect *disconnect);
/* The stream is closed, whoever did it: ends the connection, calls `closed`. */
void engine_lost(struct engine *e, uint64_t now_ms);

/* Gives the application the QoS 2 messages that still wait for their PUBREL: for one that ends
 * while the server keeps the session, and would never see them. */
void engine_give_held(struct engine *e);

bool engine_is_idle(const struct engine *e);
bool engine_is_connected(const struct engine *e);
/* The engine is done with this connection: send what is in the output, then close the stream. */
bool engine_is_closing(const struct engine *e);

/* Bytes came from the server. */
void engine_input(struct engine *e, struct span bytes, uint64_t now_ms);
/* With stops_after_packet or unacknowledged_max: there is more that can be handled now; do. */
bool engine_has_more(const struct engine *e);
void engine_continue(struct engine *e, uint64_t now_ms);
/* False while so much output waits that the server's next requests had better wait too. */
bool engine_wants_input(const struct engine *e);
/* The caller does not read from the server now, and goes on not to: so its silence means nothing.
 * Pings go on. Call it whenever time passes meanwhile. */
void engine_not_reading(struct engine *e, uint64_t now_ms);
/* Bytes for the server, borrowed until the next call; empty when there are none. */
struct span engine_output(const struct engine *e);
/* So many of them were written. */
void engine_sent(struct engine *e, size_t len, uint64_t now_ms);

/* Messages in the queue whose Message Expiry Interval is over are told of: call at or after the
 * deadline, connected or not. */
uint64_t engine_expiry_deadline(const struct engine *e);
void engine_expire(struct engine *e, uint64_t now_ms);

/* Time passes: call at or after the deadline; UINT64_MAX when there is none. */
uint64_t engine_deadline(const struct engine *e);
void engine_tick(struct engine *e, uint64_t now_ms);

/* The time at which what is published next is published: its Message Expiry Interval begins there,
 * and what waits longer is not sent. An engine that was never told expires nothing. */
void engine_set_now(struct engine *e, uint64_t now_ms);
/*
 * Takes a copy of the message; it is sent when connected and when the window allows, in order.
 * packet_id and dup are ignored. Without a topic alias of its own choosing the topic must be
 * given in full; an alias beyond the server's maximum is left out.
 * 0, ERROR_AGAIN when the queue is full (try after the next `published`), ERROR_INVALID for a
 * message that MQTT cannot carry, ERROR_NO_MEMORY.
 */
int engine_publish(struct engine *e, const struct publish *message, uint32_t token) MUST_USE;
/* Makes room: forgets the oldest message that was never sent, of QoS 0 if there is one; it is
 * told by `published`, as not sent, with 0x97. False: all have been sent. */
bool engine_drop_oldest(struct engine *e);
/* Messages taken and not finished. */
uint32_t engine_unfinished(const struct engine *e);

/*
 * With is_kept: messages of QoS 1 and 2 that stand in a store, so that another process can go on
 * with them. The store gives each a position in the window, from which its packet id follows; they
 * ascend, and those of one session lie less than 65,535 apart. What must be durable first waits:
 *
 *	PUBLISH             for engine_kept
 *	PUBREL              event pubrec, then engine_pubrec_kept
 *	PUBCOMP             event pubrel, then engine_pubrel_kept
 *	PUBACK and PUBREC   for engine_acknowledge
 */
struct engine_keep {
	uint64_t position;
	bool waits;       /* for engine_kept */
	bool is_restored; /* a process before this one took it: no limit applies */
	bool was_sent;    /* it may have sent it: if the server has the session, DUP is set */
	bool is_released; /* it saw PUBREC: the message is ignored, PUBREL goes out */
	uint64_t age_ms;  /* how long ago it was published */
};
struct outgoing;
/* As engine_publish. The handle in `outgoing_out` is good until `published` tells its end. */
int engine_publish_kept(struct engine *e, const struct publish *message, uint32_t token,
			const struct engine_keep *keep, struct outgoing **outgoing_out) MUST_USE;
/* It is durable: it may be sent. */
void engine_kept(struct engine *e, struct outgoing *o);
/* The store could not take it: forgets it, without `published`. */
void engine_unkeep(struct engine *e, struct outgoing *o);
/* Nothing that is kept leaves meanwhile: a new session is to be durable before. */
void engine_hold_kept(struct engine *e, bool holds);
/* The positions below are finished for good: their packet ids may be used again. */
void engine_set_keep_floor(struct engine *e, uint64_t position);
void engine_pubrec_kept(struct engine *e, uint64_t position);
/* `answers`: the PUBREL came with this connection. */
void engine_pubrel_kept(struct engine *e, uint16_t packet_id, bool answers);
/* A message that a process before this one got, before the first connection. QoS 2: its packet id
 * is not released. Its handle is for engine_acknowledge; 0 when `is_acknowledged`. */
int engine_restore_incoming(struct engine *e, uint16_t packet_id, uint8_t qos, bool is_acknowledged,
			    uint64_t *handle_out) MUST_USE;
/* The first connection is to begin a session, or to resume one, whatever CONNECT said. */
void engine_set_clean_start(struct engine *e, bool clean_start);

/*
 * With acknowledges_when_told: the application is done with a message, or refuses it with a
 * reason code of 0x80 or more, which version 5 alone can tell the server. May be called in any
 * order, and from `message`; acknowledgements leave in the order of arrival, for each QoS
 * [MQTT-4.6.0-2, 4.6.0-3]: so one message that is kept back holds up those behind it.
 *
 * A handle outlives its connection. When the server sends the message again, one of QoS 2 is not
 * given a second time, and the same handle (used before or after) acknowledges it. One of QoS 1 is
 * given again with DUP and a new handle (unless drops_duplicates), which voids the first. A lost
 * session voids all.
 *
 * 0; ERROR_NOT_FOUND when the handle is void or was used; ERROR_INVALID for a reason code that
 * has no place there.
 */
int engine_acknowledge(struct engine *e, uint64_t handle, uint8_t reason_code) MUST_USE;
/* Is an acknowledgement still to be given by this handle? */
bool engine_owes(const struct engine *e, uint64_t handle);
/* The application does not take the message, and wants it from the server again: it counts as
 * never given, and the handle is void. The server sends it with the next connection; the caller
 * ends this one. */
void engine_give_back(struct engine *e, uint64_t handle);
/* Messages whose acknowledgement has not left. */
uint32_t engine_unacknowledged(const struct engine *e);

/*
 * Sends a request at once; packet_id is ignored and given. ERROR_CLOSED when not connected,
 * ERROR_INVALID for a bad filter, ERROR_LIMIT when too many requests are under way or the packet
 * is larger than the server takes, ERROR_NO_MEMORY.
 */
int engine_subscribe(struct engine *e, const struct subscribe *request, uint32_t token) MUST_USE;
int engine_unsubscribe(struct engine *e, const struct unsubscribe *request,
		       uint32_t token) MUST_USE;
/* Answers an AUTH, or begins a re-authentication when connected; with the method of CONNECT.
 * ERROR_CLOSED, ERROR_INVALID, ERROR_LIMIT when it is larger than the server takes, or
 * ERROR_NO_MEMORY. */
int engine_auth(struct engine *e, const struct auth *auth) MUST_USE;

/* What the next CONNECT says of Authentication Data; for an idle engine with a method. ERROR_INVALID,
 * ERROR_NO_MEMORY. */
int engine_set_auth_data(struct engine *e, struct span data) MUST_USE;
/* After `admits` said no: go on as if it had said yes. */
void engine_admit(struct engine *e, uint64_t now_ms);
/* The server has not proven who it is: ends the connection with ENGINE_END_UNPROVEN. */
void engine_reject(struct engine *e, const char *text);

/* The client id in use: the server's in version 5 when it assigned one. */
struct span engine_client_id(const struct engine *e);

#endif
