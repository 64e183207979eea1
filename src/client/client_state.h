/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The inside of nightjar/client.h, shared by the files that make it up:
 *
 *	client.c         make, free, connect, disconnect
 *	options.c        options -> engine, addresses
 *	easy.c           one-line calls, failures in words
 *	turn.c           one turn of whoever drives; waiting
 *	link.c           the socket: open, read, write, close
 *	carry.c          what lies between it and MQTT: TLS
 *	connect.c        where to, and when again
 *	events.c         what the engine reports, and how callbacks get it
 *	packet.c         packets, for those who watch
 *	authenticate.c   enhanced authentication
 *	request.c        requests and responses
 *	fault.c          faults on purpose
 *	delivery.c       publish, deliveries
 *	subscribe.c      subscriptions, made again when the server has lost them
 *	message.c        messages that came
 *	kept.c           with a store (kept.h): outbox.c, inbox.c
 *	property_list.c  properties between the caller's arrays and the wire
 *
 * One mutex guards all of a client. Whoever drives holds it while the engine works, and lets it go
 * to wait and to call callbacks. "Locked": the caller holds the mutex.
 */
#ifndef NIGHTJAR_CLIENT_CLIENT_STATE_H
#define NIGHTJAR_CLIENT_CLIENT_STATE_H

#include <netinet/in.h>
#include <pthread.h>
#include <sys/socket.h>
#include <sys/un.h>

#include "access/scram.h"
#include "base/list.h"
#include "client/carry.h"
#include "client/engine.h"
#include "client/resolver.h"
#include "client/transport.h"
#include "nightjar/client.h"

/* Something for a callback. */
enum event_kind {
	EVENT_CONNECTED,
	EVENT_DISCONNECTED,
	EVENT_MESSAGE,
	EVENT_PUBLISHED,
	EVENT_UNSUBSCRIBED,
	EVENT_ANSWERED,
	EVENT_PACKET,
	EVENT_STORED,
	EVENT_STORE_SAYS,
	EVENT_AUTH,
	EVENT_RESPONSE,
};
struct event {
	struct link link;
	enum event_kind kind;
};

enum delivery_kind { DELIVERY_PUBLISH, DELIVERY_SUBSCRIBE, DELIVERY_UNSUBSCRIBE };

struct nj_delivery {
	struct event event; /* its link: in `events`, `unwritten`, `requests` or `requests_sent` */
	nj_client *client;
	unsigned reference_count; /* one of the application, one of the library */
	enum delivery_kind kind;
	enum nj_outcome outcome;
	uint8_t reason_code;
	bool was_sent; /* of a message: packet_id too */
	uint16_t packet_id;
	uint32_t token;                  /* index into `slots`, plus 1; 0: none */
	void *tag;                       /* of the message */
	struct pending_request *request; /* or NULL */
	uint64_t mark;                   /* the same */
	struct event stored_event;       /* kept.h */
	bool waits_for_store, is_stored;
	uint64_t written_position; /* QoS 0: known to be sent when so many bytes are written */
	/* requests */
	struct link prepared; /* SUBSCRIBE: room for what will be granted, one for each filter */
	bool is_internal;     /* a subscription made again: nobody waits for it */
	bool is_hidden;       /* the library's own: `answered` does not tell it */
	uint32_t filter_count;
	uint32_t filters_len;
	uint32_t properties_len;
	uint32_t code_count;
	uint8_t bytes[]; /* filters, properties, room for the codes */
};

struct nj_message {
	struct event event; /* its link: in `events`, `inbox`, `again` or `held` */
	nj_client *client;
	unsigned reference_count;
	uint64_t handle; /* 0: nothing to acknowledge */
	uint64_t mark;   /* of the store; 0: it is not in there */
	uint64_t again_ms;
	size_t weight; /* what it counts against inbox_bytes_max */
	uint16_t packet_id;
	uint8_t qos;
	bool retain;
	bool dup;
	bool is_response; /* acknowledged by itself, manual_ack or not */
	struct nj_bytes payload;
	struct nj_bytes properties;
	char topic[]; /* NUL; payload, NUL; properties */
};

/* A subscription that the server has granted. */
struct subscription {
	struct event event; /* its link: in `subscriptions`, or, lost, in `events` */
	uint8_t options;    /* as in the packet */
	uint8_t reason_code;
	uint32_t identifier; /* 0: none */
	char filter[];
};

