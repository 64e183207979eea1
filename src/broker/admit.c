/* SPDX-License-Identifier: Apache-2.0 */
#include "broker/admit.h"

#include "access/password.h"
#include "base/hash.h"
#include "base/mem.h"
#include "broker/handle.h"
#include "broker/shard.h"

#include <openssl/crypto.h>

static const struct flaw flaw_anonymous = {REASON_NOT_AUTHORIZED,
					   "anonymous clients are not allowed"};
static const struct flaw flaw_no_users = {REASON_NOT_AUTHORIZED,
					  "no user can be recognised: there is no password file"};
static const struct flaw flaw_wrong = {REASON_BAD_USER_NAME_OR_PASSWORD,
				       "wrong user name or password"};
static const struct flaw flaw_prefix = {REASON_NOT_AUTHORIZED,
					"client id without the prefix that is asked for"};
static const struct flaw flaw_busy = {REASON_SERVER_BUSY, "too many passwords wait to be verified"};
static const struct flaw flaw_failed = {REASON_SERVER_UNAVAILABLE,
					"the password could not be verified"};
static const struct flaw flaw_memory = {REASON_SERVER_UNAVAILABLE, "out of memory"};

static bool has_prefix(struct span id, const char *prefix)
{
	size_t len = strlen(prefix);
	return id.len >= len && memcmp(id.ptr, prefix, len) == 0;
}

/* With a name that nobody verifies, or none. */
static const struct flaw *take_identity(struct connection *c, const struct connect *p,
					bool is_proved)
{
	const struct identity_claim claim = {.name = p->has_user_name ? &p->user_name : NULL,
					     .realm = c->realm,
					     .is_proved = is_proved};
	c->identity = identity_of(c->shard, &claim);
	return c->identity ? NULL : &flaw_memory;
}

/* The address without its port. */
static uint32_t source_of(const struct connection *c)
{
	const char *colon = strrchr(c->address, ':');
	size_t len = colon ? (size_t)(colon - c->address) : strlen(c->address);
	return (uint32_t)hash_bytes(span_of(c->address, len), c->shard->broker->seed);
}

static struct password_question *question_new(struct connection *c, const struct connect *p,
					      const struct user *user, const struct user *asked)
{
	const struct span parts[] = {asked->stored, p->password, p->user_name};
	struct span *copies[] = {NULL, NULL, NULL};
	size_t len = parts[0].len + parts[1].len + parts[2].len;
	struct password_question *q = mem_zalloc(sizeof(*q) + len);
	if (!q)
		return NULL;
	copies[0] = &q->stored;
	copies[1] = &q->password;
	copies[2] = &q->user_name;
	uint8_t *at = q->bytes;
	for (size_t i = 0; i < ARRAY_COUNT(parts); i++) {
		*copies[i] = span_of(at, parts[i].len);
		if (parts[i].len > 0)
			memcpy(at, parts[i].ptr, parts[i].len);
		at += parts[i].len;
	}
	q->connection = c;
	q->shard = c->shard->index;
	q->source = source_of(c);
	q->is_decoy = asked != user;
	q->stamp = user ? user->stamp : 0;
	return q;
}

void password_question_free(struct password_question *q)
{
	OPENSSL_cleanse(q->bytes, q->stored.len + q->password.len + q->user_name.len);
	mem_free(q);
}

static const struct flaw *ask(struct connection *c, struct password_question *q)
{
	const struct broker_hooks *hooks = &c->shard->broker->hooks;
	c->question = q;
	c->state = CONNECTION_CHECKING;
	c->pins++;
	connection_wait(c);
	int error = hooks->verify ? hooks->verify(hooks->context, q) : 0;
	if (error) {
		c->question = NULL;
		c->state = CONNECTION_NEW;
		c->pins--;
		password_question_free(q);
		return &flaw_busy;
	}
	if (!hooks->verify) {
		password_question_answer(q);
		broker_verified(c->shard->broker, q);
	}
	return NULL;
}

static const struct flaw *ask_for_password(struct connection *c, const struct connect *p,
					   const struct users *users)
{
	const struct user *user = users_find(users, p->user_name);
	bool is_there = user && user->stored.len > 0;
	const struct user *asked = is_there ? user : users_decoy(users, p->user_name);
	if (!p->has_password || !asked)
		return &flaw_wrong;
	struct password_question *q = question_new(c, p, is_there ? user : NULL, asked);
	return q ? ask(c, q) : &flaw_memory;
}

const struct flaw *admit(struct connection *c, const struct connect *p, bool is_proved)
{
	const struct realm *realm = &c->shard->access->realms[c->realm];
	uint8_t verdict = c->home;
	c->home = VERDICT_NONE;
	if (realm->client_id_prefix && !has_prefix(p->client_id, realm->client_id_prefix))
		return &flaw_prefix;
	if (is_proved)
		return take_identity(c, p, true);
	if (!p->has_user_name && !realm->allows_anonymous)
		return &flaw_anonymous;
	if (p->has_user_name && !realm->users && !realm->allows_anonymous)
		return &flaw_no_users;
	if (!p->has_user_name || !realm->users)
		return take_identity(c, p, false);
	if (verdict == VERDICT_WRONG)
		return &flaw_wrong;
	if (verdict == VERDICT_FAILED)
		return &flaw_failed;
	if (c->identity && !c->identity->is_revoked)
		return NULL;
	identity_unref(c->shard, c->identity); /* the file has changed meanwhile */
	c->identity = NULL;
	return ask_for_password(c, p, realm->users);
}

void password_question_answer(struct password_question *q)
{
	q->result = password_verify(q->stored, q->password);
}

/* With the identity, when it was right. */
static uint8_t verdict_of(struct shard *s, struct connection *c, const struct password_question *q)
{
	bool is_right = q->result == 0 && !q->is_decoy;
	if (!is_right && (q->result == 0 || q->result == ERROR_INVALID))
		return VERDICT_WRONG;
	if (is_right)
		c->identity = identity_of(s, &(struct identity_claim){.name = &q->user_name,
								      .stamp = q->stamp,
								      .realm = c->realm});
	return c->identity ? VERDICT_NONE : VERDICT_FAILED;
}

void admit_answered(struct shard *s, struct password_question *q)
{
	struct connection *c = q->connection;
	c->pins--;
	if (c->state == CONNECTION_CHECKING) {
		c->question = NULL;
		c->home = verdict_of(s, c, q) & 0x3F;
		c->state = CONNECTION_NEW;
		connection_go_on(c);
	}
	password_question_free(q);
}

void admit_forget(struct connection *c)
{
	if (c->state != CONNECTION_CHECKING)
		return;
	atomic_store(&c->question->is_forgotten, true);
	c->question = NULL;
}
