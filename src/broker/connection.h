/* SPDX-License-Identifier: Apache-2.0 */
/*
 * One connection: a stream, the bytes that make up whole packets, what was negotiated for this
 * connection only. It dies with the stream; the session (session.h) may outlive it.
 *
 * A closed connection stays in memory until its turn ends and nothing refers to it (`pins`).
 */
#ifndef NIGHTJAR_BROKER_CONNECTION_H
#define NIGHTJAR_BROKER_CONNECTION_H

#include "base/timer.h"
#include "broker/broker.h"
#include "broker/output.h"
#include "mqtt/packets.h"

struct aliases_in;
struct aliases_out;
struct exchange;
struct identity;
struct kept_input;
struct mount;
struct session;
struct shard;
struct throttle;

enum connection_state {
	CONNECTION_NEW,        /* no CONNECT yet */
	CONNECTION_MOVING,     /* CONNECT read, to be handled by the shard of its session */
	CONNECTION_CHECKING,   /* CONNECT read and kept; its password is being verified (admit.h) */
	CONNECTION_PROVING,    /* CONNECT kept; AUTH goes to and fro (authenticate.h) */
	CONNECTION_CONNECTING, /* CONNECT understood, its command is on the way; input waits */
	CONNECTION_OPEN,       /* CONNACK sent */
	CONNECTION_CLOSING,    /* said goodbye: output is flushed, input ignored, then closed */
	CONNECTION_CLOSED,     /* stream gone; memory goes at the end of the turn */
};

/* What few connections have. */
struct connection_extras {
	struct aliases_in *in;        /* topic aliases of the client's PUBLISHes; or NULL */
	struct aliases_out *out;      /* those we assigned; or NULL */
	struct mount *mount;          /* of its listener (mount.h); or NULL */
	struct exchange *exchange;    /* an enhanced authentication that is under way; or NULL */
	struct throttle *throttle;    /* NULL: it may be as fast as it likes (throttle.h) */
	uint32_t until_s;             /* since 1970: how long it may stay; 0: as long as it likes */
	uint16_t topic_alias_max_out; /* what the client takes, or we set at most */
	uint32_t retry_oldest; /* retry interval: oldest open position at the last look + 1 */
};

struct connection {
	struct stream stream;
	struct shard *shard;
	struct session *session; /* from CONNECTION_OPEN on; NULL again when taken away */
	union {
		struct login *login;       /* CONNECTION_CHECKING */
		struct identity *identity; /* NULL before it is known */
	};
	/* What its client was told in CONNACK, or else what held when it came: such limits are its
	 * own until it leaves. Others are the shard's, as they are now. A reference. */
	const struct settings *terms;
	struct output output;
	struct kept_input *input;         /* of a partial packet, owned; NULL when there is none */
	struct connection_extras *extras; /* NULL: it has none of them */
	struct timer timer;               /* connect timeout, keep alive, or end of closing */
	uint64_t last_packet_ms;          /* steady clock */
	struct link link;                 /* all connections of the shard, or its graveyard */
	struct connection *next_dirty;    /* output to be flushed at the end of the turn */
	struct connection *next_resumed;  /* input to be gone on with at the next turn */
	uint32_t
		packet_bytes_max; /* what the client takes; PACKET_BYTES_MAX when it said nothing */
	uint16_t keep_alive;      /* seconds in force, 0 = none */
	uint16_t port;
	uint16_t pins;      /* commands under way that will come back to it */
	uint32_t state : 3; /* enum connection_state */
	uint32_t
		home : 6; /* MOVING: shard it moves to; then NEW: what came of its login (admit.c) */
	uint32_t version : 4;          /* 0 before CONNECT */
	uint32_t answer : 2;           /* enum answer, of its listener */
	uint32_t realm : 6;            /* of its listener */
	uint32_t listener : 6;         /* in limit_settings.listeners */
	bool is_proxied : 1;           /* its address is what a proxy tells, or unknown */
	bool is_counted : 1;           /* its address has one more connection by it (admission.h) */
	bool is_exempt : 1;            /* its address has no limits */
	bool is_named_by_user : 1;     /* its user name stands for its client id */
	bool is_mounted : 1;           /* its topics are not what they are here (mount.h) */
	uint32_t refused_versions : 6; /* as in struct peer */
	bool has_method : 1;           /* OPEN: it came in by enhanced authentication */
	bool is_dirty : 1;
	bool is_blocked : 1;   /* the kernel's buffer is full: waiting for writability */
	bool is_paused : 1;    /* not reading: too many answers outstanding, or congestion */
	bool is_congested : 1; /* not reading: another shard can't keep up */
	bool is_waiting : 1;   /* not reading: for other shards */
	bool is_held : 1;      /* not reading: for room in the log */
	bool is_throttled : 1; /* not reading: it was too fast */
	bool is_full : 1;      /* not reading: the peer does not read our answers */
	bool is_resumed : 1;   /* in the list of next_resumed */
	bool is_doomed : 1;    /* to be ended at the end of the turn: could not be written */
	bool wants_problem_information : 1;
	char address[]; /* of the peer, with NUL */
};

