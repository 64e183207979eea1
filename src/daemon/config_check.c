/* SPDX-License-Identifier: Apache-2.0 */
/* In the order of a start (broker_main.c); it goes on after a mistake, so that all are told. */
#include "daemon/config_check.h"

#include <errno.h>
#include <grp.h>
#include <net/if.h>
#include <netdb.h>
#include <pwd.h>
#include <stdio.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <unistd.h>

#include "base/mem.h"
#include "config/reading.h"
#include "daemon/access_files.h"
#include "daemon/door.h"
#include "daemon/process.h"
#include "daemon/store.h"

struct check {
	struct config *config;
	struct config_report *report;
	const struct config_listener *listener; /* NULL: it is about the broker */
};

/* Where the option was said; else the listener's line. */
static struct reading place_of(const struct check *k, const char *option)
{
	const struct option *o = option_named(span_of_text(option));
	const struct config_place *given = k->config->given;
	struct config_place place = {0};
	if (o && option_is_of_listener(k->config, o))
		given = k->listener ? k->listener->given : NULL;
	if (o && given && strcmp(option, "listener") != 0)
		place = given[option_index(o)];
	if (place.line == 0 && k->listener)
		place = k->listener->place;
	return reading_place(k->config, k->report, place, option);
}

/* --- files and folders --- */

/* The folder that a path is in. */
static char *folder_of(const char *path)
{
	const char *slash = strrchr(path, '/');
	if (!slash)
		return mem_copy_text(SPAN_LITERAL("."));
	return mem_copy_text(slash == path ? span_of(path, 1)
					   : span_of(path, (size_t)(slash - path)));
}

static bool is_folder(const char *path)
{
	struct stat about;
	return stat(path, &about) == 0 && S_ISDIR(about.st_mode);
}

/* A folder in which a new file can be made. */
static void check_folder(const struct check *k, const char *option, const char *path)
{
	struct reading r = place_of(k, option);
	char *folder = folder_of(path);
	if (!folder)
		k->report->is_out_of_memory = true;
	else if (!is_folder(folder))
		reading_refuse(&r, "the folder '%s' is not there", folder);
	else if (access(folder, W_OK | X_OK) != 0)
		reading_refuse(&r, "the folder '%s' cannot be written: %s", folder,
			       strerror(errno));
	mem_free(folder);
}

/* A file that is there and can be written, or that can be made. */
static void check_writable(const struct check *k, const char *option, const char *path)
{
	struct reading r = place_of(k, option);
	if (!path)
		return;
	if (is_folder(path))
		reading_refuse(&r, "'%s' is a folder, not a file", path);
	else if (access(path, F_OK) != 0)
		check_folder(k, option, path);
	else if (access(path, W_OK) != 0)
		reading_refuse(&r, "'%s' cannot be written: %s", path, strerror(errno));
}

static void check_store(const struct check *k)
{
	const char *option = "persistence_location";
	struct reading r = place_of(k, option);
	char *path = store_path(&k->config->store);
	if (!path)
		reading_refuse(&r, "is missing, since HOME is not set: name a directory, or do "
				   "without a store by persistence false");
	else if (access(path, F_OK) != 0)
		check_folder(k, option, path);
	else if (!is_folder(path))
		reading_refuse(&r, "'%s' is no directory", path);
	else if (access(path, R_OK | W_OK | X_OK) != 0)
		reading_refuse(&r, "'%s' cannot be written: %s", path, strerror(errno));
	mem_free(path);
}

/* --- listeners --- */

static void check_unix(const struct check *k, const struct config_listener *l)
{
	struct reading owner = place_of(k, "socket_owner"), group = place_of(k, "socket_group");
	struct reading listener = place_of(k, "listener");
	if (strlen(l->address) >= sizeof(((struct sockaddr_un *)0)->sun_path))
		reading_refuse(&listener,
			       "the path is longer than the %zu bytes that a socket's may have",
			       sizeof(((struct sockaddr_un *)0)->sun_path) - 1);
	check_folder(k, "listener", l->address);
	if (l->socket_owner && !getpwnam(l->socket_owner))
		reading_refuse(&owner, "there is no user '%s'", l->socket_owner);
	if (l->socket_group && !getgrnam(l->socket_group))
		reading_refuse(&group, "there is no group '%s'", l->socket_group);
}

