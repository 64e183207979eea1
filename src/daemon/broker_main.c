/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The order of starting: everything that can fail for the user's sake comes before the process
 * goes to the background, so that it is said where the user looks.
 *
 *     options, configuration -> log -> listeners -> directory of the store -> background
 *     -> pid file, privileges -> recovery -> threads -> "running" -> signals until the end
 *     -> the same backwards
 *
 * In the background, too, the parent waits with the terminal until "running".
 */
#include "daemon/broker_main.h"

#include "broker/broker.h"
#include "daemon/broker_options.h"
#include "daemon/clock.h"
#include "daemon/config_main.h"
#include "daemon/notify.h"
#include "daemon/permissions.h"
#include "daemon/process.h"
#include "daemon/pulse.h"
#include "daemon/reload.h"
#include "daemon/sandbox.h"
#include "daemon/sandbox_calls.h"
#include "daemon/server.h"
#include "daemon/signals.h"
#include "daemon/store.h"
#include "daemon/weigh.h"
#include "io/passed.h"

#include <errno.h>
#include <limits.h>
#include <signal.h>
#include <stdio.h>
#include <sys/stat.h>
#include <sysexits.h>
#include <unistd.h>

#define REASON_MAX STORE_REASON_MAX
/* From a store that fails to the end of the process, whatever hangs. */
#define FAILED_END_S 1

/* What runs, in the order of starting. */
struct process {
	const struct broker_options *options;
	struct config *config;
	struct logger log;
	struct reload reload;
	struct store store;
	struct server *server;
	struct notifier notifier;
	struct pulse pulse;
	int signals_fd;
	int pid_fd;   /* of the pid file; -1 = there is none */
	int ready_fd; /* of the waiting parent; -1 = in the foreground */
	int status;   /* of the process, when nothing went wrong before it ran */
	char reason[REASON_MAX];
};

static int open_log(struct process *p)
{
	struct log_options options = reload_log_options(p->config, p->options->is_background);
	return log_open(&p->log, &options, p->reason);
}

static int go_to_background(struct process *p)
{
	if (!p->options->is_background)
		return 0;
	int error = process_to_background(&p->ready_fd);
	if (error != 0)
		snprintf(p->reason, REASON_MAX, "cannot go to the background: %s", strerror(errno));
	return error;
}

static void tell_user(struct process *p, bool was_root)
{
	char sentence[PROCESS_REASON_MAX];
	bool is_warning = process_tell_user(was_root, sentence);
	log_line(&p->log, is_warning ? LOG_TYPE_WARNING : LOG_TYPE_INFORMATION, "%s", sentence);
}

/* Before anything of others is read: what is in the store, and what clients send. */
static void confine(struct process *p)
{
	char reason[SANDBOX_REASON_MAX];
	bool only_logs = p->config->seccomp == SECCOMP_LOGS;
	if (p->config->seccomp == SECCOMP_OFF)
		return;
	if (sandbox_start(only_logs, reason) != 0)
		log_line(&p->log, LOG_TYPE_WARNING,
			 "System calls are not filtered: %s. With seccomp false it does without.",
			 reason);
	else
		log_line(&p->log, LOG_TYPE_INFORMATION,
			 "System calls that a broker does not need are %s from now on%s.",
			 only_logs ? "logged by the kernel" : "refused",
			 sandbox_sanitizer_calls[0] ? " (but those of the sanitizers)" : "");
}

/* A call that the filter lacks, or somebody who tries what a broker never does. */
static void tell_refused(struct process *p)
{
	char name[SANDBOX_NAME_MAX];
	while (sandbox_take_refused(name))
		log_line(&p->log, LOG_TYPE_WARNING,
			 "The system call %s was refused (seccomp): nothing in a broker needs it. "
			 "If "
			 "something fails for that, tell its developers; seccomp false lets it.",
			 name);
}

static int settle(struct process *p)
{
	const struct config *c = p->config;
	int error = 0;
	bool was_root = geteuid() == 0;
	if (c->pid_file)
		error = process_write_pid_file(c->pid_file, &p->pid_fd, p->reason);
	if (error == 0)
		error = process_drop_privileges(c->user, p->reason);
	if (error != 0)
		return error;
	tell_user(p, was_root);
	permissions_check(c, &p->log);
	process_allow_core(c->core_dump);
	p->signals_fd = signals_open();
	if (p->signals_fd < 0)
		snprintf(p->reason, REASON_MAX, "cannot wait for signals: %s", strerror(errno));
	return p->signals_fd < 0 ? ERROR_SYSTEM : 0;
}

