/* SPDX-License-Identifier: Apache-2.0 */
/*
 * A simulated world: one broker, some clients that follow the standard, and a model that says what
 * each of them must, may and must not receive. Everything follows from the seed.
 *
 *   setup.c     settings, clients, where the log is; and the end, at which all memory is back
 *   program.h   what happens: a list of steps, made up at random or read from a file
 *   act.c       one step: turns, bytes, clients' doings, faults, time
 *   rest.c      all is quiet: everybody comes back, and nothing may be left over
 *   client.c    a client's connection and session, client_in.c what it does with each packet,
 *               client_wire.c bytes out and in, client_engine.c those that run src/client
 *   hostile.c   a client that does not follow the standard; whom that may not harm
 *   crash.c     the broker's deaths, in worlds whose log is kept
 *   power.c     the same in worlds whose log is on a simulated disk
 *   model.c     promises that were made, and whether they were kept
 *   rows.h      which rows of the delivery tables were taken
 *   reduce.c    shortens a program that fails
 *
 * Order in time is told by an event count, `tick`: it moves with everything that happens.
 */
#ifndef NIGHTJAR_TESTS_SIM_WORLD_H
#define NIGHTJAR_TESTS_SIM_WORLD_H

#include "base/buffer.h"
#include "client/engine.h"
#include "kit/kit.h"
#include "kit/kit_disk.h"
#include "log/log_kept.h"
#include "mqtt/packets.h"

#define CLIENTS_MAX 10
#define MESSAGES_MAX 6000
#define INTERVALS_MAX 400
#define OUTGOING_MAX 24 /* below every Receive Maximum that the broker announces */
#define INCOMING_MAX 1100
#define ZOMBIES_MAX 16
#define TOPICS 8
#define PLAIN_FILTERS 12
#define GROUPS 4
#define FILTERS (PLAIN_FILTERS + GROUPS) /* groups are the last ones */
#define ALIASES_MAX 8
#define KEPT_USUAL 50   /* per cent of worlds whose log is kept */
#define KEEP_ALIVE_S 20 /* of clients that want one */
#define NEVER UINT64_MAX

extern const char *const topics[TOPICS];
extern const char *const filters[FILTERS];
/* Does the filter (of a group: the inner one) match the topic? */
extern bool filter_matches[FILTERS][TOPICS];

/* A message, published by a client or by the broker as its will. */
struct published {
	uint32_t id;
	uint32_t seq;        /* among those of this publisher, topic and QoS */
	uint64_t start;      /* tick from which the broker can have it */
	uint64_t end;        /* tick at which it has certainly been dealt with; NEVER before */
	uint32_t connection; /* of the publisher when it was sent first */
	uint32_t attempts;   /* times it was sent */
	uint32_t renewals;   /* times it was sent as a new one, for want of a session */
	uint8_t publisher;
	uint8_t topic;
	uint8_t qos;
	uint8_t reason_code; /* of the answer */
	bool retain;
	bool is_clear; /* an empty payload */
	bool is_will;
	uint8_t dues;      /* will: times that it must be published, since it was judged last */
	uint8_t forgone;   /* will: of its connections, those that said goodbye */
	bool is_forbidden; /* will: must not be published */
	bool is_answered;
	bool is_certain; /* the broker has surely applied it */
	bool has_expiry;
	bool is_queued;         /* an engine has it and is not done with it */
	bool is_judged;         /* it is over */
	uint64_t sessions_over; /* that had ended when it was sent */
	uint64_t answered_ms;   /* the broker has it since then at the latest; 0 = unknown */
};

/* A subscription as its client knows it. */
struct interval {
	uint8_t filter;
	uint8_t qos;
	bool no_local;
	uint64_t from_sent, from_sure; /* SUBSCRIBE sent, SUBACK received */
	uint64_t until_sent,
		until_sure;         /* UNSUBSCRIBE or another SUBSCRIBE of it, and its answer */
	uint16_t from_id, until_id; /* of the requests under way, 0 = none */
	bool retain_as_published;
	uint8_t retain_handling;
	uint8_t replays[TOPICS]; /* of what was retained then, before it was sent */
	uint32_t connection;     /* on which it was sent */
};

/* Of what is retained on a topic, over the client's whole life. */
struct lookups {
	uint32_t asked;    /* SUBSCRIBEs that may have brought it */
	uint32_t answered; /* of those, with a SUBACK */
	uint32_t open;     /* of those, that may not be done */
	uint32_t again;    /* that a start of the broker may have begun again */
};

struct outgoing_message {
	uint32_t message;
	uint16_t packet_id;
	bool is_released; /* PUBREC came: PUBREL is under way */
};

struct incoming_id {
	uint16_t packet_id;
	uint32_t message;
	uint32_t connection; /* on which it counts against the window */
};

