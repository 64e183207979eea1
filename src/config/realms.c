/* SPDX-License-Identifier: Apache-2.0 */
/* Which listener has which realm, from one configuration of a process to the next. */
#include "access/access.h"
#include "base/mem.h"
#include "config/diff.h"
#include "config/reading.h"

_Static_assert(CONFIG_LISTENERS_MAX <= REALMS_MAX, "a realm for each listener");
_Static_assert(REALMS_MAX <= 64, "a bit for each realm");

static uint64_t realm_bit(const struct config_listener *l)
{
	return 1ULL << l->realm;
}

unsigned config_realm_count(const struct config *c)
{
	return c->realm_count;
}

/* Also of those that could not be opened: who has judged by so many goes on to. */
static void count_realms(struct config *fresh, unsigned before)
{
	fresh->realm_count = before;
	for (size_t i = 0; i < fresh->listener_count; i++)
		if (fresh->listeners[i].realm >= fresh->realm_count)
			fresh->realm_count = fresh->listeners[i].realm + 1u;
}

/* Of that place, whose realm nobody took over yet. */
static bool find(const struct config_listener *all, size_t count,
		 const struct config_listener *place, uint64_t followed, uint8_t *realm_out)
{
	for (size_t i = 0; i < count; i++) {
		if ((followed & realm_bit(&all[i])) ||
		    !config_listener_is_same_place(&all[i], place))
			continue;
		*realm_out = all[i].realm;
		return true;
	}
	return false;
}

/* On an error nothing is held. */
static int copy_whole(struct config_listener *to, const struct config_listener *from)
{
	int error = listener_copy(to, from);
	if (error == 0 && from->address)
		error = keep_text(&to->address, span_of_text(from->address));
	if (error != 0)
		listener_release(to);
	return error;
}

/* With what its clients were judged by. */
static int keep_closed(struct config *fresh, const struct config *running,
		       const struct config_listener *l)
{
	size_t size = (fresh->closed_count + 1) * sizeof(*fresh->closed);
	struct config_listener *closed = mem_realloc(fresh->closed, size);
	if (!closed)
		return ERROR_NO_MEMORY;
	fresh->closed = closed;
	struct config_listener from = *l;
	if (!running->has_access_per_listener)
		from.access = running->access;
	int error = copy_whole(&closed[fresh->closed_count], &from);
	fresh->closed_count += error == 0;
	return error;
}

static int keep_all_closed(struct config *fresh, const struct config *running, uint64_t followed)
{
	int error = 0;
	for (size_t i = 0; i < running->listener_count && error == 0; i++)
		if (!(followed & realm_bit(&running->listeners[i])))
			error = keep_closed(fresh, running, &running->listeners[i]);
	for (size_t i = 0; i < running->closed_count && error == 0; i++) {
		/* what it was judged by when it was closed holds */
		struct config as_closed = {.has_access_per_listener = true};
		if (!(followed & realm_bit(&running->closed[i])))
			error = keep_closed(fresh, &as_closed, &running->closed[i]);
	}
	return error;
}

/* Limits are found by the same number. Clients of a closed one have their own (struct connection,
 * terms). */
static void number_limits(struct config *c)
{
	struct limit_settings *set = &c->settings.limits;
	memset(set->listeners, 0, sizeof(set->listeners));
	set->ipv6_prefix = c->limit_ipv6_prefix;
	set->memory_ceiling = c->memory_ceiling;
	for (size_t i = 0; i < c->listener_count; i++)
		set->listeners[c->listeners[i].realm] = c->listeners[i].limits;
}

int config_follow_realms(struct config *fresh, const struct config *running)
{
	uint64_t followed = 0, taken = 0;
	bool has_realm[CONFIG_LISTENERS_MAX] = {false};
	for (size_t i = 0; i < running->listener_count; i++)
		taken |= realm_bit(&running->listeners[i]);
	for (size_t i = 0; i < running->closed_count; i++)
		taken |= realm_bit(&running->closed[i]);
	for (size_t i = 0; i < fresh->listener_count; i++) {
		struct config_listener *l = &fresh->listeners[i];
		has_realm[i] =
			find(running->listeners, running->listener_count, l, followed, &l->realm) ||
			find(running->closed, running->closed_count, l, followed, &l->realm);
		followed |= has_realm[i] ? realm_bit(l) : 0;
	}
	for (size_t i = 0; i < fresh->listener_count; i++) {
		if (has_realm[i])
			continue;
		if (~taken == 0)
			return ERROR_LIMIT;
		fresh->listeners[i].realm = (uint8_t)__builtin_ctzll(~taken);
		taken |= realm_bit(&fresh->listeners[i]);
	}
	count_realms(fresh, running->realm_count);
	number_limits(fresh);
	return keep_all_closed(fresh, running, followed);
}

void config_drop_listener(struct config *c, size_t index)
{
	listener_release(&c->listeners[index]);
	c->listener_count--;
	memmove(&c->listeners[index], &c->listeners[index + 1],
		(c->listener_count - index) * sizeof(c->listeners[0]));
}

static void forget_closed(struct config *c, uint8_t realm)
{
	for (size_t i = 0; i < c->closed_count; i++) {
		if (c->closed[i].realm != realm)
			continue;
		listener_release(&c->closed[i]);
		c->closed[i--] = c->closed[--c->closed_count];
	}
}

int config_keep_listener(struct config *c, const struct config_listener *l)
{
	if (c->listener_count == CONFIG_LISTENERS_MAX)
		return ERROR_LIMIT;
	int error = copy_whole(&c->listeners[c->listener_count], l);
	if (error != 0)
		return error;
	c->listener_count++;
	forget_closed(c, l->realm);
	return 0;
}
