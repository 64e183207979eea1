/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Each allocation of the broker fails in turn, in a conversation that uses most of it. Whoever is
 * still connected in the end has got all answers, everybody else was closed, all memory is back.
 * Without memory for a batch of the log, or for the parcel that brings it, the process ends as it
 * is meant to: so each case is a process of its own.
 */
#include "base/mem.h"
#include "kit/kit.h"
#include "kit/talk.h"

#include <setjmp.h>
#include <stdarg.h>

#include <cmocka.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/wait.h>
#include <unistd.h>

#define CLIENTS 4
#define CAPACITY (1u << 20)

struct client {
	struct stream stream;
	uint8_t version;
	unsigned asked; /* packets sent that want an answer */
	unsigned answered;
	unsigned received; /* PUBLISH */
	bool is_ended;
};

static struct {
	struct kit kit;
	struct client clients[CLIENTS];
	uint64_t turn;
	uint64_t failing_turn;
	unsigned long failing_allocation;
	bool has_failed;
} run;

/* In a process of its own: cmocka's ways of failing belong to the first one. */
static void wrong(const char *what, unsigned number)
{
	fprintf(stderr, "%s (%u)\n", what, number);
	abort();
}

static void settle(void)
{
	bool has_moved = true;
	while (has_moved) {
		bool is_failing = run.turn++ == run.failing_turn;
		mem_fail_after(is_failing ? run.failing_allocation : 0);
		has_moved = kit_step(&run.kit);
		run.has_failed |= is_failing && mem_has_failed();
		mem_fail_after(0);
	}
}

static void take(struct client *c, struct span packet)
{
	char text[TALK_TEXT_MAX];
	talk_decode(packet, c->version, text); /* asserts that it is a good one */
	if (strncmp(text, "PUBLISH", 7) == 0)
		c->received++;
	else if (strncmp(text, "PUBREL", 6) != 0 && strncmp(text, "DISCONNECT", 10) != 0)
		c->answered++;
}

static void receive(struct client *c)
{
	static uint8_t bytes[CAPACITY];
	size_t len = 0;
	while (!c->is_ended) {
		long n =
			c->stream.ops->read(&c->stream, (struct room){bytes + len, CAPACITY - len});
		if (n == ERROR_AGAIN)
			break;
		c->is_ended = n <= 0;
		len += n > 0 ? (size_t)n : 0;
	}
	struct span rest = span_of(bytes, len);
	struct fixed_header h;
	const struct flaw *flaw;
	while (rest.len > 0 && fixed_header_decode(rest, &h, &flaw) == HEADER_OK) {
		size_t whole = (size_t)h.header_len + h.remaining_length;
		if (whole > rest.len)
			break;
		take(c, span_of(rest.ptr, whole));
		rest = span_of(rest.ptr + whole, rest.len - whole);
	}
	if (rest.len > 0 && !c->is_ended)
		wrong("half a packet", (unsigned)rest.len);
}

static void say(unsigned who, const char *words)
{
	static uint8_t bytes[65536];
	struct client *c = &run.clients[who];
	uint8_t version = talk_version(words);
	if (version) {
		if (c->version)
			c->stream.ops->close(&c->stream);
		*c = (struct client){.version = version};
		c->stream = kit_open(&run.kit, 0, CAPACITY, NULL);
	}
	size_t len = talk_encode(words, c->version, (struct room){bytes, sizeof(bytes)});
	struct span all = span_of(bytes, len);
	(void)c->stream.ops->write(&c->stream, &all, 1);
	c->asked += strncmp(words, "PUBLISH q0", 10) != 0 && strncmp(words, "PUBACK", 6) != 0 &&
		    strncmp(words, "PUBREC", 6) != 0 && strncmp(words, "DISCONNECT", 10) != 0;
	settle();
	for (unsigned i = 0; i < CLIENTS; i++)
		if (run.clients[i].version)
			receive(&run.clients[i]);
}