/* A socket's way from nothing to nothing. */
enum link_state {
	LINK_DOWN,
	LINK_WAITING, /* for the time to try again */
	LINK_OPENING,
	LINK_SHAKING, /* connected; what lies between (carry.h) is not open yet */
	LINK_ASKING,  /* how authentication is to begin */
	LINK_OPEN,
	LINK_LINGERING, /* all is written; the server is to close */
};

/* Enhanced authentication: by the callback, or built in. */
struct authentication {
	char *method; /* NULL: none */
	bool is_built_in;
	char *user;
	struct span password;
	struct scram_client scram;
	struct event event;
	enum nj_auth_step step;
	bool is_again; /* nj_authenticate is under way */
	bool owes;     /* the application an answer */
	bool is_rejected;
	bool was_refused;   /* the last nj_authenticate */
	struct buffer data; /* the server's, for the callback */
};

/* A request whose response has not come. */
struct pending_request {
	struct event event; /* its link: in `outstanding`, or, done, in `events` */
	unsigned reference_count;
	uint64_t number; /* in its Correlation Data */
	uint64_t deadline_ms;
	nj_response callback; /* NULL: somebody waits */
	void *context;
	bool is_done;
	int error;
	struct nj_message *response;
	struct nj_delivery *delivery; /* until that is finished */
};

struct responses {
	char *given_topic;                /* of the options */
	char *topic;                      /* subscribed to, or being so */
	struct nj_delivery *subscription; /* until it is answered */
	uint8_t instance[8];              /* begins the Correlation Data of this client */
	bool has_instance;
	uint32_t outstanding_max;
	uint64_t last_number;
	struct nj_request_counts counts;
	struct link outstanding;
};

struct faults;

struct nj_client {
	pthread_mutex_t mutex;
	pthread_cond_t changed;   /* outcomes, connections, who drives */
	unsigned reference_count; /* the application, messages, deliveries */

	struct engine *engine;
	struct kept *kept; /* kept.h; NULL: no store */
	struct nj_callbacks callbacks;
	void *context;
	uint8_t version;
	bool has_manual_ack;
	bool holds_until_release;
	bool acknowledges_early;
	bool one_by_one;
	bool has_session_expiry; /* in CONNECT */
	bool stays_down;
	enum nj_full when_full;
	size_t inbox_bytes_max;

	/* who drives */
	bool is_driven;
	bool is_polling; /* the driver sleeps, or no one drives */
	bool is_watched; /* a loop of the application's may sleep on the descriptor */
	bool is_handing; /* callbacks are being called */
	bool is_freed;
	bool is_orphan; /* freed by a callback: the driver disposes */
	bool is_disposed;
	bool has_thread;
	bool has_wake; /* written and not read */
	pthread_t driver;
	pthread_t thread;
	unsigned wait_count;
	int epoll_fd;
	int wake_fd;

	/* where to */
	struct endpoint *endpoints;
	size_t endpoint_count;
	size_t endpoint_at;
	size_t endpoint_tried;     /* what `disconnected` speaks of */
	struct resolver *resolver; /* or NULL */
	struct address_list candidates;
	size_t candidate_at;
	char *bind_name;            /* or NULL */
	struct address_list locals; /* what it means */
	uint32_t connect_timeout_ms;
	uint32_t retry_base_ms, retry_max_ms;
	unsigned failed_rounds;
	uint64_t random;
	bool has_delay;

	/* the socket */
	enum link_state link;
	int fd; /* -1: none */
	struct carry carry;
	uint32_t interest; /* of epoll */
	bool wants_connection;
	bool connects_anew;              /* nj_connect came while a connection was ending */
	bool disconnects_soon;           /* asked for in a callback */
	uint8_t farewell_code;           /* of our DISCONNECT */
	struct span farewell_properties; /* allocated */
	bool was_refused;                /* by CONNACK, since nj_connect */
	bool had_connection;             /* ever */
	bool cannot_write;
	bool is_finishing; /* the engine is done, its last bytes are leaving */
	int system_error;
	bool is_late; /* it took too long */
	uint64_t retry_at_ms;
	uint64_t deadline_ms; /* to connect, to write the last bytes, to see the server close */
	uint64_t connected_ms;
	uint64_t written; /* bytes, over all connections */

