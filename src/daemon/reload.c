/* SPDX-License-Identifier: Apache-2.0 */
#include "daemon/reload.h"

#include <errno.h>
#include <syslog.h>
#include <unistd.h>

#include "base/mem.h"
#include "config/diff.h"
#include "daemon/access_files.h"

struct log_options reload_log_options(const struct config *c, bool is_background)
{
	const unsigned standard = LOG_TO_STDERR | LOG_TO_STDOUT;
	unsigned destinations = c->log_destinations;
	if (is_background && (destinations & standard))
		destinations = (destinations & ~standard) | LOG_TO_SYSLOG;
	return (struct log_options){
		.destinations = destinations,
		.file = c->log_file,
		.syslog_facility =
			c->log_facility < 0 ? LOG_DAEMON : LOG_LOCAL0 + (c->log_facility << 3),
		.has_time = c->log_timestamp,
		.time_format = c->log_timestamp_format,
		.types = c->log_types,
		.is_json = c->log_format == 1,
		.rate_max = c->log_rate_max,
	};
}

struct access *reload_read_access(const struct config *c, uint64_t seed, struct logger *log,
				  FILE *errors)
{
	struct access_lines lines = {0};
	struct access *access = access_files_read(c, seed, &lines);
	struct span text = buffer_content(&lines.errors);
	if (errors && text.len > 0)
		fwrite(text.ptr, 1, text.len, errors);
	else if (!errors)
		log_lines(log, LOG_TYPE_ERROR, text);
	log_lines(log, LOG_TYPE_WARNING, buffer_content(&lines.notices));
	if (!access && lines.is_out_of_memory)
		log_line(log, LOG_TYPE_ERROR, "out of memory");
	access_lines_release(&lines);
	return access;
}

/* --- what is watched --- */

static void watch_config(struct reload *r, const struct config *c)
{
	if (!r->options->config_file || !r->config->reloads_on_change)
		return;
	file_watch_add(&r->config_watch, r->options->config_file);
	for (size_t i = 0; i < c->file_count; i++)
		file_watch_add(&r->config_watch, c->files[i].name);
	for (size_t i = 0; i < c->include_dir_count; i++)
		file_watch_add(&r->config_watch, c->include_dirs[i]);
}

static void watch_all(struct reload *r)
{
	file_watch_restart(&r->config_watch);
	file_watch_restart(&r->door_watch);
	file_watch_restart(&r->access_watch);
	watch_config(r, r->config);
	access_files_watch(r->config, &r->access_watch);
	for (size_t i = 0; i < r->config->listener_count; i++)
		door_watch(r->config, &r->config->listeners[i], &r->door_watch);
	file_watch_sweep(&r->config_watch);
	file_watch_sweep(&r->door_watch);
	file_watch_sweep(&r->access_watch);
}

void reload_begin(struct reload *r)
{
	watch_all(r);
}

void reload_end(struct reload *r)
{
	file_watch_release(&r->config_watch);
	file_watch_release(&r->door_watch);
	file_watch_release(&r->access_watch);
	listening_unref(r->listening);
	r->listening = NULL;
}

bool reload_is_watching(const struct reload *r)
{
	return r->config_watch.count + r->door_watch.count + r->access_watch.count > 0;
}

/* --- certificates, password and ACL files, when only they have changed --- */

static void log_refused(void *context, const char *reason)
{
	struct reload *r = context;
	log_line(r->log, LOG_TYPE_ERROR, "Not reloaded: %s", reason);
}

static void log_refused_file(void *context, const char *reason)
{
	struct reload *r = context;
	log_line(r->log, LOG_TYPE_ERROR, "Not reloaded: %s. The old one stays in use.", reason);
}

static void tell_doors(struct reload *r, unsigned count)
{
	if (count > 0)
		log_line(r->log, LOG_TYPE_INFORMATION,
			 "Reloaded: certificates and keys of %u %s, for new connections.", count,
			 count == 1 ? "listener" : "listeners");
}