static const struct {
	unsigned who;
	const char *words;
} conversation[] = {
	{0, "CONNECT v5 id=a clean alias=10 will=w:gone willqos=1"},
	{1, "CONNECT v4 id=b"},
	{2, "CONNECT v5 id=c expiry=100 rmax=2 size=10000"},
	{0, "SUBSCRIBE m1 sid=3 f=t/#,q2 f=$share/g/s,q1"},
	{0, "SUBSCRIBE m2 sid=4 f=t/+,q1"},
	{1, "SUBSCRIBE m1 f=t/+,q1 f=w,q1 f=$share/g/s,q1"},
	{2, "SUBSCRIBE m1 f=t/1,q2 f=u"},
	{3, "CONNECT v5 id=d clean"},
	{3, "PUBLISH q0 t=t/1 p=x user=a:b"},
	{3, "PUBLISH q1 m1 t=t/1 p=#5000 expiry=100"},
	{3, "PUBLISH q2 m2 t=t/1 p=z alias=3"},
	{3, "PUBREL m2"},
	{3, "PUBLISH q0 t=u p=#6000"},
	{3, "PUBLISH q1 m3 retain t=r/1 p=kept"},
	{3, "PUBLISH q1 m4 t=s p=1"},
	{3, "PUBLISH q1 m5 t=s p=2"},
	{3, "PUBLISH q1 m6 t=s p=3"},
	{2, "PUBACK m1"},
	{2, "PUBREC m2"},
	{0, "SUBSCRIBE m3 f=r/#,q1"},
	{0, "PINGREQ"},
	{2, "DISCONNECT"},
	{3, "PUBLISH q1 m7 t=t/1 p=later"},
	{3, "PUBLISH q2 m8 t=t/1 p=later"},
	{2, "CONNECT v5 id=c expiry=100"},
	{0, "UNSUBSCRIBE m4 f=t/# f=$share/g/s"},
	{0, "CONNECT v5 id=a clean"}, /* its will */
	{1, "UNSUBSCRIBE m4 f=t/# f=t/+"},
	{3, "PINGREQ"},
};

static void play(void)
{
	struct settings set;
	settings_init(&set);
	mem_fail_after(0);
	mem_count_start();
	memset(&run.clients, 0, sizeof(run.clients));
	run.turn = 0;
	run.has_failed = false;
	kit_start(&run.kit, &set, 1, 1);
	settle();
	for (size_t i = 0; i < ARRAY_COUNT(conversation); i++) {
		const struct client *c = &run.clients[conversation[i].who];
		if (talk_version(conversation[i].words) || !c->is_ended)
			say(conversation[i].who, conversation[i].words);
	}
	for (unsigned i = 0; i < CLIENTS; i++) {
		struct client *c = &run.clients[i];
		if (!c->is_ended && c->answered != c->asked)
			wrong("a client lacks answers", i);
	}
	kit_stop(&run.kit);
	for (unsigned i = 0; i < CLIENTS; i++)
		run.clients[i].stream.ops->close(&run.clients[i].stream);
	if (mem_count_live() != 0)
		wrong("allocations are left", (unsigned)mem_count_live());
}

#define ENDED_WELL 0
#define ENDED_WITHOUT_FAILURE 3

/* What a process that could not log says last. */
static bool is_meant(const char *words)
{
	return strstr(words, "assertion failed: batch (") ||
	       strstr(words, "assertion failed: parcel (");
}

/* False when there was no such allocation. */
static bool play_apart(void)
{
	char words[1024];
	int status, pipe_fds[2];
	ssize_t len = 0, n;
	assert_int_equal(pipe(pipe_fds), 0);
	pid_t child = fork();
	assert_true(child >= 0);
	if (child == 0) {
		dup2(pipe_fds[1], STDERR_FILENO);
		signal(SIGABRT, SIG_DFL);
		play();
		_exit(run.has_failed ? ENDED_WELL : ENDED_WITHOUT_FAILURE);
	}
	close(pipe_fds[1]);
	while (len < (ssize_t)sizeof(words) - 1 &&
	       (n = read(pipe_fds[0], words + len, sizeof(words) - 1 - (size_t)len)) > 0)
		len += n;
	words[len] = '\0';
	close(pipe_fds[0]);
	assert_int_equal(waitpid(child, &status, 0), child);
	bool has_aborted = WIFSIGNALED(status) && WTERMSIG(status) == SIGABRT;
	if (!(has_aborted && is_meant(words)) &&
	    !(WIFEXITED(status) &&
	      (WEXITSTATUS(status) == ENDED_WELL || WEXITSTATUS(status) == ENDED_WITHOUT_FAILURE)))
		fail_msg("turn %u, allocation %lu: %s", (unsigned)run.failing_turn,
			 run.failing_allocation, words);
	return !(WIFEXITED(status) && WEXITSTATUS(status) == ENDED_WITHOUT_FAILURE);
}

static void test_no_memory_at_each_allocation(void **state)
{
	(void)state;
	run.failing_turn = UINT64_MAX;
	play();
	uint64_t turns = run.turn;
	unsigned failures = 0;
	for (unsigned i = 0; i < CLIENTS; i++)
		assert_false(run.clients[i].is_ended);
	for (run.failing_turn = 0; run.failing_turn < turns; run.failing_turn++) {
		run.failing_allocation = 1;
		while (play_apart()) {
			run.failing_allocation++;
			failures++;
		}
	}
	assert_true(failures > 100);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_no_memory_at_each_allocation),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
