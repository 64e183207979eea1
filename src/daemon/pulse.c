/* SPDX-License-Identifier: Apache-2.0 */
#include "daemon/pulse.h"

/* Looks per period of the watchdog: sd_watchdog_enabled(3) advises to tell it twice in one, and a
 * shard that answers late in one look is found in the next. */
#define LOOKS_PER_PERIOD 4

static void ask(struct pulse *p, uint64_t now_ms)
{
	server_ask_turns(p->server);
	p->asked_ms = now_ms;
}

void pulse_start(struct pulse *p, const struct notifier *notifier, struct server *server,
		 struct logger *log, uint64_t now_ms)
{
	*p = (struct pulse){.notifier = notifier, .server = server, .log = log};
	if (notifier->watchdog_ms == 0)
		return;
	p->beat_ms = notifier->watchdog_ms / LOOKS_PER_PERIOD;
	if (p->beat_ms == 0)
		p->beat_ms = 1;
	p->next_ms = now_ms + p->beat_ms;
	ask(p, now_ms);
}

uint64_t pulse_wait_ms(const struct pulse *p, uint64_t now_ms)
{
	if (p->beat_ms == 0)
		return UINT64_MAX;
	return now_ms < p->next_ms ? p->next_ms - now_ms : 0;
}

static void complain(struct pulse *p, unsigned shard, uint64_t now_ms)
{
	if (p->has_complained)
		return;
	p->has_complained = true;
	log_line(p->log, LOG_TYPE_WARNING,
		 "Shard %u has not taken a turn for %llu ms. The service manager's watchdog is not "
		 "told that all is well until it has.",
		 shard, (unsigned long long)(now_ms - p->asked_ms));
}

void pulse_look(struct pulse *p, uint64_t now_ms)
{
	unsigned shard;
	if (pulse_wait_ms(p, now_ms) > 0)
		return;
	p->next_ms = now_ms + p->beat_ms;
	if (!server_has_turned(p->server, &shard)) {
		complain(p, shard, now_ms);
		return;
	}
	p->has_complained = false;
	notify_alive(p->notifier);
	ask(p, now_ms);
}
