/* SPDX-License-Identifier: Apache-2.0 */
/* Enhanced authentication, and AUTH ([5] 4.12, 3.15). */
#include "broker/authenticate.h"

#include "access/scram_users.h"
#include "base/hash.h"
#include "base/mem.h"
#include "broker/admission.h"
#include "broker/admit.h"
#include "broker/handle.h"
#include "broker/see.h"
#include "broker/shard.h"

#include <openssl/crypto.h>

static const struct flaw flaw_no_method = {REASON_PROTOCOL_ERROR,
					   "AUTH without an authentication method in CONNECT"};
static const struct flaw flaw_other_method = {
	REASON_PROTOCOL_ERROR, "AUTH with another authentication method than CONNECT"};
static const struct flaw flaw_step = {REASON_PROTOCOL_ERROR, "AUTH that is not due"};
static const struct flaw flaw_no_data = {
	REASON_NOT_AUTHORIZED, "SCRAM-SHA-256 begins with data of the client, and there are none"};
static const struct flaw flaw_wrong = {REASON_BAD_USER_NAME_OR_PASSWORD,
				       "wrong user name or password"};
/* DISCONNECT has no 0x86 ([5] 3.14.2.1) */
static const struct flaw flaw_wrong_again = {REASON_NOT_AUTHORIZED,
					     "wrong user name or password in re-authentication"};
static const struct flaw flaw_other_name = {
	REASON_BAD_USER_NAME_OR_PASSWORD,
	"another user name in the authentication than in CONNECT or the certificate"};
static const struct flaw flaw_other_user = {REASON_NOT_AUTHORIZED,
					    "re-authentication as another user"};
static const struct flaw flaw_gone = {REASON_NOT_AUTHORIZED,
				      "nobody can be authenticated by that method any more"};
static const struct flaw flaw_large = {REASON_PACKET_TOO_LARGE,
				       "AUTH would be larger than the client takes"};
static const struct flaw flaw_random = {REASON_SERVER_UNAVAILABLE, "no random numbers"};
static const struct flaw flaw_memory = {REASON_SERVER_UNAVAILABLE, "out of memory"};

struct exchange {
	struct scram_server scram;
	struct scram_verifier verifier;
	struct buffer connect;   /* the CONNECT, until it is answered; empty: re-authentication */
	struct buffer signature; /* our own proof */
	struct span user;        /* whom it says it is; within `scram` */
	uint64_t stamp;          /* of what its proof is verified by */
	bool is_somebody;        /* there is such a user */
	bool is_proved;
	struct flaw flaw; /* room for one with a sentence of its own */
};

static struct exchange *exchange_of(const struct connection *c)
{
	return c->extras ? c->extras->exchange : NULL;
}

static struct exchange *exchange_begin(struct connection *c)
{
	authenticate_forget(c);
	if (!connection_has_extras(c))
		return NULL;
	return c->extras->exchange = mem_zalloc(sizeof(struct exchange));
}

bool authenticate_forget(struct connection *c)
{
	struct exchange *x = exchange_of(c);
	if (!x)
		return false;
	scram_server_release(&x->scram);
	buffer_release(&x->connect);
	buffer_release(&x->signature);
	OPENSSL_cleanse(&x->verifier, sizeof(x->verifier));
	mem_free(x);
	c->extras->exchange = NULL;
	return true;
}

static const struct realm *realm_of(const struct connection *c)
{
	return &c->shard->access->realms[c->realm];
}

bool authenticate_has(const struct connection *c, struct span method)
{
	const struct realm *realm = realm_of(c);
	return span_is_equal(method, span_of_text(SCRAM_METHOD)) &&
	       realm_uses(realm, METHOD_PASSWORD) && scram_users_exist(realm->users);
}

static void put_method(struct properties *p, struct span data)
{
	p->present |= 1ull << PROPERTY_AUTHENTICATION_METHOD;
	p->authentication_method = span_of_text(SCRAM_METHOD);
	if (data.len == 0)
		return;
	p->present |= 1ull << PROPERTY_AUTHENTICATION_DATA;
	p->authentication_data = data;
}

void authenticate_put(const struct connection *c, struct properties *out)
{
	const struct exchange *x = exchange_of(c);
	if (x) /* [MQTT-4.12.0-5] */
		put_method(out, buffer_content(&x->signature));
}

