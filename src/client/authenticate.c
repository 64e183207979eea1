/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Enhanced authentication ([5] 4.12), by the application's callback or by SCRAM-SHA-256:
 *
 *	BEGIN        data of CONNECT, or of AUTH 0x19
 *	CHALLENGE    AUTH 0x18 came; its answer goes as AUTH 0x18     (any number of times)
 *	DONE         CONNACK came, or AUTH 0x00: is it the server that we know?
 *
 * Each step is an event for the driver, who calls the callback or computes, without the lock:
 * SCRAM's key takes as long as the server wants. Only SCRAM's last check is done at once. Until the
 * server is taken the engine looks at nothing behind its CONNACK, and sends nothing.
 */
#include <errno.h>
#include <sys/random.h>

#include "base/mem.h"
#include "client/client_state.h"

/* --- options --- */

static bool names_authentication(const struct nj_options *o)
{
	for (size_t i = 0; i < o->property_count; i++)
		if (o->properties[i].id == NJ_AUTHENTICATION_METHOD ||
		    o->properties[i].id == NJ_AUTHENTICATION_DATA)
			return true;
	return false;
}

const char *auth_options_flaw(const struct nj_options *o)
{
	if (names_authentication(o))
		return "authentication is begun by auth_method, not by properties";
	if (!o->auth_method)
		return NULL;
	if (o->version != NJ_MQTT_5)
		return "auth_method wants MQTT 5.0";
	if (o->callbacks.auth)
		return NULL;
	if (strcmp(o->auth_method, SCRAM_METHOD) != 0)
		return "an auth_method other than SCRAM-SHA-256 wants the auth callback";
	if (!client_has_scram)
		return "this library was built without SCRAM-SHA-256 (libcrypto)";
	if (!o->user_name || !o->password || !*o->user_name || o->password_len == 0)
		return "SCRAM-SHA-256 wants a user_name and a password";
	return NULL;
}

static int copy_password(struct authentication *a, const struct nj_options *o)
{
	uint8_t *copy = mem_alloc(o->password_len);
	if (!copy)
		return ERROR_NO_MEMORY;
	memcpy(copy, o->password, o->password_len);
	a->password = span_of(copy, o->password_len);
	return 0;
}

int auth_configure(nj_client *c, const struct nj_options *o)
{
	struct authentication *a = &c->auth;
	if (!o->auth_method)
		return 0;
	a->method = mem_copy_text(span_of_text(o->auth_method));
	a->is_built_in = !o->callbacks.auth;
	if (!a->method)
		return ERROR_NO_MEMORY;
	if (!a->is_built_in)
		return 0;
	a->user = mem_copy_text(span_of_text(o->user_name));
	return a->user ? copy_password(a, o) : ERROR_NO_MEMORY;
}

void auth_release(nj_client *c)
{
	struct authentication *a = &c->auth;
	if (a->password.ptr)
		explicit_bzero((void *)a->password.ptr, a->password.len);
	mem_free((void *)a->password.ptr);
	mem_free(a->user);
	mem_free(a->method);
	buffer_release(&a->data);
	scram_client_release(&a->scram);
}

/* --- what goes to the server --- */

static void fail_memory(nj_client *c)
{
	engine_reject(c->engine, "there is no memory to authenticate");
}

static int send_auth(nj_client *c, uint8_t reason_code, struct span data)
{
	struct auth p = {.reason_code = reason_code};
	p.properties.present = UINT64_C(1) << PROPERTY_AUTHENTICATION_METHOD;
	p.properties.authentication_method = span_of_text(c->auth.method);
	if (data.len > 0) {
		p.properties.present |= UINT64_C(1) << PROPERTY_AUTHENTICATION_DATA;
		p.properties.authentication_data = data;
	}
	return engine_auth(c->engine, &p);
}

/* The step is answered. */
static int put_out(nj_client *c, struct span data)
{
	if (c->auth.step == NJ_AUTH_CHALLENGE)
		return send_auth(c, REASON_CONTINUE_AUTHENTICATION, data);
	if (c->auth.is_again)
		return send_auth(c, REASON_REAUTHENTICATE, data);
	return engine_set_auth_data(c->engine, data);
}