static unsigned shard_count_of(const struct config *c)
{
	unsigned count = c->shards > 0 ? c->shards : process_core_count();
	return count < SHARDS_MAX ? count : SHARDS_MAX;
}

/* Password and ACL files are read by the user that the process is by now: as later, when they
 * change. */
static int start_server(struct process *p)
{
	struct reload *r = &p->reload;
	r->seed = process_random();
	struct access *access = reload_read_access(p->config, r->seed, &p->log, stderr);
	if (!access) {
		snprintf(p->reason, REASON_MAX, "cannot judge clients without these files");
		return ERROR_INVALID;
	}
	struct server_parts parts = {
		.access = access,
		.settings = &p->config->settings,
		.log = &p->log,
		.listening = r->listening,
		.store = &p->store,
		.shard_count = shard_count_of(p->config),
	};
	p->server = server_start(&parts, p->reason);
	access_unref(access);
	if (!p->server)
		return ERROR_SYSTEM;
	r->server = p->server;
	reload_begin(r);
	return 0;
}

static void warn_of_lost_log(const struct process *p)
{
	if (p->log.options.destinations == LOG_TO_SYSLOG && access(LOG_SYSTEM_PATH, W_OK) != 0)
		fputs("nightjar: this machine has no system log (" LOG_SYSTEM_PATH "): what is "
		      "logged is lost, unless the configuration names a file (log_dest file)\n",
		      stderr);
}

static void leave_foreground(struct process *p)
{
	if (p->ready_fd < 0)
		return;
	warn_of_lost_log(p);
	process_background_ready(p->ready_fd);
}

static void tell_ready(const struct process *p)
{
	char where[1024], status[1100];
	listening_text(p->reload.listening, where, sizeof(where));
	snprintf(status, sizeof(status), "Serving clients on %s", where);
	notify_ready(&p->notifier, status);
}

static void announce(struct process *p)
{
	char where[1024];
	unsigned count = shard_count_of(p->config);
	listening_text(p->reload.listening, where, sizeof(where));
	log_line(&p->log, LOG_TYPE_INFORMATION,
		 "nightjar version " NIGHTJAR_VERSION " running, listening on %s, %u %s", where,
		 count, count == 1 ? "shard" : "shards");
	leave_foreground(p);
	tell_ready(p);
	pulse_start(&p->pulse, &p->notifier, p->server, &p->log, clock_steady_ms());
}

static void reload(struct process *p)
{
	notify_reloading(&p->notifier);
	reload_all(&p->reload);
	tell_ready(p);
}

/* For the operator: what the store has done so far. And, as mosquitto does for this signal, its
 * state is written down. */
static void tell_status(struct process *p)
{
	store_log_status(&p->store);
	server_log_limits(p->server, true);
	if (store_is_usable(&p->store))
		server_want_checkpoint(p->server);
}

/* mosquitto prints them to standard output, which a service does not have. */
static void tell_subscriptions(struct process *p)
{
	log_line(&p->log, LOG_TYPE_INFORMATION, "Subscriptions, as SIGUSR2 asks:");
	server_tell_subscriptions(p->server);
}

/* Until there is something to look after; -1: for ever. */
static int wait_ms_of(struct process *p)
{
	uint64_t wait_ms = pulse_wait_ms(&p->pulse, clock_steady_ms());
	uint64_t log_ms = log_look(&p->log);
	if (wait_ms > log_ms)
		wait_ms = log_ms;
	if (reload_is_watching(&p->reload) && wait_ms > WATCH_MS)
		wait_ms = WATCH_MS;
	return wait_ms <= INT_MAX ? (int)wait_ms : -1;
}

/* Until a signal that ends it (true), or until the store has failed and nobody shall go on so. */
static bool serve_until_end(struct process *p)
{
	int failed_fd = p->config->store.stay_on_failure ? -1 : p->store.failed_fd;
	const int others[2] = {server_ended_fd(p->server), failed_fd};
	for (;;) {
		int what = signals_wait(p->signals_fd, others, wait_ms_of(p));
		pulse_look(&p->pulse, clock_steady_ms());
		if (what == SIGHUP)
			reload(p);
		else if (what == 0)
			reload_look(&p->reload);
		else if (what == SIGUSR1)
			tell_status(p);
		else if (what == SIGUSR2)
			tell_subscriptions(p);
		else if (what == SIGRTMIN)
			reload_reopen_log(&p->reload);
		else if (what == SANDBOX_SIGNAL)
			tell_refused(p);
		else if (what != SIGALRM)
			return what != -2;
	}
}