/* Certificates, keys, authorities and lists, for those who come from now on. */
static void follow_doors(struct reload *r)
{
	struct listening_report report = {log_refused_file, r};
	unsigned count = listening_reload(r->listening, r->config, &report);
	if (count > 0)
		server_recheck_peers(r->server);
	tell_doors(r, count);
}

/* What the files say by now holds from now on; when one of them is of no use, all stays. */
static void follow_access(struct reload *r)
{
	struct access *access = reload_read_access(r->config, r->seed, r->log, NULL);
	if (!access) {
		log_line(r->log, LOG_TYPE_ERROR,
			 "Who may come in, and what they may do, stays as it was.");
		return;
	}
	server_change_access(r->server, access);
	server_await_changes(r->server);
	log_line(r->log, LOG_TYPE_INFORMATION,
		 "Who may come in, and what they may do, was read anew, since a file "
		 "has changed.");
}

/* --- the configuration --- */

/* Where lines go by now is where they go on to go. */
static void keep_log(struct config *running, struct config *fresh)
{
	char *file = fresh->log_file, *format = fresh->log_timestamp_format;
	fresh->log_destinations = running->log_destinations;
	fresh->log_file = running->log_file;
	fresh->log_facility = running->log_facility;
	fresh->log_timestamp = running->log_timestamp;
	fresh->log_format = running->log_format;
	fresh->log_rate_max = running->log_rate_max;
	fresh->log_timestamp_format = running->log_timestamp_format;
	running->log_file = file;
	running->log_timestamp_format = format;
}

static void change_log(struct reload *r, struct config *fresh)
{
	char reason[LOG_REASON_MAX];
	struct log_options options = reload_log_options(fresh, r->options->is_background);
	log_set_types(r->log, fresh->log_types);
	if (log_change(r->log, &options, reason) == 0)
		return;
	log_line(r->log, LOG_TYPE_ERROR, "Not reloaded: %s. Lines go to where they went.", reason);
	keep_log(r->config, fresh);
}

/* Those that run go on to run. */
static void keep_listeners(struct config *running, struct config *fresh)
{
	for (size_t i = 0; i < CONFIG_LISTENERS_MAX; i++) {
		struct config_listener kept = fresh->listeners[i];
		fresh->listeners[i] = running->listeners[i];
		running->listeners[i] = kept;
	}
	size_t count = fresh->listener_count, closed_count = fresh->closed_count;
	struct config_listener *closed = fresh->closed;
	fresh->listener_count = running->listener_count;
	fresh->closed = running->closed;
	fresh->closed_count = running->closed_count;
	running->listener_count = count;
	running->closed = closed;
	running->closed_count = closed_count;
}

static bool has_door(const struct listening *l, const struct door *door)
{
	for (unsigned i = 0; i < l->entrance_count; i++)
		if (l->entrances[i].door == door)
			return true;
	return false;
}

static unsigned count_fresh_tls(const struct listening *before, const struct listening *after)
{
	unsigned count = 0;
	for (unsigned i = 0; i < after->entrance_count; i++)
		count += after->entrances[i].door->tls &&
			 !has_door(before, after->entrances[i].door);
	return count;
}

static void change_listening(struct reload *r, struct config *fresh, bool is_asked)
{
	struct listening_report report = {log_refused, r};
	struct listening *after = listening_follow(r->listening, r->config, fresh, &report);
	if (!after) {
		log_refused(r, "listeners stay as they are: out of memory");
		keep_listeners(r->config, fresh);
		return;
	}
	server_change_listening(r->server, after);
	unsigned count = count_fresh_tls(r->listening, after);
	listening_unref(r->listening);
	r->listening = after;
	if (count > 0)
		server_recheck_peers(r->server);
	if (is_asked)
		tell_doors(r, count);
}

/* What all of it needs, before anything is changed. */
struct takeover {
	struct config_diff diff;
	struct access *access;
	const struct settings *settings;
};

