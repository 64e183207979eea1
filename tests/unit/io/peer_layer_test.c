/* SPDX-License-Identifier: Apache-2.0 */
/* Who is at the other end of a Unix socket, and what it is called. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/socket.h>
#include <unistd.h>

#include <cmocka.h>

#include "base/mem.h"
#include "io/peer_layer.h"

static void test_peer_uid(void **state)
{
	int pair[2];
	uint32_t uid = 77;
	(void)state;
	assert_int_equal(socketpair(AF_UNIX, SOCK_STREAM, 0, pair), 0);
	assert_int_equal(peer_uid(pair[0], &uid), 0);
	assert_int_equal(uid, geteuid());
	close(pair[0]);
	close(pair[1]);
	int other = socket(AF_INET, SOCK_STREAM, 0);
	uid = 77;
	assert_int_equal(peer_uid(other, &uid), ERROR_SYSTEM);
	assert_int_equal(uid, 77);
	close(other);
	assert_int_equal(peer_uid(-1, &uid), ERROR_SYSTEM);
}

static void expect_name(const char *path, uint32_t uid, const char *expected)
{
	char name[PEER_NAME_MAX];
	peer_name(path, uid, name);
	assert_string_equal(name, expected);
}

static void test_peer_names(void **state)
{
	char path[] = "/tmp/nightjar-users-XXXXXX";
	static const char text[] = "root:x:0:0:root:/root:/bin/sh\n"
				   "lena:x:1000:1000::/:/bin/sh\n"
				   "second:x:1000:1000::/:/bin/sh\n"
				   "a-name-that-is-longer-than-any-may-be:x:1001:1::/:/bin/sh\n"
				   "olaf:x:4294967294:1::/:/bin/sh\n";
	(void)state;
	int fd = mkstemp(path);
	assert_true(fd >= 0);
	assert_int_equal(write(fd, text, strlen(text)), strlen(text));
	close(fd);
	expect_name(path, 0, "root");
	expect_name(path, 1000, "lena");
	expect_name(path, 1001, "uid:1001");
	expect_name(path, 4294967294u, "olaf");
	expect_name(path, 100, "uid:100");
	unlink(path);
	expect_name(path, 1000, "uid:1000");
}

/* Whatever a layer above has proved, or failed to prove, counts more. */
static void test_peer_layer_tells(void **state)
{
	(void)state;
	mem_count_start();
	struct layer *l = peer_layer_new("lena");
	assert_non_null(l);
	struct stream_peer peer = {0};
	layer_peer(l, &peer);
	assert_string_equal(peer.user_name, "lena");
	assert_true(peer.is_of_system);
	peer = (struct stream_peer){.user_name = "lamp"};
	layer_peer(l, &peer);
	assert_string_equal(peer.user_name, "lamp");
	assert_false(peer.is_of_system);
	peer = (struct stream_peer){.lacks_user_name = true};
	layer_peer(l, &peer);
	assert_null(peer.user_name);
	assert_false(peer.is_of_system);
	layer_free(l);
	mem_fail_after(1);
	assert_null(peer_layer_new("lena"));
	mem_fail_after(0);
	assert_int_equal(mem_count_live(), 0);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_peer_uid),
		cmocka_unit_test(test_peer_names),
		cmocka_unit_test(test_peer_layer_tells),
	};
	return cmocka_run_group_tests_name("io/peer_layer", tests, NULL, NULL);
}
