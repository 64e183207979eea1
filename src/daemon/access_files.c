/* SPDX-License-Identifier: Apache-2.0 */
#include "daemon/access_files.h"

#include "base/mem.h"
#include "daemon/http_logins.h"

#include <errno.h>
#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

#define READ_BYTES 65536u

void access_lines_release(struct access_lines *lines)
{
	buffer_release(&lines->errors);
	buffer_release(&lines->notices);
	*lines = (struct access_lines){0};
}

/* One more byte than the limit is read at most: the reader of the text says that it is too much. */
static int read_all(int fd, size_t bytes_max, struct buffer *text)
{
	while (buffer_len(text) <= bytes_max) {
		int error = buffer_reserve(text, READ_BYTES);
		if (error)
			return error;
		ssize_t len = read(fd, buffer_room(text).ptr, READ_BYTES);
		if (len < 0 && errno != EINTR)
			return ERROR_SYSTEM;
		if (len == 0)
			return 0;
		buffer_commit(text, len > 0 ? (size_t)len : 0);
	}
	return 0;
}

static void warn_of_mode(int fd, struct access_report *report)
{
	struct stat s;
	if (fstat(fd, &s) == 0 && (s.st_mode & (S_IROTH | S_IWOTH)) != 0)
		access_notice(report, 0,
			      "every user of this machine may read it, or write to it: chmod 640 "
			      "keeps what is secret in it to the broker");
}

static int read_file(const char *path, size_t bytes_max, bool is_secret, struct buffer *text,
		     struct access_report *report)
{
	int fd = open(path, O_RDONLY | O_CLOEXEC | O_NONBLOCK);
	int error = fd < 0 ? ERROR_SYSTEM : read_all(fd, bytes_max, text);
	if (error == ERROR_NO_MEMORY)
		report->is_out_of_memory = true;
	else if (error && errno == EACCES)
		access_refuse(
			report, 0,
			"cannot be read: %s. The user that the broker runs as must be allowed "
			"to read it",
			strerror(errno));
	else if (error)
		access_refuse(report, 0, "cannot be read: %s", strerror(errno));
	else if (is_secret)
		warn_of_mode(fd, report);
	if (fd >= 0)
		close(fd);
	return error;
}

/* The report's lines go to those of all files. */
static void collect(struct access_report *report, struct access_lines *lines)
{
	if (buffer_append(&lines->errors, buffer_content(&report->errors)) ||
	    buffer_append(&lines->notices, buffer_content(&report->notices)))
		lines->is_out_of_memory = true;
	lines->is_out_of_memory |= report->is_out_of_memory;
	access_report_release(report);
}

static void wipe(struct buffer *text)
{
	if (text->ptr)
		explicit_bzero(text->ptr, text->capacity);
	buffer_release(text);
}

static struct users *read_users(const char *path, uint64_t seed, struct access_lines *lines)
{
	struct access_report report = {.file = path};
	struct buffer text = {0};
	struct users *users = NULL;
	if (read_file(path, USERS_FILE_BYTES_MAX, true, &text, &report) == 0)
		users = users_read(buffer_content(&text), seed, &report);
	wipe(&text);
	collect(&report, lines);
	return users;
}

static struct acl *read_acl(const char *path, uint64_t seed, struct access_lines *lines)
{
	struct access_report report = {.file = path};
	struct buffer text = {0};
	struct acl *acl = NULL;
	if (read_file(path, ACL_FILE_BYTES_MAX, false, &text, &report) == 0)
		acl = acl_read(buffer_content(&text), seed, &report);
	buffer_release(&text);
	collect(&report, lines);
	return acl;
}

/* One file of keys that tokens are verified by; a path that is NULL holds none. */
static bool read_keys(struct jwk_set *keys, const char *path,
		      void (*add)(struct jwk_set *set, struct span text,
				  struct access_report *report),
		      bool is_secret, struct access_lines *lines)
{
	struct access_report report = {.file = path};
	struct buffer text = {0};
	if (!path)
		return true;
	int error = read_file(path, JWK_FILE_BYTES_MAX, is_secret, &text, &report);
	if (error == 0 && buffer_len(&text) > JWK_FILE_BYTES_MAX)
		access_refuse(&report, 0, "is larger than a file of keys may be (%zu MiB)",
			      JWK_FILE_BYTES_MAX >> 20);
	else if (error == 0)
		add(keys, buffer_content(&text), &report);
	bool is_good = report.error_count == 0 && !report.is_out_of_memory;
	wipe(&text);
	collect(&report, lines);
	return is_good;
}

static bool reads_tokens(const struct config_access *from)
{
	return from->jwt_key_file || from->jwt_secret_file || from->jwt_jwks_file;
}

static struct jwt *read_jwt(const struct config_access *from, uint64_t seed,
			    struct access_lines *lines)
{
	const struct jwt_options options = {
		.issuer = from->jwt_issuer,
		.audience = from->jwt_audience,
		.user_claim = from->jwt_user_claim ? from->jwt_user_claim : "sub",
		.client_id_claim = from->jwt_client_id_claim,
		.leeway_s = from->jwt_leeway_s,
		.replaces_user_name = from->jwt_replaces_user_name,
	};
	struct jwt *j = jwt_new(&options, seed);
	bool is_good = j && read_keys(&j->keys, from->jwt_key_file, jwk_add_pem, false, lines);
	is_good &= j && read_keys(&j->keys, from->jwt_secret_file, jwk_add_secret, true, lines);
	is_good &= j && read_keys(&j->keys, from->jwt_jwks_file, jwk_add_json, false, lines);
	if (is_good)
		return j;
	lines->is_out_of_memory |= !j;
	jwt_free(j);
	return NULL;
}