/* What a client got of one message. `sure` counts copies that are no redelivery. */
struct got {
	uint8_t copies, sure, exact; /* plain; exact: at QoS 2 */
	uint8_t copies_before;       /* of a will, when it was judged last */
	uint8_t replays;             /* RETAIN set */
	uint8_t exact_replays;       /* of QoS 1 and 2 */
	bool is_retain_kept;         /* may have come with RETAIN by a subscription */
	uint32_t answered_before;    /* look-ups that were, when it was published */
	uint8_t group_copies[GROUPS], group_sure[GROUPS], group_exact[GROUPS];
};

enum phase { PHASE_OFFLINE, PHASE_CONNECTING, PHASE_ONLINE, PHASE_LEAVING };

struct client {
	unsigned index;
	char id[16];
	uint8_t version;
	bool reuses_ids;   /* takes the lowest packet id that is free, not the next one */
	bool takes_shares; /* 3.x cannot tell copies apart: one shared subscription only, or none */
	bool is_left_out;  /* does nothing: for shorter programs */
	bool has_engine;   /* is the one that ships (src/client), not ours */
	bool engine_cleans;  /* 3.x: every session of its engine is a new one */
	bool engine_holds;   /* its engine gives QoS 2 messages with PUBREL */
	bool engine_is_told; /* when to acknowledge, and what to refuse */
	struct engine *engine;
	bool is_forged;        /* this connection brought packets that the broker never sent */
	bool is_forging;       /* such a one is being handled */
	uint16_t request_id;   /* of its engine's last request */
	struct buffer owed;    /* numbers of messages that its engine will hand on */
	struct buffer handles; /* of messages that it has not acknowledged */
	struct engine_closed closed;
	enum phase phase;
	struct stream stream;
	struct stream broker_end;
	struct buffer in, out;
	uint32_t connection;   /* number of its connection, over all clients */
	uint64_t opened;       /* tick */
	uint64_t online_start; /* tick at which it saw CONNACK */
	bool is_stopped;       /* does not read */
	bool is_lazy;          /* answers later */
	bool is_faulty;        /* we did something to this connection that ends it */
	uint64_t fault_ms;     /* since when */
	bool is_goodbye;       /* sent DISCONNECT 0x00 */
	bool is_orphaned; /* its connection is to a broker that died, and its session with it */
	uint64_t last_write_ms;
	uint16_t keep_alive;
	uint64_t connect_ms; /* when it was opened */
	uint32_t will;       /* message, 0 = none */
	uint32_t will_delay;
	uint32_t engine_will; /* message, which all connections of its engine carry; 0 = none */

	/* What it asked for in CONNECT. */
	bool asked_clean;
	uint32_t asked_expiry;
	uint16_t receive_maximum;

	/* Its session. */
	bool has_session;
	bool waits_for_quiet; /* a CONNECT may still be under way: another one must not meet it */
	bool must_clean;      /* it cannot know which session the broker has */
	uint32_t expiry_min, expiry_max; /* of what it asked since the last CONNACK, seconds */
	uint32_t expiry_goodbye;         /* what its DISCONNECT asked */
	uint64_t lost_ms;                /* the broker may think it absent from then on; NEVER */
	uint64_t lost_known_ms;          /* the broker knows it absent since then; NEVER */
	bool is_maybe_expired;
	struct outgoing_message out_messages[OUTGOING_MAX];
	unsigned out_count;
	uint16_t next_packet_id;
	struct incoming_id in_ids[INCOMING_MAX]; /* QoS 2, between PUBLISH and PUBREL */
	unsigned in_count;
	unsigned open_count;   /* received on this connection and not finished: its window */
	struct buffer answers; /* acknowledgements to be sent later */
	unsigned answer_count; /* PUBACK and PUBCOMP among them */
	struct interval intervals[INTERVALS_MAX];
	unsigned interval_count;
	uint8_t aliases_in[ALIASES_MAX + 1]; /* topic + 1 */
	uint8_t aliases_out;                 /* bits of topics whose alias is set */
	struct lookups lookups[TOPICS];
	uint64_t order[CLIENTS_MAX + 1][TOPICS][3][3]; /* last seq by publisher, topic, QoS, QoS */
};

/* A promise to one client or to a group (the client is then CLIENTS_MAX + group). */
struct promise {
	uint32_t message;
	uint8_t to;
};

/* A connection whose client is gone without a word. */
struct zombie {
	struct stream stream;
	uint16_t keep_alive; /* the broker is to end it by itself; 0: it need not */
};

/* Says what the standard forbids. Its topics are its own. */
struct hostile {
	struct stream stream;
	struct buffer in;
	uint8_t version;
	uint16_t ids[8]; /* of what it was sent last */
	unsigned id_count;
};

enum log_kind { LOG_IN_MEMORY, LOG_IS_KEPT, LOG_ON_DISK };

