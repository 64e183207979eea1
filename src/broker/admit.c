/* SPDX-License-Identifier: Apache-2.0 */
#include "broker/admit.h"

#include "base/hash.h"
#include "base/mem.h"
#include "broker/handle.h"
#include "broker/shard.h"
#include "io/network.h"
#include "mqtt/wire.h"

static const struct flaw flaw_anonymous = {REASON_NOT_AUTHORIZED,
					   "anonymous clients are not allowed"};
static const struct flaw flaw_no_users = {REASON_NOT_AUTHORIZED,
					  "no user can be recognised: there is no password file"};
static const struct flaw flaw_prefix = {REASON_NOT_AUTHORIZED,
					"client id without the prefix that is asked for"};
static const struct flaw flaw_misnamed = {
	REASON_NOT_AUTHORIZED, "its client id is to be its user name, which is another one"};
static const struct flaw flaw_busy = {REASON_SERVER_BUSY, "too many passwords wait to be verified"};
static const struct flaw flaw_memory = {REASON_SERVER_UNAVAILABLE, "out of memory"};

/* By enum login_result. */
static const struct flaw refusals[LOGIN_RESULT_COUNT] = {
	[LOGIN_WRONG] = {REASON_BAD_USER_NAME_OR_PASSWORD, "wrong user name or password"},
	[LOGIN_FAILED] = {REASON_SERVER_UNAVAILABLE, "the password could not be verified"},
	[LOGIN_SERVICE] = {REASON_SERVER_UNAVAILABLE,
			   "the service that is asked about users gave no answer"},
	[LOGIN_TOKEN_TOO_LONG] = {REASON_BAD_USER_NAME_OR_PASSWORD,
				  "the token is longer than 8 KiB"},
	[LOGIN_TOKEN_MALFORMED] = {REASON_BAD_USER_NAME_OR_PASSWORD, "the token is malformed"},
	[LOGIN_TOKEN_CRITICAL] = {REASON_BAD_USER_NAME_OR_PASSWORD,
				  "the token's header has a \"crit\", which is not supported"},
	[LOGIN_TOKEN_ALGORITHM] = {REASON_BAD_USER_NAME_OR_PASSWORD,
				   "the token's algorithm is not one of the broker's keys"},
	[LOGIN_TOKEN_KEY] = {REASON_BAD_USER_NAME_OR_PASSWORD,
			     "the broker has no key of the token's \"kid\""},
	[LOGIN_TOKEN_SIGNATURE] = {REASON_BAD_USER_NAME_OR_PASSWORD,
				   "the token's signature is wrong"},
	[LOGIN_TOKEN_EXPIRED] = {REASON_BAD_USER_NAME_OR_PASSWORD, "the token has expired"},
	[LOGIN_TOKEN_EARLY] = {REASON_BAD_USER_NAME_OR_PASSWORD, "the token is not valid yet"},
	[LOGIN_TOKEN_ISSUER] = {REASON_BAD_USER_NAME_OR_PASSWORD, "the token is of another issuer"},
	[LOGIN_TOKEN_AUDIENCE] = {REASON_BAD_USER_NAME_OR_PASSWORD,
				  "the token is for another audience"},
	[LOGIN_TOKEN_NAMELESS] = {REASON_BAD_USER_NAME_OR_PASSWORD,
				  "the token lacks the claim that is the user name"},
	[LOGIN_TOKEN_USER_NAME] = {REASON_NOT_AUTHORIZED, "the token is another user's"},
	[LOGIN_TOKEN_CLIENT_ID] = {REASON_NOT_AUTHORIZED, "the token is for another client id"},
};

/* `home` of a connection whose login came back: a result, or from where in the chain to go on. */
#define HOME_GO_ON 48
_Static_assert(LOGIN_RESULT_COUNT <= HOME_GO_ON && HOME_GO_ON + CHAIN_LEN_MAX < 64, "6 bits");

static const struct realm *realm_of(const struct connection *c)
{
	return &c->shard->access->realms[c->realm];
}

static bool has_prefix(struct span id, const char *prefix)
{
	size_t len = strlen(prefix);
	return id.len >= len && memcmp(id.ptr, prefix, len) == 0;
}