/* libcurl reads it when it needs it, which would be late to hear that it cannot. */
static bool can_read(const char *path, struct access_lines *lines)
{
	struct access_report report = {.file = path};
	struct buffer text = {0};
	int error = path ? read_file(path, JWK_FILE_BYTES_MAX, false, &text, &report) : 0;
	buffer_release(&text);
	collect(&report, lines);
	return error == 0;
}

static struct service *make_service(const struct config_access *from, uint64_t seed,
				    struct access_lines *lines)
{
	const struct service_options options = {
		.url = from->auth_http_url,
		.header = from->auth_http_header,
		.ca_file = from->auth_http_ca_file,
		.has_form = from->auth_http_has_form,
		.timeout_ms = from->auth_http_timeout_ms,
		.cache_ms = from->auth_http_cache_ms,
		.connections_max = from->auth_http_connections_max,
	};
	struct access_report report = {.file = "auth_http_url"};
	struct service *service = NULL;
	if (!http_logins_are_here())
		access_refuse(&report, 0, "this build cannot ask services: it is without libcurl");
	else if (can_read(from->auth_http_ca_file, lines))
		service = service_new(&options, seed);
	else
		return NULL;
	report.is_out_of_memory = !service && report.error_count == 0;
	collect(&report, lines);
	return service;
}

/* What is missing then, its reader has told. */
static bool is_whole(const struct realm *realm, const struct config_access *from)
{
	return !realm->users == !from->password_file && !realm->acl == !from->acl_file &&
	       !realm->jwt == !reads_tokens(from) && !realm->service == !from->auth_http_url &&
	       !realm->client_id_prefix == !from->client_id_prefix &&
	       !realm->auto_id_prefix == !from->auto_id_prefix;
}

static bool read_realm(struct realm *realm, const struct config_access *from, uint64_t seed,
		       struct access_lines *lines)
{
	realm->allows_anonymous = from->allow_anonymous > 0;
	if (from->auth_chain) {
		realm->has_chain = true;
		memcpy(realm->chain, from->chain, sizeof(realm->chain));
	}
	if (from->password_file)
		realm->users = read_users(from->password_file, seed, lines);
	if (from->acl_file)
		realm->acl = read_acl(from->acl_file, seed, lines);
	if (reads_tokens(from))
		realm->jwt = read_jwt(from, seed, lines);
	if (from->auth_http_url)
		realm->service = make_service(from, seed, lines);
	if (from->client_id_prefix)
		realm->client_id_prefix = mem_copy_text(span_of_text(from->client_id_prefix));
	if (from->auto_id_prefix)
		realm->auto_id_prefix = mem_copy_text(span_of_text(from->auto_id_prefix));
	return is_whole(realm, from);
}

/* One that was closed, with clients that may still be there. Without its files they lose their
 * right, and nobody else notices. */
static void read_closed(struct access *a, const struct config_listener *closed, uint64_t seed,
			struct access_lines *lines)
{
	struct access_lines own = {0};
	if (!read_realm(&a->realms[closed->realm], &closed->access, seed, &own))
		realm_shut(&a->realms[closed->realm]);
	if (buffer_append(&lines->notices, buffer_content(&own.errors)))
		lines->is_out_of_memory = true;
	access_lines_release(&own);
}

/* One for all, but for whether a name is needed. */
static bool read_shared(struct access *a, const struct config *c, uint64_t seed,
			struct access_lines *lines)
{
	bool is_good = read_realm(&a->realms[0], &c->access, seed, lines);
	for (unsigned i = 1; i < a->realm_count; i++)
		access_share(a, i, 0);
	for (size_t i = 0; i < c->listener_count; i++)
		a->realms[c->listeners[i].realm].allows_anonymous =
			config_allows_anonymous(c, &c->listeners[i]);
	for (size_t i = 0; i < c->closed_count; i++)
		a->realms[c->closed[i].realm].allows_anonymous =
			config_allows_anonymous(c, &c->closed[i]);
	return is_good;
}

static bool read_realms(struct access *a, const struct config *c, uint64_t seed,
			struct access_lines *lines)
{
	bool is_good = true;
	if (!c->has_access_per_listener)
		return read_shared(a, c, seed, lines);
	for (size_t i = 0; i < c->listener_count; i++) {
		const struct config_listener *l = &c->listeners[i];
		is_good &= read_realm(&a->realms[l->realm], &l->access, seed, lines);
	}
	for (size_t i = 0; i < c->closed_count; i++)
		read_closed(a, &c->closed[i], seed, lines);
	return is_good;
}

struct access *access_files_read(const struct config *c, uint64_t seed, struct access_lines *lines)
{
	struct access *a = access_new(config_realm_count(c));
	if (!a || !read_realms(a, c, seed, lines)) {
		lines->is_out_of_memory |= buffer_len(&lines->errors) == 0;
		access_unref(a);
		return NULL;
	}
	access_finish(a);
	return a;
}

static void watch(const struct config_access *a, struct file_watch *w)
{
	file_watch_add(w, a->password_file);
	file_watch_add(w, a->acl_file);
	file_watch_add(w, a->jwt_key_file);
	file_watch_add(w, a->jwt_secret_file);
	file_watch_add(w, a->jwt_jwks_file);
}

void access_files_watch(const struct config *c, struct file_watch *w)
{
	for (size_t i = 0; i < config_access_count(c); i++)
		watch(config_access_of(c, i), w);
	for (size_t i = 0; i < c->closed_count && c->has_access_per_listener; i++)
		watch(&c->closed[i].access, w);
}