struct world {
	struct kit kit;
	struct settings settings;
	struct kept_store *store; /* what is durable; NULL: the log is in memory, or on a disk */
	struct kit_disk *disk;    /* what is durable; NULL: none */
	uint32_t crashes;
	uint32_t start_cuts, kills, rescues;
	uint64_t power_step; /* when a process with a broken store ends */
	uint64_t room_step;  /* when a full disk has room again */
	bool is_disk_full;
	bool has_fault;        /* a call of this life's disk fails, or has */
	uint64_t trouble_tick; /* the last one at which the disk was full or failing; 0 = none */
	struct random random;  /* of this step */
	struct random plan;    /* which steps there are */
	uint64_t seed;
	enum log_kind log_kind;
	unsigned kept; /* per cent of worlds that keep their log */
	uint64_t tick;
	uint64_t steps;
	uint64_t thaw_step; /* when shards that are frozen go on */
	unsigned client_count;
	bool has_small_memory; /* of the whole broker: messages may be refused, or dropped at QoS 0 */
	bool has_small_queues;   /* messages may be refused */
	bool has_small_output;   /* what is sent at QoS 0 may be dropped, to the probe, too */
	bool has_small_retained; /* what is to be retained may be refused, or not be retained */
	bool drops_messages;     /* and nobody is told */
	bool has_retry;          /* 3.x clients may see DUP without a reconnect */
	bool has_hostile;
	struct hostile hostile;
	bool is_hashed; /* trace_hash is kept */
	uint64_t trace_hash;
	bool has_groups;
	bool has_retained;
	uint8_t wakes_at_once; /* of the kit */
	bool is_traced;
	bool is_quiet; /* a checkpoint: no faults, everybody answers */
	uint32_t connections;
	struct client clients[CLIENTS_MAX];
	struct published messages[MESSAGES_MAX]; /* from 1 on */
	uint32_t message_count;
	uint32_t judged_until; /* messages below are over */
	uint32_t next_seq[CLIENTS_MAX][TOPICS][3];
	struct got got[CLIENTS_MAX][MESSAGES_MAX];
	struct promise *promises;
	size_t promise_count, promise_capacity;
	struct zombie zombies[ZOMBIES_MAX]; /* old connections of clients that opened another */
	unsigned zombie_count;
	uint32_t retained[TOPICS]; /* what the last checkpoint found: message or 0 */
	uint64_t retained_tick;
	bool has_left[GROUPS];       /* a member unsubscribed lately */
	uint64_t group_loss[GROUPS]; /* tick of the last session's end since */
	uint64_t received, promised, sessions_over;
	uint64_t silent_ends, forged, replays_judged;
};

/* Which this build is of. */
extern const char commit[];
/* Says what went wrong and ends the program. */
NORETURN void world_fail(struct world *w, const char *format, ...) PRINTF_LIKE(2, 3);
void world_note(struct world *w, const char *format, ...) PRINTF_LIKE(2, 3);
void world_init_filters(void);
/* A new message; NULL when the seed has had its share. */
struct published *world_message(struct world *w, unsigned publisher, unsigned topic, uint8_t qos);
/* The payload of a message: its number and letters; checks that it is whole when read back. */
struct span payload_of(const struct published *m);
uint32_t payload_read(struct world *w, struct span payload);

/* client.c */
void client_connect(struct world *w, struct client *c);
/* The connection is gone; orderly when the broker ended it after a goodbye. */
void client_lost(struct world *w, struct client *c, bool is_orderly);
/* Something that ends the connection is about to happen to it. */
void client_fault(struct world *w, struct client *c);
void client_publish(struct world *w, struct client *c);
void client_subscribe(struct world *w, struct client *c);
void client_unsubscribe(struct world *w, struct client *c);
void client_disconnect(struct world *w, struct client *c);
void client_ping(struct client *c);
void client_connected(struct world *w, struct client *c, bool is_present);
void client_answer(struct world *w, struct client *c);
/* Its session with the broker is over or replaced. */
void client_forget_session(struct world *w, struct client *c);
void client_send_ack(struct client *c, uint8_t type, uint16_t packet_id);
/* The session that the client believes in is there, whatever the broker has seen so far. */
bool client_session_is_sure(const struct client *c);
/* Gone without a word: the connection stays behind, half open. */
void client_vanish(struct world *w, struct client *c);
/* Puts a will into it, or none: the message, 0 = none. */
uint32_t client_choose_will(struct world *w, struct client *c, struct connect *p);
/* This connection carries it; an engine's is the same on all of its connections. */
void client_sent_will(struct world *w, struct client *c, uint32_t will);
void client_sent_message(struct world *w, struct client *c, uint32_t message, uint16_t packet_id);

/* client_wire.c */
/* Bytes out, as many as the dice say; bytes in. True when something moved. */
bool client_pump(struct world *w, struct client *c);
bool client_is_busy(const struct client *c);