static int prepare(struct reload *r, struct config *fresh, struct takeover *t)
{
	*t = (struct takeover){.access = NULL};
	config_compare(r->config, fresh, &t->diff);
	config_keep_fixed(r->config, fresh);
	int error = config_follow_realms(fresh, r->config);
	if (error == ERROR_LIMIT)
		log_line(r->log, LOG_TYPE_ERROR,
			 "there were more than %d different listeners since the start: another one "
			 "takes a restart",
			 REALMS_MAX);
	if (error == 0)
		t->access = reload_read_access(fresh, r->seed, r->log, NULL);
	if (t->access)
		t->settings = settings_share(&fresh->settings);
	if (t->settings && !t->diff.is_out_of_memory)
		return 0;
	config_keep_fixed(r->config, fresh);
	access_unref(t->access);
	settings_unref(t->settings);
	config_diff_release(&t->diff);
	return ERROR_INVALID;
}

static void tell(struct reload *r, const struct config_diff *diff, bool is_asked)
{
	unsigned count = diff->change_count;
	if (count == 0 && !is_asked)
		return;
	log_line(r->log, LOG_TYPE_INFORMATION,
		 "Reloaded: %u changed %s, who may come in, and what they may do.", count,
		 count == 1 ? "option" : "options");
}

/* New settings and rules first: who comes by a new listener is judged by them. */
static void take_over(struct reload *r, struct config *fresh, bool is_asked)
{
	struct takeover t;
	if (prepare(r, fresh, &t) != 0) {
		log_line(r->log, LOG_TYPE_ERROR,
			 "Not reloaded: all stays as it was, also who may come in.");
		watch_config(r, fresh);
		return;
	}
	log_lines(r->log, LOG_TYPE_WARNING, buffer_content(&t.diff.restarts));
	log_lines(r->log, LOG_TYPE_INFORMATION, buffer_content(&t.diff.changes));
	change_log(r, fresh);
	server_change_settings(r->server, t.settings);
	server_change_access(r->server, t.access);
	change_listening(r, fresh, is_asked);
	server_await_changes(r->server);
	struct config before = *r->config;
	*r->config = *fresh;
	*fresh = before;
	tell(r, &t.diff, is_asked);
	config_diff_release(&t.diff);
	watch_all(r);
}

/* It was read by root at the start, perhaps. */
static void tell_unreadable(struct reload *r)
{
	const char *file = r->options->config_file;
	if (file && access(file, R_OK) != 0 && errno == EACCES)
		log_line(
			r->log, LOG_TYPE_ERROR,
			"The user that the broker runs as must be allowed to read it, and to enter "
			"its directory.");
}

static void follow_config(struct reload *r, bool is_asked)
{
	struct config fresh;
	struct config_report report = {0};
	/* so that no change after the reading is missed */
	if (r->config->reloads_on_change)
		file_watch_add(&r->config_watch, r->options->config_file);
	if (broker_options_load(r->options, &fresh, &report) == 0) {
		take_over(r, &fresh, is_asked);
	} else {
		log_lines(r->log, LOG_TYPE_ERROR, buffer_content(&report.errors));
		tell_unreadable(r);
		log_line(r->log, LOG_TYPE_ERROR,
			 "Not reloaded: the configuration has mistakes. The old one holds.");
		watch_config(r, &fresh);
		if (is_asked)
			follow_doors(r);
	}
	config_report_release(&report);
	config_release(&fresh);
}

void reload_reopen_log(struct reload *r)
{
	if (log_reopen(r->log) != 0)
		log_line(r->log, LOG_TYPE_ERROR,
			 "Cannot open the log file '%s' anew: %s. The old one stays.",
			 r->config->log_file, strerror(errno));
}

void reload_all(struct reload *r)
{
	reload_reopen_log(r);
	follow_config(r, true);
}

void reload_look(struct reload *r)
{
	/* what each finds is not looked for again by the next */
	bool has_config = file_watch_look(&r->config_watch);
	bool has_doors = file_watch_look(&r->door_watch);
	bool has_access = file_watch_look(&r->access_watch);
	if (has_config) {
		follow_config(r, false);
		return;
	}
	if (has_doors)
		follow_doors(r);
	if (has_access)
		follow_access(r);
}