	/* out */
	struct nj_delivery **slots;
	uint32_t slot_capacity;
	uint32_t slot_free; /* the first free one plus 1; the next is kept in it */
	uint64_t finished_count;
	struct link unwritten;     /* QoS 0 in the engine's output */
	struct link requests;      /* to be sent */
	struct link requests_sent; /* to be answered */
	struct link subscriptions;

	/* in */
	struct link inbox; /* for nj_receive */
	struct link again;
	struct link held; /* holds_until_release: for their PUBREL */
	size_t inbox_bytes;

	struct authentication auth;
	struct responses responses;
	struct faults *faults; /* NULL: none were ever wanted */

	/* for callbacks */
	struct link events;
	struct link handing; /* what is being handed out */
	struct event connected_event, disconnected_event;
	struct nj_disconnected disconnected;
	bool has_failed; /* `disconnected` is set */
	bool session_present, session_lost;
	struct nj_bytes connack_properties; /* allocated */
};

uint64_t client_now_ms(void);
/* The driver is to look; locked. */
void client_wake(nj_client *c);
/* Unlocks, and drops a reference. */
void client_unref(nj_client *c);
struct disk;
/* As nj_new; with a disk, which is taken over, also on failure, on that one and without threads of
 * the store's: for tests, which then call client_store_step. */
int client_new_on_disk(const struct nj_options *given, struct disk *disk, uint64_t store_id,
		       nj_client **client_out) MUST_USE;
/* DISCONNECT, as nj_disconnect was told; locked. */
void client_say_farewell(nj_client *c);

/* options.c: fills in what a client takes from its options: engine and endpoints. */
int client_configure(nj_client *c, const struct nj_options *options) MUST_USE;
void client_forget_endpoints(nj_client *c);
/* A sentence on why nj_new would not take them, or NULL. */
const char *client_options_problem(const struct nj_options *options);

/* turn.c; locked. When the next turn is due; 0: now. */
uint64_t client_deadline(const nj_client *c, uint64_t now_ms);
/* Drives or waits until `is_done`. 0, NJ_ERROR_TIMED_OUT, NJ_ERROR_WOULD_WAIT, NJ_ERROR_CLOSED (the
 * client is freed: the caller may touch nothing but what it holds itself, and the mutex). */
int client_wait(nj_client *c, bool (*is_done)(nj_client *c, void *subject), void *subject,
		int64_t timeout_ms) MUST_USE;
bool client_is_driver(const nj_client *c);
/* Unlocks, at the end of a call that may have driven: the last one out of a client that a callback
 * has freed disposes of it. */
void client_leave(nj_client *c);

/* connect.c; locked. Begins an attempt: with `resolver` where a name has to be asked for. */
void connect_begin(nj_client *c, uint64_t now_ms);
/* Goes on when the name is there. */
void connect_resolved(nj_client *c, uint64_t now_ms);
/* The next address of the same host; false: there is none. */
bool connect_next_candidate(nj_client *c, uint64_t now_ms);
/* Nothing is open (any more): wait, or stay down. */
void connect_later(nj_client *c, uint64_t now_ms);

/* link.c; locked. */
void link_opened(nj_client *c, int fd, bool is_connected, uint64_t now_ms);
void link_begin_mqtt(nj_client *c, uint64_t now_ms);
void link_ready(nj_client *c, uint32_t epoll_events, uint64_t now_ms);
void link_write(nj_client *c, uint64_t now_ms);
void link_timers(nj_client *c, uint64_t now_ms);
void link_watch(nj_client *c); /* tells epoll what is wanted */
void link_close(nj_client *c, uint64_t now_ms);
bool link_reads(const nj_client *c);
bool link_holds_bytes(const nj_client *c); /* a layer has some to be read */

/* events.c */
extern const struct engine_events client_engine_events;
void events_add(nj_client *c, struct event *event, enum event_kind kind);
/* Locked, by the driver; lets the mutex go for each callback. */
void events_hand_out(nj_client *c);
void events_disconnected(nj_client *c, enum nj_end end, uint8_t reason_code, const char *text);
/* Frees what no callback will get. */
void events_drop(struct link *events);

