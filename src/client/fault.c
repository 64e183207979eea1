/* SPDX-License-Identifier: Apache-2.0 */
/* Faults on purpose (trace/fault.h) between the engine and the socket of a client, for tests of
 * programs. Without rules there is nothing of it. */
#include <errno.h>
#include <sys/socket.h>

#include "base/mem.h"
#include "client/client_state.h"
#include "trace/fault.h"

struct faults {
	struct fault_table table;
	struct fault_stream in, out;
	struct buffer came; /* for the engine */
	struct buffer goes; /* for the socket */
	bool is_cut;
	bool is_ending; /* cut when `goes` is empty */
};

_Static_assert((int)NJ_FAULT_CUT == (int)FAULT_CUT, "kinds are the same");

/* The server, and our own next turn, see the end. */
static int cut(nj_client *c)
{
	c->faults->is_cut = true;
	(void)shutdown(c->fd, SHUT_RDWR);
	errno = ECONNRESET;
	return -1;
}

/* False: there was no memory, which ends the connection too. */
static bool pass(nj_client *c, bool is_outgoing, struct span bytes)
{
	struct faults *f = c->faults;
	int error = fault_pass(is_outgoing ? &f->out : &f->in, &f->table, bytes, client_now_ms(),
			       is_outgoing ? &f->goes : &f->came);
	f->is_ending |= error == ERROR_CLOSED;
	return error != ERROR_NO_MEMORY && error != ERROR_LIMIT;
}

ssize_t fault_write(nj_client *c, struct span bytes)
{
	struct faults *f = c->faults;
	if (f->is_cut || (!f->is_ending && !pass(c, true, bytes)))
		return cut(c);
	while (buffer_len(&f->goes) > 0) {
		struct span goes = buffer_content(&f->goes);
		ssize_t written = link_put(c, goes);
		if (written < 0 && errno != EAGAIN && errno != EINTR)
			return -1;
		if (written <= 0)
			return (ssize_t)bytes.len; /* taken, not gone */
		buffer_consume(&f->goes, (size_t)written);
	}
	return f->is_ending ? cut(c) : (ssize_t)bytes.len;
}

ssize_t fault_read(nj_client *c, struct room room)
{
	struct faults *f = c->faults;
	ssize_t got = 0;
	if (f->is_cut) {
		errno = ECONNRESET;
		return -1;
	}
	if (buffer_len(&f->came) == 0 && !f->is_ending) {
		got = link_take(c, room);
		int saved = errno;
		if (!pass(c, false, span_of(room.ptr, got > 0 ? (size_t)got : 0)))
			return cut(c);
		errno = saved;
	}
	size_t ready = buffer_len(&f->came) < room.len ? buffer_len(&f->came) : room.len;
	if (ready > 0) {
		memcpy(room.ptr, buffer_content(&f->came).ptr, ready);
		buffer_consume(&f->came, ready);
		return (ssize_t)ready;
	}
	if (f->is_ending)
		return cut(c);
	if (got > 0)
		errno = EAGAIN;
	return got > 0 ? -1 : got;
}

bool fault_has_output(const nj_client *c)
{
	return c->faults && !c->faults->is_cut &&
	       (buffer_len(&c->faults->goes) > 0 || fault_due(&c->faults->out) != UINT64_MAX);
}

bool fault_can_write(const nj_client *c)
{
	return c->faults && !c->faults->is_cut && buffer_len(&c->faults->goes) > 0;
}

uint64_t fault_deadline(const nj_client *c)
{
	const struct faults *f = c->faults;
	if (!f || c->link != LINK_OPEN || f->is_cut)
		return UINT64_MAX;
	uint64_t in = link_reads(c) ? fault_due(&f->in) : UINT64_MAX, out = fault_due(&f->out);
	if (link_reads(c) && (buffer_len(&f->came) > 0 || f->is_ending))
		return 0; /* the socket will not tell */
	return in < out ? in : out;
}

void fault_lost(nj_client *c)
{
	struct faults *f = c->faults;
	if (!f)
		return;
	fault_stream_release(&f->in);
	fault_stream_release(&f->out);
	buffer_release(&f->came);
	buffer_release(&f->goes);
	f->is_cut = f->is_ending = false;
}

void fault_release(nj_client *c)
{
	fault_lost(c);
	mem_free(c->faults);
	c->faults = NULL;
}

/* --- public calls --- */

int nj_fault_add(nj_client *c, const struct nj_fault *fault)
{
	struct fault_rule rule = {.kind = (enum fault_kind)fault->kind,
				  .is_outgoing = fault->is_outgoing,
				  .type = fault->type,
				  .skip = fault->skip,
				  .count = fault->count ? fault->count : 1,
				  .delay_ms = fault->delay_ms,
				  .after_bytes = fault->after_bytes};
	int error = 0;
	pthread_mutex_lock(&c->mutex);
	if (!c->faults) {
		c->faults = mem_zalloc(sizeof(*c->faults));
		if (c->faults)
			c->faults->out.is_outgoing = true;
		else
			error = ERROR_NO_MEMORY;
	}
	if (!error)
		error = fault_add(&c->faults->table, &rule);
	pthread_mutex_unlock(&c->mutex);
	return error;
}

void nj_fault_clear(nj_client *c)
{
	pthread_mutex_lock(&c->mutex);
	if (c->faults)
		c->faults->table.rule_count = 0;
	pthread_mutex_unlock(&c->mutex);
}

uint32_t nj_fault_count(nj_client *c)
{
	pthread_mutex_lock(&c->mutex);
	uint32_t count = c->faults ? c->faults->table.happened_count : 0;
	pthread_mutex_unlock(&c->mutex);
	return count;
}