/* No texts, so that there is nothing to leave out [MQTT-3.15.2-2, -3]. */
static const struct flaw *send_auth(struct connection *c, uint8_t reason_code, struct span data)
{
	struct auth p = {.reason_code = reason_code}; /* [MQTT-3.15.2-1] */
	properties_clear(&p.properties);
	put_method(&p.properties, data);
	size_t room = 16 + properties_size(&p.properties);
	uint8_t *ptr = connection_packet(c, room);
	if (!ptr)
		return NULL; /* it is doomed */
	size_t len = auth_encode(&p, (struct room){ptr, room});
	ASSERT(len > 0);
	if (len > c->packet_bytes_max)
		return &flaw_large;
	connection_packet_done(c, len);
	see_packet(c, false, PACKET_AUTH, 0, reason_code);
	return NULL;
}

static const struct flaw *flaw_of_message(struct exchange *x, int error, const char *trouble)
{
	if (error != ERROR_INVALID)
		return &flaw_memory;
	x->flaw = (struct flaw){REASON_NOT_AUTHORIZED, trouble};
	return &x->flaw;
}

static bool nonce_make(struct shard *s, char text_out[SCRAM_NONCE_TEXT])
{
	uint64_t random[(SCRAM_NONCE_RANDOM + 7) / 8];
	const struct broker_hooks *hooks = &s->broker->hooks;
	struct room room = {(uint8_t *)random, sizeof(random)};
	for (size_t i = 0; i < ARRAY_COUNT(random); i++) {
		uint64_t source[2] = {s->index, ++s->assigned_ids};
		random[i] = hash_bytes(span_of(source, sizeof(source)), s->broker->seed);
	}
	if (hooks->random && hooks->random(hooks->context, room))
		return false;
	scram_nonce((const uint8_t *)random, text_out);
	return true;
}

/* Whom it says it is. */
static const struct flaw *read_name(struct exchange *x, struct span data)
{
	const char *trouble;
	if (data.len == 0)
		return &flaw_no_data;
	int error = scram_server_begin(&x->scram, data, &x->user, &trouble);
	return error ? flaw_of_message(x, error, trouble) : NULL;
}

/* And what that is verified by. */
static const struct flaw *take_name(struct connection *c, struct exchange *x, struct span data)
{
	const struct user *user;
	const struct flaw *flaw = x->user.len == 0 ? read_name(x, data) : NULL;
	if (flaw)
		return flaw;
	if (scram_users_find(realm_of(c)->users, x->user, &x->verifier, &user))
		return &flaw_memory;
	x->is_somebody = user != NULL;
	x->stamp = user ? user->stamp : 0;
	return NULL;
}

/* Asking for more is 0x18 [MQTT-4.12.0-2]. */
static const struct flaw *challenge(struct connection *c, struct exchange *x)
{
	char nonce[SCRAM_NONCE_TEXT];
	struct buffer message = {0};
	if (!nonce_make(c->shard, nonce))
		return &flaw_random;
	int error = scram_server_first(&x->scram, &x->verifier, span_of_text(nonce), &message);
	const struct flaw *flaw =
		error ? &flaw_memory
		      : send_auth(c, REASON_CONTINUE_AUTHENTICATION, buffer_content(&message));
	buffer_release(&message);
	return flaw;
}

static struct span data_of(const struct properties *p)
{
	return properties_has(p, PROPERTY_AUTHENTICATION_DATA) ? p->authentication_data : SPAN_NONE;
}

static const struct flaw *begin(struct connection *c, const struct connect *p, struct span body)
{
	struct exchange *x = exchange_of(c) ? exchange_of(c) : exchange_begin(c);
	if (!x || buffer_append(&x->connect, body))
		return &flaw_memory;
	const struct flaw *flaw = take_name(c, x, data_of(&p->properties));
	if (flaw)
		return flaw;
	if (p->has_user_name && !span_is_equal(p->user_name, x->user))
		return &flaw_other_name;
	flaw = p->has_user_name ? NULL : admission_judge_user(c, x->user);
	if (flaw)
		return flaw;
	c->state = CONNECTION_PROVING;
	return challenge(c, x);
}

const struct flaw *authenticate_name(struct connection *c, struct connect *p)
{
	struct exchange *x = exchange_of(c);
	const struct flaw *flaw = NULL;
	if (!span_is_equal(p->properties.authentication_method, span_of_text(SCRAM_METHOD)))
		return NULL; /* is refused for that */
	if (!x || !x->is_proved) {
		x = exchange_begin(c);
		flaw = x ? read_name(x, data_of(&p->properties)) : &flaw_memory;
	}
	if (flaw)
		return flaw;
	p->has_user_name = true;
	p->user_name = x->user;
	return NULL;
}

const struct flaw *authenticate(struct connection *c, const struct connect *p, struct span body)
{
	const struct exchange *x = exchange_of(c);
	const struct flaw *flaw = admit_client_id(c, p);
	if (flaw)
		return flaw;
	if (!x || !x->is_proved)
		return begin(c, p, body);
	ASSERT(c->identity);
	return c->identity->is_revoked ? &flaw_wrong : NULL; /* the file has changed meanwhile */
}