/* Room for what few have; false without memory. */
bool connection_has_extras(struct connection *c) MUST_USE;
/* May packets of its peer be looked at? */
static inline bool connection_takes_packets(const struct connection *c)
{
	return c->state == CONNECTION_NEW || c->state == CONNECTION_OPEN ||
	       c->state == CONNECTION_PROVING;
}
/* Takes over the stream; NULL (and the stream closed) without memory or when it can't attach. */
struct connection *connection_new(struct shard *s, const struct stream *stream,
				  const struct peer *peer);

/* Why a connection ends; decides about the will and the log line. */
struct farewell {
	uint8_t reason_code; /* v5 DISCONNECT is sent with it when `tell` */
	bool tell;
	bool is_clean;            /* the client said goodbye: no will */
	bool sets_expiry;         /* and how long its session is kept */
	uint32_t expiry_interval; /* seconds */
	const char *text;         /* for the log; static, or the stream's until it is closed */
};
/* A newer connection of the client has come. */
extern const struct farewell connection_taken_over;
/* Ends the connection: DISCONNECT if wanted, flush, close; the session is told. Idempotent. */
void connection_end(struct connection *c, const struct farewell *why);
/* The usual: a mistake of the peer. */
void connection_fail(struct connection *c, const struct flaw *flaw);
/* As if the CONNECT had been refused: CONNACK with that code if the version is known, close. */
void connection_refuse(struct connection *c, uint8_t reason_code, const char *text);

/* What its stream says of why it ended. */
const char *connection_lost_text(const struct connection *c);

void connection_readable(struct connection *c);
void connection_writable(struct connection *c);
/* Stops reading; what is in `input` waits too. */
void connection_pause(struct connection *c);
/* Goes on at the next turn. */
void connection_unpause(struct connection *c);
/* Stops reading until what the last packet started is under way. */
void connection_wait(struct connection *c);
void connection_go_on(struct connection *c);
/* Stops reading until what it has published is let into the log. */
void connection_hold(struct connection *c);
void connection_let_go(struct connection *c);
/* Stops reading until its time has come. */
void connection_throttle(struct connection *c);
void connection_go_on_fast(struct connection *c);
/* Stops reading until the peer has read. Answers to it may add this to what is waiting for it. */
#define OUTPUT_FULL_BYTES (512u << 10)
/* Stops reading until another shard can keep up. */
void connection_congest(struct connection *c);
void connection_fill(struct connection *c);
void connection_resume_input(struct connection *c);
/* Memory that the part of a packet takes which has come. */
size_t connection_kept_bytes(const struct connection *c);
/* Leaves this shard for another, with its unread input. */
void connection_move(struct connection *c, unsigned to);
/* Reports its readiness to this shard from now on. 0 or an error, then it was closed. */
int connection_attach(struct connection *c);
void connection_timeout(struct connection *c);
/* Writes out what the output holds; on an error the connection is ended. */
void connection_flush(struct connection *c);
/* Has something to flush this turn. */
void connection_mark_dirty(struct connection *c);
/* Room for a packet of at most `len` bytes in the output; NULL without memory (the connection is
 * ended then). Followed by connection_packet_done. */
uint8_t *connection_packet(struct connection *c, size_t len);
void connection_packet_done(struct connection *c, size_t len);
/* What it should have been sent could not be: it ends with this turn. */
void connection_doom(struct connection *c);
/* Frees what a closed connection holds, at the end of a turn. */
void connection_free(struct connection *c);
/* Sets the timer for what is next: keep alive, or the retry interval. */
void connection_start_keep_alive(struct connection *c);

#endif