const struct flaw *admit_proof(const struct connection *c, struct connect *p,
			       enum access_method *proved_out)
{
	static const struct flaw flaw_no_proof = {
		REASON_BAD_USER_NAME_OR_PASSWORD,
		"its certificate holds no name that could be a user's"};
	struct stream_peer peer = stream_peer(&c->stream);
	const struct realm *realm = realm_of(c);
	enum access_method method = peer.is_of_system ? METHOD_PEER : METHOD_CERTIFICATE;
	*proved_out = METHOD_NONE;
	if ((!peer.user_name && !peer.lacks_user_name) || !realm_uses(realm, method))
		return NULL;
	if (!peer.user_name && realm->has_chain)
		return NULL; /* the others of the chain are asked */
	if (!peer.user_name || !utf8_is_valid(span_of_text(peer.user_name)))
		return &flaw_no_proof;
	*proved_out = method;
	p->has_user_name = true;
	p->user_name = span_of_text(peer.user_name);
	p->has_password = false;
	return NULL;
}

/* What nobody else need be asked about. */
static const struct flaw *take_identity(struct connection *c, const struct connect *p,
					enum access_method method)
{
	const struct identity_claim claim = {.name = p->has_user_name ? &p->user_name : NULL,
					     .realm = c->realm,
					     .method = (uint8_t)method};
	c->identity = identity_of(c->shard, &claim);
	return c->identity ? NULL : &flaw_memory;
}

static struct span keep(struct login *login, struct span text)
{
	uint8_t *at = login->bytes + login->len;
	if (text.len > 0)
		memcpy(at, text.ptr, text.len);
	login->len += text.len;
	return span_of(at, text.len);
}

/* To be judged by that place of the chain. NULL without memory. */
static struct login *login_new(struct connection *c, const struct connect *p, unsigned at)
{
	struct stream_peer peer = stream_peer(&c->stream);
	struct span certificate = peer.user_name ? span_of_text(peer.user_name) : SPAN_NONE;
	struct span address = ip_text_of_address(c->address);
	struct login *login = mem_zalloc(sizeof(*login) + p->user_name.len + p->password.len +
					 p->client_id.len + address.len + certificate.len);
	if (!login)
		return NULL;
	login->connection = c;
	login->shard = c->shard->index;
	login->source = (uint32_t)hash_bytes(address, c->shard->broker->seed);
	login->access = access_ref(c->shard->access);
	login->realm = c->realm;
	login->at = (uint8_t)at;
	login->method = realm_of(c)->chain[at];
	login->user_name = keep(login, p->user_name);
	login->password = keep(login, p->password);
	login->client_id = keep(login, p->client_id);
	login->address = keep(login, address);
	login->certificate = keep(login, certificate);
	login->has_user_name = p->has_user_name;
	login->has_password = p->has_password;
	login->port = c->port;
	login->wall_ms = c->shard->now.wall_ms;
	return login;
}

/* Takes it over. */
static const struct flaw *ask(struct connection *c, struct login *login)
{
	const struct broker_hooks *hooks = &c->shard->broker->hooks;
	c->login = login;
	c->state = CONNECTION_CHECKING;
	c->pins++;
	connection_wait(c);
	int error = hooks->verify ? hooks->verify(hooks->context, login) : 0;
	if (error) {
		c->login = NULL;
		c->state = CONNECTION_NEW;
		c->pins--;
		login_free(login);
		return &flaw_busy;
	}
	if (!hooks->verify) {
		login_answer(login);
		broker_answer_login(c->shard->broker, login);
	}
	return NULL;
}

/* `asked`: against whose password. */
static const struct flaw *ask_for_password(struct connection *c, const struct connect *p,
					   unsigned at, const struct user *asked, bool is_decoy)
{
	if (!p->has_password || !asked)
		return &refusals[LOGIN_WRONG];
	struct login *login = login_new(c, p, at);
	if (!login)
		return &flaw_memory;
	login->stored = asked->stored;
	login->stamp = asked->stamp;
	login->is_decoy = is_decoy;
	return ask(c, login);
}

static const struct flaw *ask_elsewhere(struct connection *c, const struct connect *p, unsigned at)
{
	struct login *login = login_new(c, p, at);
	return login ? ask(c, login) : &flaw_memory;
}

/* Nobody knows it. That is to take as long as a wrong password does. */
static const struct flaw *refuse_stranger(struct connection *c, const struct connect *p)
{
	const struct realm *realm = realm_of(c);
	if (!p->has_user_name)
		return &flaw_anonymous;
	if (!realm_verifies_names(realm))
		return &flaw_no_users;
	for (unsigned at = 0; at < CHAIN_LEN_MAX; at++)
		if (realm->chain[at] == METHOD_PASSWORD && realm->users)
			return ask_for_password(c, p, at, users_decoy(realm->users, p->user_name),
						true);
	return &refusals[LOGIN_WRONG];
}