/* Its CONNECT once more, and now it is known who sends it. */
static void enter(struct connection *c, struct exchange *x)
{
	c->identity = identity_of(c->shard, &(struct identity_claim){.name = &x->user,
								     .stamp = x->stamp,
								     .realm = c->realm,
								     .method = METHOD_PASSWORD});
	if (!c->identity) {
		connection_fail(c, &flaw_memory);
		return;
	}
	struct buffer connect = x->connect; /* once accepted, the exchange is gone */
	x->connect = (struct buffer){0};
	c->state = CONNECTION_NEW;
	handle_connect(c, buffer_content(&connect));
	buffer_release(&connect);
}

/* Is it him? The same answer for nobody and for a wrong password [MQTT-4.12.0-4, 4.12.1-2]. */
static const struct flaw *verify(struct exchange *x, struct span data)
{
	const char *trouble;
	int error = scram_server_final(&x->scram, &x->verifier, data, &x->signature, &trouble);
	bool is_again = buffer_len(&x->connect) == 0;
	if (error == ERROR_NOT_FOUND || (!error && !x->is_somebody))
		return is_again ? &flaw_wrong_again : &flaw_wrong;
	if (error)
		return flaw_of_message(x, error, trouble);
	x->is_proved = true;
	return NULL;
}

/* The name stays: its session, its will and its subscriptions were judged by it. */
static const struct flaw *begin_again(struct connection *c, struct span data)
{
	if (!authenticate_has(c, span_of_text(SCRAM_METHOD)))
		return &flaw_gone;
	struct exchange *x = exchange_begin(c);
	if (!x)
		return &flaw_memory;
	const struct flaw *flaw = take_name(c, x, data);
	if (flaw)
		return flaw;
	return span_is_equal(x->user, identity_name(c->identity)) ? challenge(c, x)
								  : &flaw_other_user;
}

static const struct flaw *end_again(struct connection *c, struct exchange *x, struct span data)
{
	const struct flaw *flaw = verify(x, data);
	if (!flaw)
		flaw = send_auth(c, REASON_SUCCESS, buffer_content(&x->signature));
	if (!flaw)
		authenticate_forget(c);
	return flaw;
}

static const struct flaw *take_step(struct connection *c, const struct auth *p)
{
	struct exchange *x = exchange_of(c);
	struct span data = data_of(&p->properties);
	bool is_answer = p->reason_code == REASON_CONTINUE_AUTHENTICATION;
	if (c->state == CONNECTION_OPEN && !x)
		return p->reason_code == REASON_REAUTHENTICATE ? begin_again(c, data) : &flaw_step;
	if (!is_answer) /* [MQTT-4.12.0-3] */
		return &flaw_step;
	if (c->state == CONNECTION_OPEN)
		return end_again(c, x, data);
	const struct flaw *flaw = verify(x, data);
	if (!flaw)
		enter(c, x);
	return flaw;
}

/* What came in must be good, be of the same method and be due. */
static const struct flaw *judge(const struct connection *c, struct span body, struct auth *p)
{
	const struct flaw *flaw = auth_decode(body, p);
	if (flaw)
		return flaw;
	if (!c->has_method && !exchange_of(c))
		return &flaw_no_method; /* [MQTT-4.12.0-7] */
	if (!properties_has(&p->properties, PROPERTY_AUTHENTICATION_METHOD))
		return &flaw_step; /* 0x00, which only servers say */
	bool is_same =
		span_is_equal(p->properties.authentication_method, span_of_text(SCRAM_METHOD));
	return is_same ? NULL : &flaw_other_method; /* [MQTT-4.12.0-5, 4.12.1-1] */
}

void handle_auth(struct connection *c, struct span body)
{
	struct auth p;
	struct connect connect;
	struct exchange *x = exchange_of(c);
	/* for the log, and for bans, who it is that fails */
	bool is_known = x && buffer_len(&x->connect) > 0 &&
			!connect_decode(buffer_content(&x->connect), &connect);
	if (is_known)
		c->shard->connecting_id = connect.client_id;
	const struct flaw *flaw = judge(c, body, &p);
	if (!flaw) {
		see_packet(c, true, PACKET_AUTH, 0, p.reason_code);
		flaw = take_step(c, &p);
	}
	if (flaw && is_known) {
		connect.has_user_name = true;
		connect.user_name = x->user;
		admission_failed(c, &connect, flaw->reason_code);
	}
	if (flaw)
		connection_fail(c, flaw);
	c->shard->connecting_id = SPAN_NONE;
}