/* "[::1]" as the listener takes it, too. */
static void check_host(const struct check *k, const char *host)
{
	struct addrinfo hints = {.ai_socktype = SOCK_STREAM, .ai_flags = AI_PASSIVE}, *found = NULL;
	struct reading r = place_of(k, "listener");
	struct span bare = span_of_text(host);
	if (bare.len > 2 && host[0] == '[' && host[bare.len - 1] == ']')
		bare = span_of(bare.ptr + 1, bare.len - 2);
	char *name = mem_copy_text(bare);
	int error = name ? getaddrinfo(name, NULL, &hints, &found) : EAI_MEMORY;
	if (error != 0)
		reading_refuse(&r, "'%s' is no address and no name of one: %s", host,
			       gai_strerror(error));
	else
		freeaddrinfo(found);
	mem_free(name);
}

/* The reason begins with the option: "certfile '/a.pem': ...". */
static void refuse_door(const struct check *k, const char *reason)
{
	char option[64];
	size_t len = strcspn(reason, " :");
	snprintf(option, sizeof(option), "%.*s", (int)len, reason);
	bool is_option = len < sizeof(option) && option_named(span_of_text(option));
	struct reading r = place_of(k, is_option ? option : "listener");
	reading_refuse(&r, "%s", is_option ? reason + len + strspn(reason + len, " :") : reason);
}

/* The log of keys would be made by opening it. */
static void check_tls(const struct check *k, struct config_listener *l)
{
	char reason[DOOR_REASON_MAX], *key_log_file = l->tls.key_log_file;
	l->tls.key_log_file = NULL;
	struct door *door = door_new(k->config, l, NULL, reason);
	if (!door)
		refuse_door(k, reason);
	door_unref(door);
	l->tls.key_log_file = key_log_file;
	check_writable(k, "tls_keylog", key_log_file);
}

static void check_listener(struct check *k, struct config_listener *l)
{
	struct reading interface = place_of(k, "bind_interface");
	if (config_listener_is_unix(l))
		check_unix(k, l);
	else if (l->address)
		check_host(k, l->address);
	if (l->interface && if_nametoindex(l->interface) == 0)
		reading_refuse(&interface, "there is no interface '%s'", l->interface);
	check_tls(k, l);
}

/* --- what the broker's user reads --- */

static void take_lines(struct buffer *to, const struct buffer *from, struct config_report *report)
{
	if (buffer_append(to, buffer_content(from)) != 0)
		report->is_out_of_memory = true;
}

static void check_access(const struct check *k)
{
	struct access_lines lines = {0};
	struct access *access = access_files_read(k->config, process_random(), &lines);
	take_lines(&k->report->errors, &lines.errors, k->report);
	take_lines(&k->report->notices, &lines.notices, k->report);
	k->report->error_count += !access;
	k->report->is_out_of_memory |= lines.is_out_of_memory;
	access_unref(access);
	access_lines_release(&lines);
}

static void become_user(const struct check *k)
{
	char reason[PROCESS_REASON_MAX];
	struct reading r = place_of(k, "user");
	if (process_drop_privileges(k->config->user, reason) != 0)
		reading_refuse(&r, "%s", reason);
}

/* As root the broker makes the store's directory before it becomes its user, and gives it away. */
static bool is_store_of_root(const struct check *k)
{
	char *path = store_path(&k->config->store);
	bool is_new = path && access(path, F_OK) != 0;
	mem_free(path);
	return is_new;
}

int config_check(struct config *c, struct config_report *report)
{
	struct check k = {.config = c, .report = report};
	unsigned before = report->error_count;
	bool has_new_store = c->store.is_wanted && is_store_of_root(&k);
	if (c->log_destinations & LOG_TO_FILE)
		check_writable(&k, "log_dest", c->log_file);
	for (size_t i = 0; i < c->listener_count; i++) {
		k.listener = &c->listeners[i];
		check_listener(&k, &c->listeners[i]);
	}
	k.listener = NULL;
	check_writable(&k, "pid_file", c->pid_file);
	if (has_new_store)
		check_store(&k);
	become_user(&k);
	if (c->store.is_wanted && !has_new_store)
		check_store(&k);
	check_access(&k);
	if (report->is_out_of_memory)
		return ERROR_NO_MEMORY;
	return report->error_count > before ? ERROR_INVALID : 0;
}
