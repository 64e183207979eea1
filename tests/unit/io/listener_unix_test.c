/* SPDX-License-Identifier: Apache-2.0 */
#include "sockets.h"

#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <unistd.h>

struct place {
	char folder[64];
	char path[96];
};

static int place_setup(void **state)
{
	struct place *p = calloc(1, sizeof(*p));
	assert_non_null(p);
	snprintf(p->folder, sizeof(p->folder), "/tmp/nightjar-unix-XXXXXX");
	assert_non_null(mkdtemp(p->folder));
	snprintf(p->path, sizeof(p->path), "%s/broker.sock", p->folder);
	*state = p;
	return 0;
}

static int place_teardown(void **state)
{
	struct place *p = *state;
	unlink(p->path);
	assert_int_equal(rmdir(p->folder), 0);
	free(p);
	return 0;
}

static struct listener open_at(const struct place *p, mode_t mode)
{
	struct listen_unix at = {.path = p->path, .mode = mode};
	struct listener l;
	char reason[LISTENER_REASON_MAX] = "";
	assert_int_equal(listener_open_unix(&at, &l, reason), 0);
	return l;
}

static void assert_refused(const struct listen_unix *at, int error, const char *why)
{
	struct listener l;
	char reason[LISTENER_REASON_MAX] = "";
	assert_int_equal(listener_open_unix(at, &l, reason), error);
	if (!strstr(reason, why))
		fail_msg("'%s' does not say '%s'", reason, why);
}

static int connect_to(const char *path)
{
	struct sockaddr_un address = {.sun_family = AF_UNIX};
	strcpy(address.sun_path, path);
	int fd = socket(AF_UNIX, SOCK_STREAM, 0);
	assert_true(fd >= 0);
	assert_int_equal(connect(fd, (struct sockaddr *)&address, sizeof(address)), 0);
	return fd;
}

static void test_unix_socket_has_the_mode_and_goes_when_closed(void **state)
{
	struct place *p = *state;
	struct stat found;
	struct listener l = open_at(p, 0640);
	assert_string_equal(l.text, p->path);
	assert_int_equal(l.port, 0);
	assert_int_equal(stat(p->path, &found), 0);
	assert_int_equal(found.st_mode & 0777, 0640);
	listener_close(&l);
	assert_int_not_equal(stat(p->path, &found), 0);
}

static void test_unix_socket_accepts(void **state)
{
	struct place *p = *state;
	struct listener l = open_at(p, 0600);
	struct stream stream;
	char address[ADDRESS_TEXT_MAX];
	uint8_t byte = 0;
	int client = connect_to(p->path);
	assert_int_equal(listener_accept(&l, &stream, address), 0);
	assert_string_equal(address, "unix");
	assert_int_equal(write(client, "x", 1), 1);
	assert_int_equal(stream.ops->read(&stream, (struct room){&byte, 1}), 1);
	assert_int_equal(byte, 'x');
	stream.ops->close(&stream);
	close(client);
	listener_close(&l);
}

static void test_unix_socket_of_a_dead_program_is_replaced(void **state)
{
	struct place *p = *state;
	struct listener dead = open_at(p, 0600);
	close(dead.fd); /* as after kill -9: the name stays */
	struct listener l = open_at(p, 0600);
	close(connect_to(p->path));
	listener_remove_path(&dead); /* not its own any more: stays */
	close(connect_to(p->path));
	listener_close(&l);
}

static void test_unix_socket_in_use_stays(void **state)
{
	struct place *p = *state;
	struct listener l = open_at(p, 0600);
	assert_refused(&(struct listen_unix){.path = p->path, .mode = 0600}, ERROR_SYSTEM,
		       "another program listens there");
	close(connect_to(p->path));
	listener_close(&l);
}

static void test_unix_socket_never_replaces_a_file(void **state)
{
	struct place *p = *state;
	struct stat found;
	int fd = open(p->path, O_CREAT | O_WRONLY, 0600);
	assert_true(fd >= 0);
	close(fd);
	assert_refused(&(struct listen_unix){.path = p->path, .mode = 0600}, ERROR_SYSTEM,
		       "no socket");
	assert_int_equal(stat(p->path, &found), 0);
	assert_true(S_ISREG(found.st_mode));
}

static void test_unix_socket_mistakes_are_named(void **state)
{
	struct place *p = *state;
	struct stat found;
	char path[200];
	memset(path, 'x', sizeof(path));
	path[0] = '/';
	path[sizeof(path) - 1] = '\0';
	assert_refused(&(struct listen_unix){.path = path, .mode = 0600}, ERROR_INVALID,
		       "longer than the 107 bytes");
	assert_refused(&(struct listen_unix){.path = "/nonexistent/a", .mode = 0600}, ERROR_SYSTEM,
		       "cannot listen on /nonexistent/a: No such file");
	assert_refused(
		&(struct listen_unix){.path = p->path, .mode = 0600, .owner = "nobody-at-all"},
		ERROR_SYSTEM, "owner is no user");
	assert_refused(
		&(struct listen_unix){.path = p->path, .mode = 0600, .group = "nobody-at-all"},
		ERROR_SYSTEM, "group is no group");
	assert_int_not_equal(stat(p->path, &found), 0);
}

#define IN_PLACE(test) cmocka_unit_test_setup_teardown(test, place_setup, place_teardown)

int main(void)
{
	const struct CMUnitTest tests[] = {
		IN_PLACE(test_unix_socket_has_the_mode_and_goes_when_closed),
		IN_PLACE(test_unix_socket_accepts),
		IN_PLACE(test_unix_socket_of_a_dead_program_is_replaced),
		IN_PLACE(test_unix_socket_in_use_stays),
		IN_PLACE(test_unix_socket_never_replaces_a_file),
		IN_PLACE(test_unix_socket_mistakes_are_named),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