/* One place of the chain: true when it knows the client, or finds out whether it does. */
static bool is_decided(struct connection *c, const struct connect *p, unsigned at,
		       enum access_method proved, const struct flaw **flaw)
{
	const struct realm *realm = realm_of(c);
	enum access_method method = realm->chain[at];
	const struct user *user;
	if (method == proved) {
		*flaw = take_identity(c, p, method);
		return true;
	}
	if (!realm_uses(realm, method))
		return false;
	switch (method) {
	case METHOD_JWT:
		if (!p->has_password || !jwt_is_token(p->password))
			return false;
		*flaw = ask_elsewhere(c, p, at);
		return true;
	case METHOD_PASSWORD:
		user = p->has_user_name ? users_find(realm->users, p->user_name) : NULL;
		if (!user || user->stored.len == 0)
			return false;
		*flaw = ask_for_password(c, p, at, user, false);
		return true;
	case METHOD_HTTP:
		if (!p->has_user_name && !p->has_password)
			return false; /* it says nothing that could be asked about */
		*flaw = ask_elsewhere(c, p, at);
		return true;
	case METHOD_ANONYMOUS:
		if (!realm_allows_unverified(realm, p->has_user_name))
			return false;
		*flaw = take_identity(c, p, method);
		return true;
	default: return false;
	}
}

const struct flaw *admit_client_id(const struct connection *c, const struct connect *p)
{
	const struct realm *realm = realm_of(c);
	const char *prefix = realm->client_id_prefix;
	struct span id = p->client_id.len ? p->client_id : span_of_text(realm_id_prefix(realm));
	return prefix && !has_prefix(id, prefix) ? &flaw_prefix : NULL;
}

/* Its user name was taken as its client id, before it was known that it is called otherwise. */
static bool is_misnamed(const struct connection *c, const struct connect *p)
{
	return c->is_named_by_user && !span_is_equal(identity_name(c->identity), p->user_name);
}

const struct flaw *admit(struct connection *c, const struct connect *p, enum access_method proved)
{
	const struct realm *realm = realm_of(c);
	const struct flaw *flaw = admit_client_id(c, p);
	unsigned home = c->home, at = home >= HOME_GO_ON ? home - HOME_GO_ON : 0;
	c->home = LOGIN_NONE;
	if (flaw)
		return flaw;
	if (home != LOGIN_NONE && home < HOME_GO_ON)
		return &refusals[home];
	if (c->identity && !c->identity->is_revoked)
		return is_misnamed(c, p) ? &flaw_misnamed : NULL;
	identity_unref(c->shard, c->identity); /* the file has changed meanwhile */
	c->identity = NULL;
	if (c->extras)
		c->extras->until_s = 0;
	for (; at < CHAIN_LEN_MAX && realm->chain[at] != METHOD_NONE; at++)
		if (is_decided(c, p, at, proved, &flaw))
			return flaw;
	return refuse_stranger(c, p);
}

/* With the identity, when it is known. */
static unsigned home_of(struct shard *s, struct connection *c, const struct login *login)
{
	if (login->result == LOGIN_UNKNOWN && login->access != s->access)
		return LOGIN_NONE; /* the chain may be another one: from its beginning */
	if (login->result == LOGIN_UNKNOWN)
		return HOME_GO_ON + login->at + 1u;
	if (login->result != LOGIN_KNOWN)
		return login->result;
	struct span name = login_name(login);
	if (login->until_s > 0 && login->until_s < UINT32_MAX) {
		if (!connection_has_extras(c))
			return LOGIN_FAILED;
		c->extras->until_s = (uint32_t)login->until_s;
	}
	c->identity = identity_of(s, &(struct identity_claim){.name = &name,
							      .stamp = login->stamp,
							      .realm = c->realm,
							      .method = login->method});
	return c->identity ? LOGIN_NONE : LOGIN_FAILED;
}

void admit_answered(struct shard *s, struct login *login)
{
	struct connection *c = login->connection;
	c->pins--;
	if (c->state == CONNECTION_CHECKING) {
		c->login = NULL;
		c->home = home_of(s, c, login) & 0x3F;
		c->state = CONNECTION_NEW;
		connection_go_on(c);
	}
	login_free(login);
}

void admit_forget(struct connection *c)
{
	if (c->state != CONNECTION_CHECKING)
		return;
	atomic_store(&c->login->is_forgotten, true);
	c->login = NULL;
}