static void wait_for_end(struct process *p)
{
	const int others[2] = {server_ended_fd(p->server), -1};
	int what;
	while ((what = signals_wait(p->signals_fd, others, -1)) != -1) {
		if (what == SIGTERM || what == SIGINT || what == SIGALRM)
			_exit(p->status ? p->status : 1); /* at once, not all was said */
	}
}

static void serve(struct process *p)
{
	bool is_asked = serve_until_end(p);
	notify_stopping(&p->notifier);
	log_line(&p->log, LOG_TYPE_INFORMATION,
		 "nightjar version " NIGHTJAR_VERSION " terminating%s",
		 is_asked ? "" : ", because its store has failed");
	if (!is_asked) {
		p->status = EX_IOERR;
		alarm(FAILED_END_S);
	}
	server_stop(p->server, is_asked ? SERVER_DRAIN_MS : SERVER_FAILED_DRAIN_MS);
	wait_for_end(p);
	server_log_limits(p->server, false);
	server_join(p->server);
}

static int start_and_serve(struct process *p, struct span notices)
{
	int error = go_to_background(p);
	if (error == 0)
		error = settle(p);
	if (error == 0) {
		log_lines(&p->log, LOG_TYPE_NOTICE, notices);
		confine(p);
		error = start_server(p);
	}
	if (error == 0) {
		announce(p);
		serve(p);
	}
	if (p->signals_fd >= 0)
		close(p->signals_fd);
	return error;
}

static int run_with_store(struct process *p, struct span notices)
{
	int error = store_open(&p->store, &p->config->store, p->config->user, &p->log, p->reason);
	if (error == 0)
		error = start_and_serve(p, notices);
	store_close(&p->store);
	return error;
}

/* What was handed to the process, and what it opens itself. */
static struct listening *open_listening(struct process *p)
{
	if (passed_open(p->reason) != 0)
		return NULL;
	return listening_open(p->config, p->reason);
}

static int run_with_log(struct process *p, struct span notices)
{
	notify_open(&p->notifier);
	process_raise_descriptors();
	umask(PERMISSIONS_UMASK);
	process_allow_priority();
	p->reload = (struct reload){.options = p->options, .config = p->config, .log = &p->log};
	p->reload.listening = open_listening(p);
	if (!p->reload.listening)
		return ERROR_SYSTEM;
	int error = passed_all_taken(p->reason);
	if (error == 0)
		error = run_with_store(p, notices);
	reload_end(&p->reload);
	passed_close();
	notify_close(&p->notifier);
	if (p->pid_fd >= 0)
		unlink(p->config->pid_file); /* may fail, when privileges went */
	return error;
}

static int run(const struct broker_options *o, struct config *c, struct span notices)
{
	struct process p = {
		.options = o, .config = c, .signals_fd = -1, .pid_fd = -1, .ready_fd = -1};
	if (c->memory_ceiling > 0)
		weigh_start();
	int error = open_log(&p);
	if (error == 0) {
		error = run_with_log(&p, notices);
		log_close(&p.log);
	}
	if (error != 0)
		fprintf(stderr, "nightjar: %s\n", p.reason);
	return error == 0 ? p.status : 1;
}

static int load_and_run(const struct broker_options *o)
{
	struct config config;
	struct config_report report = {0};
	int status = broker_options_status(o);
	if (broker_options_load(o, &config, &report) == 0)
		status = run(o, &config, buffer_content(&report.notices));
	else if (report.is_out_of_memory)
		fputs("nightjar: out of memory\n", stderr);
	else
		fwrite(buffer_content(&report.errors).ptr, 1, buffer_len(&report.errors), stderr);
	config_report_release(&report);
	config_release(&config);
	return status;
}

int broker_main(int argc, char **argv)
{
	struct broker_options options;
	char reason[BROKER_REASON_MAX];
	process_fill_standard();
	if (broker_options_parse(argc, argv, &options, reason) != 0) {
		fprintf(stderr, "nightjar broker: %s\n", reason);
		return broker_options_status(&options);
	}
	if (options.wants_help)
		fputs(broker_options_help(), stdout);
	else if (options.wants_version)
		puts("nightjar version " NIGHTJAR_VERSION);
	else
		return options.is_test ? config_main_test(&options) : load_and_run(&options);
	return 0;
}