static int first_of_scram(nj_client *c, struct buffer *out)
{
	uint8_t random[SCRAM_NONCE_RANDOM];
	char nonce[SCRAM_NONCE_TEXT];
	if (getrandom(random, sizeof(random), 0) != sizeof(random))
		return ERROR_SYSTEM;
	scram_nonce(random, nonce);
	return scram_client_first(&c->auth.scram, span_of_text(c->auth.user), span_of_text(nonce),
				  out);
}

static int begin_scram(nj_client *c)
{
	struct buffer out = {0};
	int error = first_of_scram(c, &out);
	if (!error)
		error = put_out(c, buffer_content(&out));
	buffer_release(&out);
	return error;
}

/* --- steps --- */

static void ask(nj_client *c, enum nj_auth_step step)
{
	struct authentication *a = &c->auth;
	a->step = step;
	a->owes = step != NJ_AUTH_DONE;
	a->is_rejected = false;
	if (!link_is_listed(&a->event.link))
		events_add(c, &a->event, EVENT_AUTH);
}

/* What the callback is to see of the server. */
static bool keep_data(nj_client *c, const struct properties *p)
{
	struct authentication *a = &c->auth;
	bool has_data = properties_has(p, PROPERTY_AUTHENTICATION_DATA);
	buffer_release(&a->data);
	if (!has_data || buffer_append(&a->data, p->authentication_data) == 0)
		return true;
	fail_memory(c);
	return false;
}

bool auth_begin(nj_client *c)
{
	struct authentication *a = &c->auth;
	a->is_again = false;
	if (!a->method)
		return true;
	a->step = NJ_AUTH_BEGIN;
	buffer_release(&a->data);
	if (!a->is_built_in) {
		ask(c, NJ_AUTH_BEGIN);
		return false;
	}
	if (begin_scram(c) == 0)
		return true;
	c->system_error = ENOMEM;
	link_close(c, client_now_ms());
	return false;
}

static struct span data_of(const struct properties *p)
{
	return properties_has(p, PROPERTY_AUTHENTICATION_DATA) ? p->authentication_data : SPAN_NONE;
}

static bool is_proven(nj_client *c, const struct properties *p)
{
	const char *trouble;
	if (scram_client_check(&c->auth.scram, data_of(p), &trouble) == 0)
		return true;
	engine_reject(c->engine, trouble);
	return false;
}

static void end_again(nj_client *c, bool was_refused)
{
	if (!c->auth.is_again)
		return;
	c->auth.is_again = false;
	c->auth.was_refused = was_refused;
	pthread_cond_broadcast(&c->changed);
}

void auth_came(nj_client *c, const struct auth *p)
{
	bool is_done = p->reason_code == REASON_SUCCESS;
	if (c->auth.is_built_in && is_done) {
		if (is_proven(c, &p->properties))
			end_again(c, false);
	} else if (keep_data(c, &p->properties)) {
		ask(c, is_done ? NJ_AUTH_DONE : NJ_AUTH_CHALLENGE);
	}
}

bool auth_admits(nj_client *c, const struct connack *p)
{
	if (c->auth.is_built_in)
		return is_proven(c, &p->properties);
	if (keep_data(c, &p->properties))
		ask(c, NJ_AUTH_DONE);
	return false;
}

void auth_lost(nj_client *c, const struct engine_closed *closed)
{
	link_remove(&c->auth.event.link);
	c->auth.owes = false;
	end_again(c, closed->end == ENGINE_END_SERVER);
}

/* --- the driver's part --- */

static void answer_by_scram(nj_client *c)
{
	struct authentication *a = &c->auth;
	struct buffer out = {0};
	const char *trouble;
	pthread_mutex_unlock(&c->mutex);
	int error = scram_client_final(&a->scram, a->password, buffer_content(&a->data), &out,
				       &trouble);
	pthread_mutex_lock(&c->mutex);
	if (error == ERROR_INVALID)
		engine_reject(c->engine, trouble);
	else if (error || put_out(c, buffer_content(&out)) == ERROR_NO_MEMORY)
		fail_memory(c);
	buffer_release(&out);
}