/* authenticate.c; locked. Which options of it cannot be, in a sentence; or NULL. */
const char *auth_options_flaw(const struct nj_options *o);
int auth_configure(nj_client *c, const struct nj_options *o) MUST_USE;
void auth_release(nj_client *c);
/* The stream is open: makes CONNECT's data, or asks for it. True: it is there. */
bool auth_begin(nj_client *c);
void auth_came(nj_client *c, const struct auth *auth);         /* from the engine */
bool auth_admits(nj_client *c, const struct connack *connack); /* from the engine */
void auth_lost(nj_client *c, const struct engine_closed *closed);
void auth_call(nj_client *c);
/* Is SCRAM built in? scram_built.c or scram_absent.c. */
extern const bool client_has_scram;

/* link.c: the socket, or what stands upon it; as write and read. */
ssize_t link_put(nj_client *c, struct span bytes);
ssize_t link_take(nj_client *c, struct room room);

/* fault.c; locked. As link_put and link_take, through the faults that there are. */
ssize_t fault_write(nj_client *c, struct span bytes);
ssize_t fault_read(nj_client *c, struct room room);
bool fault_has_output(const nj_client *c); /* now or later */
bool fault_can_write(const nj_client *c);
uint64_t fault_deadline(const nj_client *c);
void fault_lost(nj_client *c); /* the connection */
void fault_release(nj_client *c);

/* packet.c */
void packet_shown(void *context, const struct engine_packet *packet); /* from the engine */
void packet_call(nj_client *c, struct event *event);                  /* the callback */
void packet_drop(struct event *event);

/* delivery.c; locked. */
int delivery_new(nj_client *c, enum delivery_kind kind, size_t extra, struct nj_delivery **out);
/* A token by which the engine names it. */
int delivery_enroll(nj_client *c, struct nj_delivery *d) MUST_USE;
struct nj_delivery *delivery_of(nj_client *c, uint32_t token);
void delivery_leave(nj_client *c, struct nj_delivery *d); /* its token is free */
/* The end: tells those who wait, the callback, and drops the library's reference. */
void delivery_finish(struct nj_delivery *d, enum nj_outcome outcome, uint8_t reason_code);
void delivery_drop(struct nj_delivery *d); /* a reference */
/* nj_publish; with a request its end is told to that too. */
int delivery_publish(nj_client *c, const struct nj_message_out *m, struct pending_request *request,
		     struct nj_delivery **delivery_out) MUST_USE;
void delivery_published(nj_client *c, const struct engine_published *published);
void delivery_written(nj_client *c);        /* more bytes were written */
void delivery_unwritten_lost(nj_client *c); /* the connection */
void delivery_give_up(nj_client *c);        /* all, at the end */

/* subscribe.c; locked. */
void subscribe_pending(nj_client *c);
void subscribe_answered(nj_client *c, const struct engine_answered *answered);
void subscribe_all_again(nj_client *c);
void subscribe_lost(nj_client *c); /* the connection: what was not answered goes again */
void subscribe_give_up(nj_client *c);
/* To one topic, for the library's own use. */
int subscribe_hidden(nj_client *c, const char *topic, struct nj_delivery **delivery_out) MUST_USE;

/* request.c; locked. */
int request_configure(nj_client *c, const struct nj_options *o) MUST_USE;
void request_release(nj_client *c);
/* Is the message a response to one of ours? It is taken then. */
bool request_takes(nj_client *c, struct nj_message *m);
void request_published(struct nj_delivery *d); /* its outcome is known */
void request_due(nj_client *c, uint64_t now_ms);
uint64_t request_deadline(const nj_client *c);
void request_call(nj_client *c, struct event *event);
void request_drop(struct event *event);
void request_give_up(nj_client *c);

/* message.c; locked. */
void message_arrived(nj_client *c, const struct publish *message, uint64_t handle);
/* One that is not given yet; NULL: no memory. */
struct nj_message *message_take(nj_client *c, const struct publish *p, uint64_t handle);
void message_give(nj_client *c, struct nj_message *m);
void message_again_due(nj_client *c, uint64_t now_ms);
void message_released(nj_client *c, uint16_t packet_id);
/* Those that wait for their PUBREL are given now. */
void message_give_held(nj_client *c);
void message_drop(struct nj_message *m); /* a reference */
void message_give_up(nj_client *c);

/* property_list.c: encoded, in `*bytes_out` (mem_free; NULL for none). ERROR_INVALID for what has
 * no place in a packet of that type (PROPERTIES_OF_WILL for a will). */
int property_list_encode(const struct nj_property *list, size_t count, unsigned where,
			 struct span *bytes_out) MUST_USE;

#endif
