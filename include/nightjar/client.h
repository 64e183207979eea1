/* SPDX-License-Identifier: Apache-2.0 */
/*
 * libnightjar: a client for MQTT 3.1, 3.1.1 and 5.0.
 *
 *	struct nj_options options = NJ_OPTIONS_INIT;
 *	nj_client *client;
 *	options.address = "mqtt://localhost";
 *	if (nj_new(&options, &client) == 0) {
 *		if (nj_connect(client, 5000) == 0) {
 *			nj_publish_text(client, "sensor/1", "21.5", 1, false);
 *			nj_drain(client, 5000);
 *			nj_disconnect(client, 1000);
 *		}
 *		nj_free(client);
 *	}
 *
 * WHO DRIVES. A client does something only while it is driven, in one of three ways:
 * - nj_start gives it a thread of its own;
 * - nj_descriptor, nj_timeout_ms and nj_step put it into an event loop of yours;
 * - with neither, calls that wait (nj_run, nj_connect, nj_delivery_wait, nj_receive, nj_drain,
 *   nj_disconnect, nj_publish with NJ_FULL_WAIT) drive it while they wait; in between nothing is
 *   sent or received, and no callback is called.
 *
 * THREADS. Every function may be called from any thread and from every callback, unless it says
 * otherwise. Callbacks are called by whoever drives, one at a time for each client, and without
 * any lock. A call that would have to wait, made in a callback, returns NJ_ERROR_WOULD_WAIT.
 * Clients share nothing; there is nothing to initialise.
 *
 * FORK. A client belongs to the process that made it. A child of fork() must not use it, not even
 * nj_free; its descriptors are closed by exec.
 *
 * MEMORY. All that is passed in is copied. What a callback gets is borrowed for the call, but for
 * messages, which can be kept with nj_message_ref.
 *
 * Functions that return int give 0 or a negative enum nj_error. Times are milliseconds; a time to
 * wait of -1 is without end, 0 does not wait.
 */
#ifndef NIGHTJAR_CLIENT_H
#define NIGHTJAR_CLIENT_H

#include <nightjar/property.h>