/* client_in.c */
void client_handle(struct world *w, struct client *c, struct span packet);
/* What was in the packet, for our own clients and for engines. */
void client_saw_connack(struct world *w, struct client *c, const struct connack *p);
void client_saw_publish(struct world *w, struct client *c, const struct publish *p);
void client_saw_ack(struct world *w, struct client *c, const struct ack *p);
void client_saw_suback(struct world *w, struct client *c, const struct suback *p);
void client_saw_disconnect(struct world *w, struct client *c, const struct disconnect *p);

/* client_engine.c */
/* A new one that asks for this; takes the place of the one before, whose state is lost. */
void engine_begin(struct world *w, struct client *c, struct connect *p);
void engine_open(struct world *w, struct client *c);
void engine_close(struct world *w, struct client *c);
void engine_end(struct client *c);
void engine_take(struct world *w, struct client *c, struct span bytes);
void engine_wrote(struct world *w, struct client *c, size_t len);
/* Time has passed; and whether it gave up its connection. */
void engine_look(struct world *w, struct client *c);
bool engine_send(struct world *w, struct client *c, const struct publish *p, uint32_t message);
/* The packet id, 0 when it cannot be sent. */
uint16_t engine_ask(struct client *c, const struct subscribe *p);
uint16_t engine_ask_no_more(struct client *c, const struct unsubscribe *p);
void engine_leave(struct client *c, const struct disconnect *p);
/* The application is done with what it was given. */
void engine_answer(struct world *w, struct client *c);
/* Somebody on the way puts a packet in between. */
void engine_forge(struct world *w, struct client *c);

/* hostile.c */
void hostile_act(struct world *w);
void hostile_end(struct world *w);

/* model.c */
/* The broker has answered a message. */
void model_answered(struct world *w, struct published *m);
struct reception {
	uint32_t message;
	uint8_t topic;
	uint8_t qos;
	bool dup, retain;
	uint64_t identifiers; /* bits of filters, version 5 only */
	uint32_t expiry;      /* seconds left, version 5 only; UINT32_MAX = none */
};
/* How long a message is of use, in seconds; when it has_expiry. */
uint32_t expiry_of(const struct published *m);
void model_received(struct world *w, struct client *c, const struct reception *r);
/* The client gives up this filter, or its session ends: what was promised because of it. */
void model_filter_left(struct world *w, struct client *c, unsigned filter);
void model_session_over(struct world *w, struct client *c);
/* The broker has ended a session, perhaps one that its client had given up long before. */
void model_session_gone(struct world *w);
/* Groups that may have lost their last member: nothing is promised to them any more. */
void model_groups(struct world *w);
/* Absent sessions may have come to their end. */
void model_time(struct world *w);
/* Everything is quiet: messages that nobody answers are dealt with, promises are due. */
void model_checkpoint(struct world *w);
/* Look-ups of retained messages. */
void model_lookup_asked(struct client *c, unsigned filter);
void model_lookup_answered(struct client *c, unsigned filter);
void model_lookup_published(struct world *w, const struct published *m);
void model_lookup_crash(struct world *w);
void model_lookup_rest(struct world *w);
unsigned model_lookup_max(const struct world *w, const struct client *c, const struct published *m,
			  bool is_exact);
void model_retained(struct world *w, const uint32_t found[TOPICS]);

/* crash.c */
/* Starts the kit on a log of its own, with kit.shard_count shards. */
void crash_start(struct world *w);
/* The broker dies, and is there again. */
void crash(struct world *w);
/* All is quiet: the log gives the state that the broker is in. */
void crash_check(struct world *w);
/* What nobody knows any more when a broker has died. */
void crash_doubts(struct world *w);

/* power.c */
void power_start(struct world *w);
/* Something may happen, or has. */
void power_step(struct world *w);
/* The disk was full, or failed, at that tick or later: what a client asked for then may have been
 * refused, or its connection closed. */
bool power_was_in_trouble(const struct world *w, uint64_t since);
void power_come_to_rest(struct world *w);
void power_go_on(struct world *w);
void power_check(struct world *w);

/* model_replays.c */
void model_replays_asked(const struct world *w, const struct client *c, struct interval *v);
/* At rest, `found` being what is retained. */
void model_replays_due(struct world *w, const uint32_t found[TOPICS]);

/* setup.c */
/* As the seed says; `kept`: per cent of worlds whose log is kept, else in memory. */
void world_choose(struct world *w, uint64_t seed, unsigned kept, bool is_on_disk, unsigned shards);
void world_start(struct world *w);
void world_end(struct world *w);

/* rest.c */
void rest(struct world *w, bool is_last);
/* All that was under way has arrived, and the broker knows who is gone. */
void note_quiet(struct world *w);
void close_zombies(struct world *w);

#endif
