/* SPDX-License-Identifier: Apache-2.0 */
/*
 * A Unix socket outlives the program that made it: its name stays in the directory when that
 * program is killed. Whether somebody still listens there is asked by connecting to it.
 */
#include "io/listener.h"

#include <errno.h>
#include <grp.h>
#include <pwd.h>
#include <stdio.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <unistd.h>

#include "base/mem.h"
#include "io/passed.h"

/* As for TCP; there is no network whose round trips would need more. */
#define BACKLOG 4096

static int refuse(char *reason, const struct listen_unix *at, const char *why)
{
	snprintf(reason, LISTENER_REASON_MAX, "cannot listen on %s: %s", at->path, why);
	return ERROR_SYSTEM;
}

static bool has_listener(const struct sockaddr_un *address)
{
	int fd = socket(AF_UNIX, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
	if (fd < 0)
		return true; /* nobody knows: nothing is removed */
	int error =
		connect(fd, (const struct sockaddr *)address, sizeof(*address)) == 0 ? 0 : errno;
	close(fd);
	return error != ECONNREFUSED;
}

static int remove_stale(const struct listen_unix *at, const struct sockaddr_un *address,
			char *reason)
{
	struct stat found;
	if (lstat(at->path, &found) != 0)
		return errno == ENOENT ? 0 : refuse(reason, at, strerror(errno));
	if (!S_ISSOCK(found.st_mode))
		return refuse(reason, at,
			      "there is a file of that name that is no socket; move it, or choose "
			      "another path");
	if (has_listener(address))
		return refuse(reason, at,
			      "another program listens there (is another broker running?)");
	return unlink(at->path) == 0 ? 0 : refuse(reason, at, strerror(errno));
}

static int find_owner(const struct listen_unix *at, uid_t *user_out, gid_t *group_out, char *reason)
{
	const struct passwd *user = at->owner ? getpwnam(at->owner) : NULL;
	const struct group *group = at->group ? getgrnam(at->group) : NULL;
	if (at->owner && !user)
		return refuse(reason, at, "its owner is no user of this machine");
	if (at->group && !group)
		return refuse(reason, at, "its group is no group of this machine");
	*user_out = user ? user->pw_uid : (uid_t)-1;
	*group_out = group ? group->gr_gid : (gid_t)-1;
	return 0;
}

/* Nobody can connect before listen(): so the mode may follow bind(). */
static int bind_and_listen(int fd, const struct listen_unix *at, const struct sockaddr_un *address,
			   char *reason)
{
	uid_t user = (uid_t)-1; /* as it is */
	gid_t group = (gid_t)-1;
	int error = find_owner(at, &user, &group, reason);
	if (error != 0)
		return error;
	if (bind(fd, (const struct sockaddr *)address, sizeof(*address)) != 0)
		return refuse(reason, at, strerror(errno));
	if (((at->owner || at->group) && chown(at->path, user, group) != 0) ||
	    chmod(at->path, at->mode) != 0 || listen(fd, BACKLOG) != 0) {
		error = refuse(reason, at, strerror(errno));
		unlink(at->path);
	}
	return error;
}

/* By which it is known as ours, later. */
static void note_file(struct listener *l)
{
	struct stat made;
	if (stat(l->path, &made) == 0) {
		l->path_inode = made.st_ino;
		l->path_changed = made.st_ctim;
	}
}

static bool is_ours(const struct listener *l)
{
	struct stat found;
	return lstat(l->path, &found) == 0 && found.st_ino == l->path_inode &&
	       found.st_ctim.tv_sec == l->path_changed.tv_sec &&
	       found.st_ctim.tv_nsec == l->path_changed.tv_nsec;
}

static int fill(struct listener *l, const struct listen_unix *at, char *reason)
{
	l->path = mem_copy_text(span_of_text(at->path));
	if (!l->path)
		return refuse(reason, at, "out of memory");
	note_file(l);
	snprintf(l->text, sizeof(l->text), "%s", at->path);
	return 0;
}

int listener_open_unix(const struct listen_unix *at, struct listener *listener_out,
		       char reason[LISTENER_REASON_MAX])
{
	struct sockaddr_un address = {.sun_family = AF_UNIX};
	struct listener l = {.fd = -1};
	if (strlen(at->path) >= sizeof(address.sun_path)) {
		snprintf(reason, LISTENER_REASON_MAX,
			 "cannot listen on %.60s...: the path is longer than the %zu bytes that a "
			 "socket's may have",
			 at->path, sizeof(address.sun_path) - 1);
		return ERROR_INVALID;
	}
	l.fd = passed_take_path(at->path);
	if (l.fd >= 0) { /* its file, owner and mode are those of who made it */
		snprintf(l.text, sizeof(l.text), "%s", at->path);
		*listener_out = l;
		return 0;
	}
	strcpy(address.sun_path, at->path);
	int error = remove_stale(at, &address, reason);
	if (error != 0)
		return error;
	l.fd = socket(AF_UNIX, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
	if (l.fd < 0)
		return refuse(reason, at, strerror(errno));
	error = bind_and_listen(l.fd, at, &address, reason);
	if (error == 0)
		error = fill(&l, at, reason);
	if (error != 0)
		close(l.fd);
	else
		*listener_out = l;
	return error;
}

int listener_change_unix(struct listener *l, const struct listen_unix *at,
			 char reason[LISTENER_REASON_MAX])
{
	uid_t user;
	gid_t group;
	int error = find_owner(at, &user, &group, reason);
	if (error == 0 && !is_ours(l))
		return refuse(reason, at, "another file has taken its place");
	if (error == 0 && (((at->owner || at->group) && chown(at->path, user, group) != 0) ||
			   chmod(at->path, at->mode) != 0))
		error = refuse(reason, at, strerror(errno));
	if (error == 0)
		note_file(l);
	return error;
}

void listener_remove_path(struct listener *l)
{
	struct sockaddr_un address = {.sun_family = AF_UNIX};
	if (!l->path)
		return;
	strcpy(address.sun_path, l->path);
	if (!has_listener(&address) && is_ours(l))
		unlink(l->path); /* may fail, when privileges went: the next start removes it */
	mem_free(l->path);
	l->path = NULL;
}
