/* SPDX-License-Identifier: Apache-2.0 */
#include "daemon/permissions.h"

#include <errno.h>
#include <sys/stat.h>
#include <unistd.h>

static bool others_may(const char *path, mode_t bits)
{
	struct stat status;
	return path && stat(path, &status) == 0 && (status.st_mode & bits) != 0;
}

static void check_config(const char *path, struct logger *log)
{
	if (others_may(path, S_IWOTH))
		log_line(log, LOG_TYPE_WARNING,
			 "Every user of this machine may change %s, and with it what the broker "
			 "does: chmod o-w keeps it to its owner.",
			 path);
}

static void check_secret(const char *path, const char *what, struct logger *log)
{
	if (others_may(path, S_IROTH | S_IWOTH))
		log_line(log, LOG_TYPE_WARNING,
			 "Every user of this machine may read %s, or write to it, and there %s in "
			 "it: chmod 640, with the broker's group, keeps it to the broker.",
			 path, what);
}

/* What root has read at the start; the broker's user is who reads it anew. */
static void check_readable(const char *path, struct logger *log)
{
	if (path && access(path, R_OK) != 0 && errno == EACCES)
		log_line(log, LOG_TYPE_WARNING,
			 "The broker may not read %s any more, root no longer: when it changes, "
			 "the old one stays in use. Let the broker's user read it, and enter its "
			 "folders.",
			 path);
}

static void check_listener(const struct config_listener *l, struct logger *log)
{
	check_secret(l->tls.key_file, "is a private key", log);
	check_secret(l->tls.key_log_file, "are the keys of connections", log);
	check_readable(l->tls.certificate_file, log);
	check_readable(l->tls.key_file, log);
	check_readable(l->tls.ca_file, log);
	check_readable(l->tls.crl_file, log);
}

void permissions_check(const struct config *c, struct logger *log)
{
	for (size_t i = 0; i < c->file_count; i++)
		check_config(c->files[i].name, log);
	for (size_t i = 0; i < config_access_count(c); i++)
		check_secret(config_access_of(c, i)->psk_file, "are shared keys", log);
	for (size_t i = 0; i < c->listener_count; i++)
		check_listener(&c->listeners[i], log);
}
