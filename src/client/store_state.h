/* SPDX-License-Identifier: Apache-2.0 */
/*
 * What a client's store knows: a function of its records, in the order of the log. Each function
 * below is what one kind of record does, at a start as later, when the record is durable.
 *
 * An entry is there before its record is durable, so that nothing needs memory then; `is_kept` says
 * that it is. An image holds what is kept, and of messages where their records stand.
 */
#ifndef NIGHTJAR_CLIENT_STORE_STATE_H
#define NIGHTJAR_CLIENT_STORE_STATE_H

#include "base/list.h"
#include "base/map.h"
#include "client/store_record.h"
#include "journal/log.h"

/* A short record on its way to the journal; one at a time for each entry. */
struct store_ticket {
	struct log_batch batch;
	struct log_entry entry;
	struct store_record record;
	void *subject; /* struct store_out or struct store_in */
	bool is_busy;
	bool is_long; /* allocated, with the record's bytes behind it */
	uint8_t bytes[LOG_RECORD_ROOM + STORE_RECORD_SHORT + LOG_ALIGN];
};

/* A message to publish. */
struct store_out {
	struct link link; /* in order of their numbers */
	uint64_t number;
	uint64_t mark;     /* the application's; 0: none */
	uint64_t position; /* of its OUT in the log */
	uint32_t len;      /* of that record */
	uint8_t qos;
	bool is_kept;
	bool is_received; /* PUBREC: the message itself is not needed any more */
	bool is_finished; /* DONE is under way, or waits for the ticket */
	bool is_wanted;   /* it counts in live_bytes */
	bool at_once;     /* its record makes it sendable */
	bool is_lost;     /* OUT failed: gone when its ticket comes back */
	void *outgoing;   /* the engine's, while it is in its queue and waits; else NULL */
	void *delivery;   /* or NULL */
	struct store_ticket ticket;
};

/* A message that came. */
struct store_in {
	struct link link;
	uint64_t number;
	uint64_t position;
	uint32_t len;
	uint16_t packet_id; /* 0: the session in which it came has ended */
	uint8_t qos;
	bool is_kept;
	bool is_let_go;      /* ACKED is under way, or waits for the ticket */
	uint8_t reason_code; /* of it */
	bool is_acked;       /* the message itself is not needed any more */
	bool is_released;    /* PUBREL came: RELEASED is under way, or waits for the ticket */
	bool is_forgotten;
	bool is_lost;     /* IN failed: gone when its ticket comes back */
	uint64_t handle;  /* the engine's */
	uint64_t session; /* of the connection that brought PUBREL */
	void *message;    /* to be given when it is durable */
	struct store_ticket ticket;
};

struct store_state {
	char *client_id; /* NULL: a new store */
	bool has_session;
	uint64_t next_out, next_in;
	uint64_t sendable; /* OUT below it may have been sent */
	uint64_t mark;     /* the highest */
	struct link out, in;
	struct map out_by_number, in_by_number, in_by_packet_id;
	uint64_t live_bytes; /* of OUT that are wanted */
};

void store_state_init(struct store_state *s);
void store_state_release(struct store_state *s);

struct store_out *store_state_out(const struct store_state *s, uint64_t number);
struct store_in *store_state_in(const struct store_state *s, uint64_t number);
/* The one that holds this packet id; NULL: none. */
struct store_in *store_state_packet(const struct store_state *s, uint16_t packet_id);

/* New entries, not kept yet. 0 or ERROR_NO_MEMORY. */
int store_state_add_out(struct store_state *s, const struct store_record *r,
			struct store_out **out) MUST_USE;
int store_state_add_in(struct store_state *s, const struct store_record *r,
		       struct store_in **out) MUST_USE;
/* Drops one, kept or not. */
void store_state_drop_out(struct store_state *s, struct store_out *e);
void store_state_drop_in(struct store_state *s, struct store_in *e);

/* The message is not wanted any more, whatever becomes of the entry. */
void store_state_unwant(struct store_state *s, struct store_out *e);

/* A record is durable, at `position`; its subject is there, or NULL at a start when it is not
 * known (any more). The entry may be gone afterwards. */
int store_state_identify(struct store_state *s, const struct store_record *r) MUST_USE;
void store_state_keep_out(struct store_state *s, struct store_out *e, uint64_t position);
void store_state_keep_in(struct store_state *s, struct store_in *e, uint64_t position);
void store_state_received(struct store_state *s, struct store_out *e);
void store_state_acked(struct store_state *s, struct store_in *e, uint8_t reason_code);
void store_state_released(struct store_state *s, struct store_in *e);
void store_state_begin_session(struct store_state *s);
void store_state_sending(struct store_state *s, uint64_t number);

/* One record of the log, at a start. */
int store_state_replay(struct store_state *s, uint64_t position, struct span body) MUST_USE;

/* All that is kept, allocated. 0 or ERROR_NO_MEMORY. */
int store_state_image(const struct store_state *s, struct log_image **out) MUST_USE;
/* Into a state that is empty. ERROR_INVALID, ERROR_NO_MEMORY. */
int store_state_load(struct store_state *s, struct span image) MUST_USE;
/* As journal_hooks.references. */
bool store_state_references(struct span image, void (*found)(void *context, uint64_t position),
			    void *context);

#endif