static void take_server(nj_client *c)
{
	if (c->auth.is_again)
		end_again(c, false);
	else
		engine_admit(c->engine, client_now_ms());
}

static void ask_application(nj_client *c)
{
	struct authentication *a = &c->auth;
	struct span data = buffer_content(&a->data);
	struct nj_auth auth = {.step = a->step,
			       .is_again = a->is_again,
			       .method = a->method,
			       .data = {data.ptr, data.len}};
	struct buffer kept = a->data; /* an answer may bring the next step before we are back */
	a->data = (struct buffer){0};
	pthread_mutex_unlock(&c->mutex);
	c->callbacks.auth(c, c->context, &auth);
	pthread_mutex_lock(&c->mutex);
	buffer_release(&kept);
	if (auth.step == NJ_AUTH_DONE && !a->is_rejected && !c->is_freed)
		take_server(c);
}

void auth_call(nj_client *c)
{
	if (!c->auth.is_built_in)
		ask_application(c);
	else if (c->auth.owes)
		answer_by_scram(c);
	if (c->auth.is_built_in)
		c->auth.owes = false;
}

/* --- public calls --- */

static bool is_over(nj_client *c, void *subject)
{
	(void)subject;
	return !c->auth.is_again;
}

static int begin_again(nj_client *c)
{
	struct authentication *a = &c->auth;
	if (!a->method)
		return NJ_ERROR_INVALID;
	if (!engine_is_connected(c->engine))
		return NJ_ERROR_CLOSED;
	if (a->is_again)
		return 0; /* it is under way */
	a->is_again = true;
	a->was_refused = false;
	a->step = NJ_AUTH_BEGIN;
	if (!a->is_built_in) {
		buffer_release(&a->data);
		ask(c, NJ_AUTH_BEGIN);
		return 0;
	}
	int error = begin_scram(c);
	a->is_again = error == 0;
	return error;
}

int nj_authenticate(nj_client *c, int64_t timeout_ms)
{
	pthread_mutex_lock(&c->mutex);
	int error = begin_again(c);
	client_wake(c);
	if (!error && timeout_ms != 0) {
		error = client_wait(c, is_over, NULL, timeout_ms);
		if (!error && c->auth.was_refused)
			error = NJ_ERROR_REFUSED;
		else if (!error && !engine_is_connected(c->engine))
			error = NJ_ERROR_CLOSED;
	}
	client_leave(c);
	return error;
}

int nj_auth_answer(nj_client *c, const void *data, size_t len)
{
	int error = NJ_ERROR_NOT_FOUND;
	pthread_mutex_lock(&c->mutex);
	struct authentication *a = &c->auth;
	bool asks_for_connect = a->step == NJ_AUTH_BEGIN && !a->is_again;
	bool is_there = asks_for_connect ? c->link == LINK_ASKING : c->link == LINK_OPEN;
	if (len > UINT16_MAX)
		error = NJ_ERROR_LIMIT;
	else if (a->owes && !a->is_built_in && is_there)
		error = put_out(c, span_of(data, len));
	if (!error) {
		a->owes = false;
		if (asks_for_connect)
			link_begin_mqtt(c, client_now_ms());
		client_wake(c);
	}
	pthread_mutex_unlock(&c->mutex);
	return error;
}

int nj_auth_reject(nj_client *c)
{
	int error = 0;
	pthread_mutex_lock(&c->mutex);
	struct authentication *a = &c->auth;
	bool is_done_now = a->step == NJ_AUTH_DONE && client_is_driver(c);
	if (a->is_built_in || !a->method || engine_is_idle(c->engine) || !(a->owes || is_done_now))
		error = NJ_ERROR_NOT_FOUND;
	if (!error) {
		a->is_rejected = true;
		a->owes = false;
		engine_reject(c->engine, "the application does not take it");
		client_wake(c);
	}
	pthread_mutex_unlock(&c->mutex);
	return error;
}