#ifdef __cplusplus
extern "C" {
#endif

typedef struct nj_client nj_client;
/* What becomes of something that was sent: a message, a subscription or its end. */
typedef struct nj_delivery nj_delivery;
/* A message that came. */
typedef struct nj_message nj_message;

enum nj_error {
	NJ_ERROR_NO_MEMORY = -1,
	NJ_ERROR_LIMIT = -2,     /* beyond what the protocol or the server allows */
	NJ_ERROR_SYSTEM = -3,    /* a system call failed; errno says how */
	NJ_ERROR_INVALID = -4,   /* an argument that cannot be used */
	NJ_ERROR_FULL = -5,      /* the outbox is full */
	NJ_ERROR_CLOSED = -6,    /* not connected, and not to be; or the client is being freed */
	NJ_ERROR_NOT_FOUND = -8, /* a message that needs no acknowledgement (any more) */
	NJ_ERROR_TIMED_OUT = -20,
	NJ_ERROR_WOULD_WAIT = -21, /* called in a callback, and it would have to wait */
	NJ_ERROR_REFUSED = -22,    /* the server refuses the connection */
	NJ_ERROR_STORE = -23       /* the store cannot be used or written; store_says says why */
};
/* A short English sentence. Never NULL. What a connection failed of is in nj_problem. */
NJ_API const char *nj_error_text(int error);
/* The standard's name of a reason code, e.g. "Not authorized". Never NULL. */
NJ_API const char *nj_reason_text(uint8_t reason_code);

enum nj_version { NJ_MQTT_3_1 = 3, NJ_MQTT_3_1_1 = 4, NJ_MQTT_5 = 5 };

/* --- messages out --- */

/* A message to publish, or a will. Set all you do not need to 0. */
struct nj_message_out {
	const char *topic;
	const void *payload;
	size_t payload_len;
	uint8_t qos;
	bool retain;
	const struct nj_property *properties;
	size_t property_count;
	void *tag; /* yours: `published` hands it back */
	/* With a store: a number of yours that rises from message to message, 0: none. It is stored
	 * with the message; nj_store_mark tells the highest one after a restart. */
	uint64_t mark;
};

enum nj_outcome {
	NJ_PENDING,
	NJ_SENT,         /* QoS 0: handed to the system; nobody acknowledges it */
	NJ_ACKNOWLEDGED, /* by PUBACK, PUBCOMP, SUBACK or UNSUBACK */
	NJ_REFUSED,      /* the reason code says why */
	NJ_DROPPED,      /* QoS 0: the connection ended; or NJ_FULL_DROP_OLDEST took it */
	NJ_GIVEN_UP,     /* the client was freed before the end was known */
	NJ_EXPIRED,      /* its Message Expiry Interval was over before it could be sent */
	NJ_NOT_STORED    /* the store could not take it: it was not sent */
};
/* In a word or two. Never NULL. */
NJ_API const char *nj_outcome_text(enum nj_outcome outcome);

struct nj_published {
	enum nj_outcome outcome;
	uint8_t reason_code; /* of PUBACK, PUBREC or PUBCOMP; >= 0x80: refused */
	void *tag;
	uint16_t packet_id; /* 0: of QoS 0, or never sent */
	bool was_sent;      /* false: NJ_REFUSED is by the limits that the server announced */
	uint64_t mark;      /* of the message; of an earlier process `tag` is NULL */
};

/* A message is in the store for good. */
struct nj_stored {
	void *tag;
	uint64_t mark;
};

/* --- options --- */

struct nj_connected {
	bool session_present; /* the server has kept the session */
	/* Not the first connection, and the server has no session: what was subscribed is
	 * subscribed again, what was unacknowledged is sent as new, by the library. */
	bool session_lost;
	const char *client_id;      /* as given, or as the server assigned */
	struct nj_bytes properties; /* of CONNACK, for nj_property_next */
};

enum nj_end {
	NJ_END_DISCONNECTED, /* by nj_disconnect */
	NJ_END_UNREACHABLE,  /* no connection came about: system_error or text says why */
	NJ_END_REFUSED,      /* by CONNACK: reason_code; in 3.x its return code */
	NJ_END_SERVER,       /* the server sent DISCONNECT: reason_code */
	NJ_END_LOST,         /* the connection broke */
	NJ_END_FLAW,         /* the server broke the protocol: text says how */
	NJ_END_SILENT,       /* no answer within the keep alive, or the time to connect */
	NJ_END_NO_MEMORY,
	NJ_END_UNPROVEN /* the server has not proven who it is: text says how */
};

struct nj_disconnected {
	enum nj_end end;
	uint8_t reason_code;
	int system_error; /* an errno, or 0 */
	const char *text; /* a sentence, or NULL */
	int64_t retry_ms; /* when the library will try again; -1: it will not */
};

/* Enhanced authentication (5.0): whose turn it is. */
enum nj_auth_step {
	NJ_AUTH_BEGIN,     /* yours: the data that CONNECT carries, or a later authentication */
	NJ_AUTH_CHALLENGE, /* yours: the answer to what the server asks */
	NJ_AUTH_DONE       /* the server takes us; its data may prove who it is */
};

struct nj_auth {
	enum nj_auth_step step;
	bool is_again; /* of nj_authenticate, over a connection that stands */
	const char *method;
	struct nj_bytes data; /* the server's */
};

enum nj_packet_type {
	NJ_CONNECT = 1,
	NJ_CONNACK,
	NJ_PUBLISH,
	NJ_PUBACK,
	NJ_PUBREC,
	NJ_PUBREL,
	NJ_PUBCOMP,
	NJ_SUBSCRIBE,
	NJ_SUBACK,
	NJ_UNSUBSCRIBE,
	NJ_UNSUBACK,
	NJ_PINGREQ,
	NJ_PINGRESP,
	NJ_DISCONNECT,
	NJ_AUTH
};
/* "PUBLISH"; "RESERVED" for a type that has no packet. */
NJ_API const char *nj_packet_name(uint8_t type);

struct nj_subscription {
	const char *filter;
	uint8_t qos;
	bool no_local;            /* 5.0 */
	bool retain_as_published; /* 5.0 */
	uint8_t retain_handling;  /* 5.0: 0 send retained, 1 if new, 2 do not */
};

/* A packet, for those who want to watch: a log, a test. What its type does not have is 0, empty or
 * "". The payload is not copied for it. */
struct nj_packet {
	bool is_outgoing;
	uint8_t type; /* enum nj_packet_type */
	bool dup;
	bool retain;
	uint8_t qos;
	uint8_t reason_code; /* CONNACK (in 3.x its return code), acknowledgements, DISCONNECT, AUTH */
	bool session_present; /* CONNACK */
	bool clean_start;     /* CONNECT */
	uint16_t keep_alive;  /* CONNECT */
	uint16_t packet_id;
	size_t len; /* of the packet, in bytes */
	size_t payload_len;
	const char *client_id; /* in use; CONNACK may have assigned it */
	const char *topic;     /* also where the library sent, or got, an alias for it */
	const struct nj_subscription *subscriptions; /* SUBSCRIBE; UNSUBSCRIBE: the filters */
	size_t subscription_count;
	struct nj_bytes reason_codes; /* SUBACK, UNSUBACK */
	struct nj_bytes properties;   /* for nj_property_next */
};

/* What to do when the outbox is full. */
enum nj_full {
	NJ_FULL_FAIL,       /* nj_publish returns NJ_ERROR_FULL */
	NJ_FULL_WAIT,       /* nj_publish waits for room (NJ_ERROR_WOULD_WAIT in callbacks) */
	NJ_FULL_DROP_OLDEST /* the oldest that was never sent goes, of QoS 0 first; else fail */
};

/* Each may be NULL. A callback may call everything, also nj_free of its client. */
struct nj_callbacks {
	void (*connected)(nj_client *client, void *context, const struct nj_connected *connected);
	/* A connection has ended, or an attempt to make one. */
	void (*disconnected)(nj_client *client, void *context,
			     const struct nj_disconnected *disconnected);
	/* Without it messages wait for nj_receive. */
	void (*message)(nj_client *client, void *context, nj_message *message);
	/* Once for each message that nj_publish took, unless the client is freed before. */
	void (*published)(nj_client *client, void *context, const struct nj_published *published);
	/* A subscription that the library has made again was refused: it is forgotten. */
	void (*unsubscribed)(nj_client *client, void *context, const char *filter,
			     uint8_t reason_code);
	/* SUBACK or UNSUBACK came, or the request cannot be sent: nj_delivery_outcome and
	 * nj_delivery_reason_codes say what. Once for each nj_subscribe and nj_unsubscribe, unless
	 * the client is freed before. The delivery is borrowed: the one that `delivery_out` gave,
	 * if that was wanted. */
	void (*answered)(nj_client *client, void *context, nj_delivery *delivery);
	/* A packet came, or is put out to be sent; in order, also with the other callbacks. One may
	 * be left out when there is no memory. */
	void (*packet)(nj_client *client, void *context, const struct nj_packet *packet);
	/* With auth_method: answer NJ_AUTH_BEGIN and NJ_AUTH_CHALLENGE by nj_auth_answer, here or
	 * later. At NJ_AUTH_DONE the server is taken unless nj_auth_reject was called here. */
	void (*auth)(nj_client *client, void *context, const struct nj_auth *auth);
};

/* Begin with NJ_OPTIONS_INIT, and change what you like. */
struct nj_options {
	size_t size; /* of this struct, as the program was compiled */

	/* Where: "mqtt://host:port", "mqtts://host:port", "ws://host:port/path", "wss://...",
	 * "host", "host:port", "[::1]:1883", "unix:///path"; NULL: "localhost". A
	 * name is looked up by a thread that ends with the answer, so that nobody waits for it. */
	const char *address;
	const char *const *more_addresses; /* tried in turn when `address` fails */
	size_t more_address_count;
	uint32_t connect_timeout_ms; /* until CONNACK */
	bool has_delay;              /* let TCP collect small packets (no TCP_NODELAY) */

	uint8_t version;         /* enum nj_version */
	const char *client_id;   /* NULL or "": the server chooses (3.1.1 and 5, clean start) */
	bool clean_start;        /* of the first connection; in 3.x of all */
	uint32_t session_expiry; /* seconds that the server keeps the session; 5.0 only */
	uint16_t keep_alive;     /* seconds; 0: none */
	const char *user_name;   /* or NULL */
	const void *password;    /* or NULL */
	size_t password_len;
	const struct nj_message_out *will;    /* or NULL; its properties include the Will Delay */
	const struct nj_property *properties; /* of CONNECT, beside those that options speak of */
	size_t property_count;

	bool stays_down; /* do not connect again by itself: one round of the addresses, if need be */
	/* The wait before another try is random, from 0 to min(max, base * 2^tries). */
	uint32_t retry_base_ms;
	uint32_t retry_max_ms;

	uint16_t inflight_max;        /* QoS 1 and 2 under way, beside what the server allows */
	uint32_t outbox_messages_max; /* taken by nj_publish and not finished */
	size_t outbox_bytes_max;
	enum nj_full when_full;

	/* QoS 1 and 2 that are not acknowledged: in 5.0 the server keeps it, in 3.x nothing more is
	 * read. */
	uint16_t receive_maximum;
	uint32_t packet_bytes_max; /* larger packets end the connection */
	/* Messages that came and are not let go; beyond it nothing is read from the server. */
	size_t inbox_bytes_max;
	/* Acknowledge by nj_ack. Else a message is acknowledged when its last reference goes: when
	 * `message` has returned, or with nj_message_unref for one that was kept or received. */
	bool manual_ack;
	/* A QoS 1 message that the server sends again (DUP) while the first is not yet
	 * acknowledged is not given again. */
	bool drops_duplicates;

	struct nj_callbacks callbacks;
	void *context; /* for the callbacks */

	/* TCP: the address or host name of this machine that connections come from; NULL: any. */
	const char *bind_address;
	/* QoS 2: PUBREC leaves at once, and the message is given when its PUBREL has come, in that
	 * order, or when the server has lost the session, or at nj_disconnect. When inbox_bytes_max
	 * is reached the oldest are given early. Not together with manual_ack. */
	bool holds_until_release;

	/* TLS, for addresses that begin with "mqtts://" or "wss://". Files are PEM, read when the
	 * client is made. Without tls_ca_file and tls_ca_path the system's authorities are believed. */
	const char *tls_ca_file;
	const char *tls_ca_path;          /* a folder, as c_rehash(1) prepares it */
	const char *tls_certificate_file; /* ours, with those between it and the authority */
	const char *tls_key_file;         /* its key; NULL: in tls_certificate_file */
	const char *tls_key_password;     /* of that file; NULL: none, nobody is asked */
	const char *tls_server_name;      /* to be in its certificate; NULL: the address's host */
	bool tls_any_server_name;         /* not looked at: whoever has any certificate will do */
	const char *tls_version;          /* "tlsv1.2" or "tlsv1.3": only that; NULL: both */
	const char *tls_ciphers;          /* of 1.2, as openssl-ciphers(1) writes them; or NULL */
	const char *tls_ciphersuites;     /* of 1.3 */
	const char *tls_alpn;             /* a protocol's name to offer, "mqtt" say; or NULL */
	const char *tls_psk_identity;     /* with a shared key in place of certificates */
	const void *tls_psk;
	size_t tls_psk_len;
	const char *tls_key_log_file; /* secrets are appended, for Wireshark: only to find faults */
	/* QoS 1: PUBACK is put out before `message` is called, where `packet` shows it, and leaves
	 * after that has returned. Not together with manual_ack. */
	bool acknowledges_early;
	/* A packet is looked at when the callbacks of the one before have returned: so a program that
	 * disconnects in a callback has not acknowledged what it has not seen. */
	bool one_by_one;

	/*
	 * A folder of this client's alone, made when it is not there: what is published at QoS 1
	 * and 2 stands in it before it is sent, what comes before it is given, and a process after
	 * this one, under the same client id, goes on with both. NULL: in memory. Without a
	 * client_id one is made, and kept. clean_start counts until a session has begun (not in
	 * 3.x); session_expiry 0 is a week. Not together with holds_until_release.
	 */
	const char *store_path;
	uint64_t store_bytes_max; /* of its files; 2 MiB at least. Messages have less than half */
	bool store_qos_0;         /* keep what is published at QoS 0, until it is sent */
	/* Once for each message that nj_publish stored, before `published`. */
	void (*stored)(nj_client *client, void *context, const struct nj_stored *stored);
	/* A sentence on what is wrong with the store: from nj_new, else from whoever drives. */
	void (*store_says)(void *context, const char *text);
	/* Enhanced authentication (5.0): a method of yours, with the `auth` callback; or, without it,
	 * "SCRAM-SHA-256", where user_name and password are used for it and not sent, and a server
	 * that does not prove that it knows the password too is not taken. NULL: none. */
	const char *auth_method;
	/* nj_request: the topic for responses, this client's alone; NULL: under the Response
	 * Information of CONNACK, or "nightjar/response/" and the client id. */
	const char *response_topic;
	uint32_t requests_max; /* outstanding at a time */
	/* 5.0: so many topics, those published to most, are sent as an alias of two bytes, if the
	 * server takes so many; at most 64. */
	uint16_t topic_aliases_max;
	/* 3.x: what is not acknowledged is sent again over the same connection after so long; 0:
	 * with the next connection only. For servers that lose messages; 5.0 forbids it. */
	uint32_t retry_interval_ms;
};

/* In the order of the fields. */
#define NJ_OPTIONS_INIT                                                                            \
	{                                                                                          \
		sizeof(struct nj_options), NULL, NULL, 0, 30000, false, NJ_MQTT_5, NULL, true, 0,  \
			60, NULL, NULL, 0, NULL, NULL, 0, false, 1000, 60000, 20, 10000,           \
			(size_t)64 << 20, NJ_FULL_FAIL, 1000, 268435460, (size_t)64 << 20, false,  \
			false, {NULL, NULL, NULL, NULL, NULL, NULL, NULL, NULL}, NULL, NULL,       \
			false, NULL, NULL, NULL, NULL, NULL, NULL, false, NULL, NULL, NULL, NULL,  \
			NULL, NULL, 0, NULL, false, false, NULL, (uint64_t)128 << 20, false, NULL, \
			NULL, NULL, NULL, 1000, 0, 0                                               \
	}

/* --- life --- */

/* NJ_ERROR_INVALID for options that cannot be: nj_options_problem says which; NJ_ERROR_SYSTEM,
 * NJ_ERROR_NO_MEMORY, NJ_ERROR_STORE (another process has it, say); with a store that is not to be
 * had, store_says is called. */
NJ_API int nj_new(const struct nj_options *options, nj_client **client_out);
/* The highest mark of a message that is in the store, or was: an application that reads from a
 * source of its own goes on behind it. 0: none. */
NJ_API uint64_t nj_store_mark(nj_client *client);
/* With a store, before nj_connect: what came up to this nj_message_mark was dealt with by a process
 * before this one. It is acknowledged, and not given (again). */
NJ_API int nj_skip(nj_client *client, uint64_t mark);
/* A sentence on why nj_new does not take these options, or NULL when it does. */
NJ_API const char *nj_options_problem(const struct nj_options *options);
/* Ends the client where it stands: a connection is cut, and the server publishes the will
 * (nj_disconnect before, to part in peace). Pending deliveries are given up. Deliveries and messages
 * that you hold stay valid. No other thread may use the client any more, but those that wait in a
 * call return. NULL is allowed. */
NJ_API void nj_free(nj_client *client);

/* Wants a connection from now on, and waits for it so long. In callbacks and loops: 0.
 * 0 when connected, or with timeout_ms 0; NJ_ERROR_REFUSED; NJ_ERROR_TIMED_OUT: it goes on trying;
 * NJ_ERROR_CLOSED: it came to nothing, and the options say to stay down. */
NJ_API int nj_connect(nj_client *client, int64_t timeout_ms);
/* Ends the connection with DISCONNECT, wants none any more, and waits so long for the end. The
 * server discards the will. In a callback the message in hand is acknowledged first. */
NJ_API int nj_disconnect(nj_client *client, int64_t timeout_ms);
/* The same with a reason code (0x04: the server is to publish the will) and properties, which 5.0
 * alone can tell. NJ_ERROR_INVALID for what has no place in DISCONNECT, and for a Session Expiry
 * Interval where CONNECT had none ([5] 3.14.2.2.2). */
NJ_API int nj_disconnect_with(nj_client *client, uint8_t reason_code,
			      const struct nj_property *properties, size_t property_count,
			      int64_t timeout_ms);
NJ_API bool nj_is_connected(nj_client *client);
/* Why the last connection, or the last attempt to make one, ended: "cannot connect to
 * mqtt://localhost:1883: Connection refused". Written to `text` and cut to `size`; "" when there
 * is nothing to tell. Returns `text`. */
NJ_API const char *nj_problem(nj_client *client, char *text, size_t size);

/* --- enhanced authentication --- */

/* Authenticates anew over the connection that stands, and waits for it so long. 0;
 * NJ_ERROR_REFUSED: the server has ended the connection; NJ_ERROR_CLOSED: there is none (any
 * more); NJ_ERROR_INVALID without auth_method. */
NJ_API int nj_authenticate(nj_client *client, int64_t timeout_ms);
/* For the `auth` callback, from any thread: what goes to the server. NJ_ERROR_NOT_FOUND when it is
 * not your turn; NJ_ERROR_LIMIT when it is too long. */
NJ_API int nj_auth_answer(nj_client *client, const void *data, size_t len);
/* You do not take the server: ends the connection with NJ_END_UNPROVEN. NJ_ERROR_NOT_FOUND outside
 * of an authentication. */
NJ_API int nj_auth_reject(nj_client *client);

/* --- who drives --- */

/* Drives the client for so long, and calls its callbacks; -1: as long as a connection is wanted.
 * 0 when the time is over; NJ_ERROR_CLOSED: no connection is wanted any more (nj_disconnect, or
 * the options say to stay down); NJ_ERROR_WOULD_WAIT. With nj_start it only waits. */
NJ_API int nj_run(nj_client *client, int64_t timeout_ms);

/* Gives the client a thread, in which all signals are blocked. NJ_ERROR_SYSTEM, NJ_ERROR_INVALID
 * when it has one. */
NJ_API int nj_start(nj_client *client);

/* For a loop of yours: one descriptor, the same over all connections, that is readable when there
 * is something to do, also when another thread has given something to do. */
NJ_API int nj_descriptor(nj_client *client);
/* Call nj_step after so long at the latest; -1: never, 0: now. Ask after each step. */
NJ_API int nj_timeout_ms(nj_client *client);
/* Does what is to do, without waiting, and calls callbacks. NJ_ERROR_CLOSED when a callback has
 * freed the client; NJ_ERROR_WOULD_WAIT in a callback. */
NJ_API int nj_step(nj_client *client);

/* --- publish --- */

/* Takes a message: it is sent as soon as may be, in order, over as many connections as it needs.
 * `delivery_out` may be NULL; else free it with nj_delivery_free.
 * With a store it is sent when it is durable: nj_delivery_wait_stored, `stored`.
 * NJ_ERROR_FULL, NJ_ERROR_WOULD_WAIT, NJ_ERROR_INVALID (also for a mark that does not rise),
 * NJ_ERROR_NO_MEMORY, NJ_ERROR_STORE. */
NJ_API int nj_publish(nj_client *client, const struct nj_message_out *message,
		      nj_delivery **delivery_out);
/* The same for a text, without properties and without a delivery. */
NJ_API int nj_publish_text(nj_client *client, const char *topic, const char *text, uint8_t qos,
			   bool retain);
/* Waits until the outcome is known: 0, NJ_ERROR_TIMED_OUT, NJ_ERROR_WOULD_WAIT. */
NJ_API int nj_delivery_wait(nj_delivery *delivery, int64_t timeout_ms);
/* With a store: waits until the message is on the disk: neither the end of the process nor that of
 * the power loses it from then on. 0; NJ_ERROR_STORE: it could not be written; NJ_ERROR_NOT_FOUND:
 * it was dropped before; NJ_ERROR_INVALID for what is not stored; else as nj_delivery_wait. */
NJ_API int nj_delivery_wait_stored(nj_delivery *delivery, int64_t timeout_ms);
/* `reason_code_out` may be NULL; it is set once the server has answered. */
NJ_API enum nj_outcome nj_delivery_outcome(nj_delivery *delivery, uint8_t *reason_code_out);
/* Subscriptions: the reason code of each filter, in order; empty before the answer, and for
 * UNSUBSCRIBE in 3.x. */
NJ_API struct nj_bytes nj_delivery_reason_codes(nj_delivery *delivery);
/* Forgets the handle; what it stands for goes on. NULL is allowed. */
NJ_API void nj_delivery_free(nj_delivery *delivery);

/* Messages taken and not finished. */
NJ_API uint32_t nj_unfinished(nj_client *client);
/* Waits until all that was published and subscribed is finished, and `published` has been called
 * for it (in a callback: not for the others that are to be called). */
NJ_API int nj_drain(nj_client *client, int64_t timeout_ms);

/* --- subscribe --- */

/* Subscribes, now or when connected, and again whenever the server has lost the session.
 * `delivery_out` may be NULL. The outcome is NJ_REFUSED when any filter was refused.
 * NJ_ERROR_INVALID for a bad filter, NJ_ERROR_NO_MEMORY. */
NJ_API int nj_subscribe(nj_client *client, const struct nj_subscription *subscriptions,
			size_t count, const struct nj_property *properties, size_t property_count,
			nj_delivery **delivery_out);
/* The same for one filter, without properties and without a delivery. */
NJ_API int nj_subscribe_to(nj_client *client, const char *filter, uint8_t qos);
NJ_API int nj_unsubscribe(nj_client *client, const char *const *filters, size_t count,
			  nj_delivery **delivery_out);
/* The same with properties; NJ_ERROR_INVALID for those that have no place there. */
NJ_API int nj_unsubscribe_with(nj_client *client, const char *const *filters, size_t count,
			       const struct nj_property *properties, size_t property_count,
			       nj_delivery **delivery_out);

/* --- requests and responses (5.0) --- */

/* Publishes a message with a Response Topic, a Correlation Data of its own and, if it has none, a
 * Message Expiry Interval; subscribes to the topic first; and waits for the response so long (-1:
 * without end). Let go of the response with nj_message_unref; it is acknowledged by the library,
 * also with manual_ack.
 * NJ_ERROR_TIMED_OUT; NJ_ERROR_NOT_FOUND: the server says that nobody is there to get it;
 * NJ_ERROR_REFUSED: by the server; NJ_ERROR_LIMIT: requests_max; NJ_ERROR_CLOSED: the first
 * connection is to stand before, unless response_topic is given; NJ_ERROR_INVALID, also for 3.x;
 * and those of nj_publish. */
NJ_API int nj_request(nj_client *client, const struct nj_message_out *message, int64_t timeout_ms,
		      nj_message **response_out);
/* `error` is 0 and there is a response, or one of those above. */
typedef void (*nj_response)(nj_client *client, void *context, int error, nj_message *response);
/* The same without waiting: `response` is called once, by whoever drives, if 0 is returned, and
 * unless the client is freed before. */
NJ_API int nj_request_async(nj_client *client, const struct nj_message_out *message,
			    int64_t timeout_ms, nj_response response, void *context);
/* Publishes a reply to a request: to its Response Topic, with its Correlation Data.
 * `reply->topic` is NULL. NJ_ERROR_NOT_FOUND: it asks for no response; those of nj_publish. */
NJ_API int nj_respond(nj_client *client, const nj_message *request,
		      const struct nj_message_out *reply, nj_delivery **delivery_out);

struct nj_request_counts {
	uint32_t outstanding;
	uint64_t answered;
	uint64_t late; /* responses to requests that were over: dropped */
	/* Came on the response topic, and answer nothing of this client: given as other messages. */
	uint64_t foreign;
};
NJ_API void nj_count_requests(nj_client *client, struct nj_request_counts *counts_out);

/* --- messages in --- */

/* Without a `message` callback: waits for the next message. Let go of it with nj_message_unref.
 * NJ_ERROR_TIMED_OUT, NJ_ERROR_WOULD_WAIT, NJ_ERROR_CLOSED, NJ_ERROR_INVALID with a callback. */
NJ_API int nj_receive(nj_client *client, int64_t timeout_ms, nj_message **message_out);

NJ_API const char *nj_message_topic(const nj_message *message);
/* With a NUL behind it. */
NJ_API struct nj_bytes nj_message_payload(const nj_message *message);
NJ_API uint8_t nj_message_qos(const nj_message *message);
/* 0 at QoS 0. */
NJ_API uint16_t nj_message_packet_id(const nj_message *message);
NJ_API bool nj_message_retain(const nj_message *message);
/* With a store, at QoS 1 and 2: a number that rises from message to message, over restarts too.
 * Write it where you write what the message says, in one transaction, and give it to nj_skip after
 * a restart: so each message of QoS 2 is there once. 0: none. */
NJ_API uint64_t nj_message_mark(const nj_message *message);
/* QoS 1: it may have come before. */
NJ_API bool nj_message_dup(const nj_message *message);
NJ_API struct nj_bytes nj_message_properties(const nj_message *message);

/* Keeps a message beyond its callback. */
NJ_API void nj_message_ref(nj_message *message);
NJ_API void nj_message_unref(nj_message *message);

/* With manual_ack: you are done with the message, from any thread, in any order. PUBACK or PUBREC
 * leaves when the messages of that QoS that came before are acknowledged too. Does not unref.
 * NJ_ERROR_NOT_FOUND: QoS 0, done before, or void since the server will send it again
 * (or has lost the session); NJ_ERROR_INVALID without manual_ack. */
NJ_API int nj_ack(nj_message *message);
/* The same with a reason code >= 0x80, which tells a 5.0 server that you do not take it. */
NJ_API int nj_refuse(nj_message *message, uint8_t reason_code);
/* Wants the message once more: after so long, from the library, which keeps it; errors as nj_ack. */
NJ_API int nj_again(nj_message *message, uint32_t after_ms);
/* The same from the server: the connection is closed and, unless stays_down, made again. The
 * server sends again what was not acknowledged, if it keeps the session. */
NJ_API int nj_give_back(nj_message *message);

/* --- faults on purpose, for tests --- */

enum nj_fault_kind {
	NJ_FAULT_DROP,
	NJ_FAULT_DUPLICATE,
	NJ_FAULT_DELAY, /* the packet, and so all behind it */
	NJ_FAULT_CUT    /* the connection, within or behind the packet */
};

/* What is to happen to packets between the library and the socket. */
struct nj_fault {
	enum nj_fault_kind kind;
	bool is_outgoing;
	uint8_t type;         /* enum nj_packet_type; 0: any */
	uint32_t skip;        /* let so many pass first */
	uint32_t count;       /* then so many have it; 0 as 1 */
	uint32_t delay_ms;    /* NJ_FAULT_DELAY */
	uint32_t after_bytes; /* NJ_FAULT_CUT: so many still pass, from the packet's first on */
};
/* In force from now on, over all connections; the first rule that is for a packet happens to it.
 * NJ_ERROR_LIMIT: 32 are outstanding. */
NJ_API int nj_fault_add(nj_client *client, const struct nj_fault *fault);
/* Nothing happens any more, but for what is held up or being cut. */
NJ_API void nj_fault_clear(nj_client *client);
/* So often something has happened. */
NJ_API uint32_t nj_fault_count(nj_client *client);

#ifdef __cplusplus
}
#endif

#endif
