/* SPDX-License-Identifier: Apache-2.0 */
/*
 * See bench_verify.h.
 *
 *     connect | publish ... kill | (start again) | connected again | what is under way | judge
 *
 * The subscriber listens all the time, or, with --away, is not there until the server is back.
 *
 * libnightjar drives both clients: it connects again by itself, sends again what was not
 * acknowledged, and hands on a message of QoS 2 once for each time that the server sends it as a
 * new one.
 */
#include "cli/bench_verify.h"

#include <errno.h>
#include <nightjar/client.h>
#include <poll.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/random.h>
#include <sys/wait.h>
#include <unistd.h>

#include "base/mem.h"
#include "cli/bench_process.h"
#include "cli/bench_run.h"

#define CONNECT_MS 10000
/* From the kill to the connections after it: a store of millions takes its time. */
#define RETURN_NS (300 * BENCH_NS_PER_S)
/* When nothing has come for so long, the rest will not come either. */
#define STUCK_NS (5 * BENCH_NS_PER_S)
/* The kill comes no earlier: something shall have been acknowledged. */
#define EARLIEST_MS 100
/* So that the server is found soon after it is back. */
#define RETRY_BASE_MS 20
#define RETRY_MAX_MS 250
/* Numbers told one by one. */
#define TOLD_MAX 20
#define WINDOW_DEFAULT 100
/* Messages in a run: what a byte each is spent for. */
#define MESSAGES_MAX 100000000

/* What is known of a message. */
#define ACKNOWLEDGED 0x80
#define ARRIVALS 0x7F /* how often it came; no further than this */

struct verify {
	const struct bench_options *options;
	nj_client *publisher;
	nj_client *subscriber;
	uint8_t *messages; /* by number */
	uint32_t capacity;
	uint32_t sent;
	uint32_t acknowledged;
	uint32_t kept;                /* of them, those that have arrived */
	uint32_t acknowledged_before; /* the kill */
	uint32_t refused;
	uint64_t arrivals;
	uint64_t progress_ns;
	bool is_publishing;
	bool is_killed;
	bool publisher_is_back;
	bool subscriber_is_back;
	bool has_lost_session; /* the subscriber's: the server had forgotten it */
	bool has_failed;       /* the sentence is told */
	pid_t command_pid;     /* of --restart; 0: none, or it has ended */
	uint8_t *payload;
	char topic[40];
};

static void fail(struct verify *v, const char *what, const char *why)
{
	if (!v->has_failed)
		fprintf(stderr, "nightjar bench: %s%s%s.\n", what, why ? ": " : "", why ? why : "");
	v->has_failed = true;
}

/* --- callbacks --- */

static void on_connected(nj_client *client, void *context, const struct nj_connected *connected)
{
	struct verify *v = context;
	if (!v->is_killed)
		return;
	if (client == v->publisher) {
		v->publisher_is_back = true;
		return;
	}
	v->subscriber_is_back = true;
	v->has_lost_session |= !connected->session_present;
}

static void on_disconnected(nj_client *client, void *context, const struct nj_disconnected *d)
{
	struct verify *v = context;
	if (d->end == NJ_END_REFUSED)
		fail(v, "the server refuses the connection", d->text);
	else if (!v->is_killed && v->is_publishing && client == v->publisher)
		fail(v, "the connection ended before the server was killed", d->text);
}

static void on_published(nj_client *client, void *context, const struct nj_published *published)
{
	struct verify *v = context;
	uint32_t number = (uint32_t)(uintptr_t)published->tag;
	(void)client;
	v->progress_ns = bench_now_ns();
	if (published->outcome == NJ_REFUSED)
		v->refused++;
	if (published->outcome != NJ_ACKNOWLEDGED)
		return;
	v->kept += (v->messages[number] & ARRIVALS) > 0;
	v->messages[number] |= ACKNOWLEDGED;
	v->acknowledged++;
}

static void on_message(nj_client *client, void *context, nj_message *message)
{
	struct verify *v = context;
	struct nj_bytes payload = nj_message_payload(message);
	uint32_t number;
	(void)client;
	if (payload.len < sizeof(number))
		return;
	memcpy(&number, payload.ptr, sizeof(number));
	if (number >= v->sent)
		return;
	v->kept += v->messages[number] == ACKNOWLEDGED;
	v->messages[number] += (v->messages[number] & ARRIVALS) < ARRIVALS;
	v->arrivals++;
	v->progress_ns = bench_now_ns();
}

/* --- clients --- */

static nj_client *open_client(struct verify *v, const char *role, bool is_clean)
{
	const struct bench_options *o = v->options;
	struct nj_options options = NJ_OPTIONS_INIT;
	char address[300], client_id[24];
	nj_client *client;
	snprintf(address, sizeof(address), strchr(o->host, ':') ? "mqtt://[%s]:%u" : "mqtt://%s:%u",
		 o->host, o->port);
	snprintf(client_id, sizeof(client_id), "bench%d%s", (int)getpid(), role);
	options.address = address;
	options.client_id = client_id;
	options.version = (uint8_t)o->version;
	options.clean_start = is_clean;
	options.session_expiry = is_clean ? 0 : UINT32_MAX;
	options.user_name = o->user_name;
	options.password = o->password;
	options.password_len = o->password ? strlen(o->password) : 0;
	options.inflight_max = (uint16_t)(o->window ? o->window : WINDOW_DEFAULT);
	options.retry_base_ms = RETRY_BASE_MS;
	options.retry_max_ms = RETRY_MAX_MS;
	options.callbacks.connected = on_connected;
	options.callbacks.disconnected = on_disconnected;
	options.callbacks.published = on_published;
	options.callbacks.message = on_message;
	options.context = v;
	int error = nj_new(&options, &client);
	if (error) {
		fail(v, "cannot make a client", nj_error_text(error));
		return NULL;
	}
	error = nj_connect(client, CONNECT_MS);
	if (!error)
		return client;
	fail(v, "cannot connect to the server", nj_error_text(error));
	nj_free(client);
	return NULL;
}

static bool subscribe(struct verify *v)
{
	struct nj_subscription subscription = {.filter = v->topic, .qos = (uint8_t)v->options->qos};
	nj_delivery *delivery = NULL;
	int error = nj_subscribe(v->subscriber, &subscription, 1, NULL, 0, &delivery);
	if (!error)
		error = nj_delivery_wait(delivery, CONNECT_MS);
	struct nj_bytes codes = {NULL, 0};
	if (!error)
		codes = nj_delivery_reason_codes(delivery);
	bool is_granted = codes.len == 1 && *(const uint8_t *)codes.ptr == v->options->qos;
	nj_delivery_free(delivery);
	if (!is_granted)
		fail(v, "the server does not grant the subscription",
		     error ? nj_error_text(error) : NULL);
	return is_granted;
}

/* A connection that wants a clean session ends the one before. */
static void forget_session(struct verify *v, nj_client *client, const char *role)
{
	nj_disconnect(client, CONNECT_MS);
	nj_free(client);
	nj_client *cleaner = open_client(v, role, true);
	if (cleaner)
		nj_disconnect(cleaner, CONNECT_MS);
	nj_free(cleaner);
}

/* --- the load --- */

static bool grow(struct verify *v)
{
	uint32_t capacity = v->capacity ? 2 * v->capacity : 1u << 16;
	uint8_t *messages = mem_realloc(v->messages, capacity);
	if (!messages) {
		fail(v, "not enough memory", NULL);
		return false;
	}
	memset(messages + v->capacity, 0, capacity - v->capacity);
	v->messages = messages;
	v->capacity = capacity;
	return true;
}

static void publish_one(struct verify *v)
{
	uint32_t number = v->sent;
	struct nj_message_out message = {.topic = v->topic,
					 .payload = v->payload,
					 .payload_len = v->options->payload_bytes,
					 .qos = (uint8_t)v->options->qos,
					 .tag = (void *)(uintptr_t)number};
	if (number == v->capacity && !grow(v))
		return;
	memcpy(v->payload, &number, sizeof(number));
	v->sent++;
	int error = nj_publish(v->publisher, &message, NULL);
	if (error)
		fail(v, "cannot publish", nj_error_text(error));
}

static void fill(struct verify *v)
{
	uint32_t window = v->options->window ? v->options->window : WINDOW_DEFAULT;
	while (v->is_publishing && !v->has_failed && nj_unfinished(v->publisher) < window &&
	       v->sent < MESSAGES_MAX)
		publish_one(v);
}

static int shorter(int a, int b)
{
	return a < 0 || (b >= 0 && b < a) ? b : a;
}

/* Does what is to do, and waits for so long at most. */
static void turn(struct verify *v, uint64_t until_ns)
{
	struct pollfd ready[2] = {{.fd = nj_descriptor(v->publisher), .events = POLLIN},
				  {.fd = nj_descriptor(v->subscriber), .events = POLLIN}};
	uint64_t now_ns = bench_now_ns();
	int wait_ms = until_ns > now_ns ? (int)((until_ns - now_ns) / 1000000 + 1) : 0;
	fill(v);
	wait_ms = shorter(wait_ms, nj_timeout_ms(v->publisher));
	wait_ms = shorter(wait_ms, nj_timeout_ms(v->subscriber));
	(void)poll(ready, 2, wait_ms);
	(void)nj_step(v->publisher);
	(void)nj_step(v->subscriber);
}

/* --- the kill --- */

static uint64_t random_moment(const struct bench_options *o)
{
	uint32_t random = 0;
	uint64_t longest_ms = o->duration_ms > EARLIEST_MS ? o->duration_ms - EARLIEST_MS : 1;
	(void)!getrandom(&random, sizeof(random), 0);
	return (EARLIEST_MS + random % longest_ms) * 1000000;
}

static bool kill_server(struct verify *v)
{
	v->acknowledged_before = v->acknowledged;
	v->is_killed = true;
	if (kill((pid_t)v->options->kill_pid, SIGKILL) == 0)
		return true;
	fail(v, "cannot kill the server's process", strerror(errno));
	return false;
}

/* The old one has to be gone before the new one can have its port and its store. */
static bool wait_for_death(struct verify *v)
{
	uint64_t until_ns = bench_now_ns() + CONNECT_MS * UINT64_C(1000000);
	while (bench_process_is_running(v->options->kill_pid)) {
		if (bench_now_ns() > until_ns) {
			fail(v, "the server's process does not end", NULL);
			return false;
		}
		usleep(1000);
	}
	return true;
}

/* The command goes on after us, as a server does that does not go to the background. */
static bool restart(struct verify *v)
{
	const char *command = v->options->restart_command;
	if (!command) {
		fprintf(stderr, "nightjar bench: process %u is killed: start the server again.\n",
			v->options->kill_pid);
		return true;
	}
	pid_t pid = fork();
	if (pid < 0) {
		fail(v, "cannot start a process", strerror(errno));
		return false;
	}
	if (pid == 0) {
		setsid();
		/* what it says is not our result */
		if (dup2(STDERR_FILENO, STDOUT_FILENO) >= 0)
			execl("/bin/sh", "sh", "-c", command, (char *)NULL);
		_exit(127);
	}
	v->command_pid = pid;
	return true;
}

/* A command that fails will not bring the server back. */
static void check_command(struct verify *v)
{
	int status;
	if (v->command_pid <= 0 || waitpid(v->command_pid, &status, WNOHANG) != v->command_pid)
		return;
	v->command_pid = 0;
	if (status != 0)
		fail(v, "the command of --restart failed", NULL);
}

static bool wait_for_return(struct verify *v)
{
	uint64_t until_ns = bench_now_ns() + RETURN_NS;
	if (v->options->is_away)
		nj_connect(v->subscriber, 0);
	while (!v->has_failed && !(v->publisher_is_back && v->subscriber_is_back)) {
		turn(v, bench_now_ns() + RETRY_MAX_MS * UINT64_C(1000000));
		check_command(v);
		if (bench_now_ns() > until_ns)
			fail(v, "the server does not come back", NULL);
	}
	return !v->has_failed;
}

/* What was under way is sent again and acknowledged; what was acknowledged arrives. */
static void settle(struct verify *v)
{
	v->progress_ns = bench_now_ns();
	while (!v->has_failed && bench_now_ns() < v->progress_ns + STUCK_NS &&
	       (nj_unfinished(v->publisher) > 0 || v->kept < v->acknowledged))
		turn(v, bench_now_ns() + STUCK_NS / 50);
}

/* --- the verdict --- */

static bool is_lost(const struct verify *v, uint32_t number)
{
	return v->messages[number] & ACKNOWLEDGED && !(v->messages[number] & ARRIVALS);
}

static bool is_repeated(const struct verify *v, uint32_t number)
{
	return (v->messages[number] & ARRIVALS) > 1;
}

static uint32_t count_of(const struct verify *v, bool (*is_so)(const struct verify *, uint32_t))
{
	uint32_t count = 0;
	for (uint32_t i = 0; i < v->sent; i++)
		count += is_so(v, i);
	return count;
}

static void tell_numbers(const struct verify *v, const char *what,
			 bool (*is_so)(const struct verify *, uint32_t))
{
	uint32_t count = count_of(v, is_so), told = 0;
	if (count == 0)
		return;
	printf("%s:", what);
	for (uint32_t i = 0; i < v->sent && told < TOLD_MAX; i++)
		if (is_so(v, i))
			printf("%s %u", told++ ? "," : "", i);
	puts(count > told ? ", ..." : "");
}

static void tell_text(const struct verify *v, uint64_t killed_ns, uint64_t away_ns)
{
	const struct bench_options *o = v->options;
	printf("verify-durability: QoS %u, %u bytes, killed after %.2f s, away for %.2f s\n",
	       o->qos, o->payload_bytes, (double)killed_ns / 1e9, (double)away_ns / 1e9);
	printf("published   %u, %u acknowledged, %u of them before the kill", v->sent,
	       v->acknowledged, v->acknowledged_before);
	if (v->refused)
		printf("; %u refused by the server", v->refused);
	putchar('\n');
	printf("arrived     %llu; acknowledged and lost: %u; came more than once: %u%s\n",
	       (unsigned long long)v->arrivals, v->acknowledged - v->kept, count_of(v, is_repeated),
	       o->qos == 1 ? ", which QoS 1 allows" : "");
	if (v->has_lost_session)
		puts("            the server has forgotten the subscriber's session");
	tell_numbers(v, "lost", is_lost);
	if (o->qos == 2)
		tell_numbers(v, "more than once", is_repeated);
}

static void tell_json(const struct verify *v, uint64_t killed_ns, uint64_t away_ns, bool is_broken)
{
	printf("{\"scenario\": \"verify-durability\", \"qos\": %u, \"killed_after\": %.3f, "
	       "\"away\": %.3f, \"published\": %u, \"acknowledged\": %u, "
	       "\"acknowledged_before\": %u, \"arrived\": %llu, \"lost\": %u, "
	       "\"repeated\": %u, \"refused\": %u, \"session_lost\": %s, \"is_broken\": %s}\n",
	       v->options->qos, (double)killed_ns / 1e9, (double)away_ns / 1e9, v->sent,
	       v->acknowledged, v->acknowledged_before, (unsigned long long)v->arrivals,
	       v->acknowledged - v->kept, count_of(v, is_repeated), v->refused,
	       v->has_lost_session ? "true" : "false", is_broken ? "true" : "false");
}

static bool publish_until_killed(struct verify *v, uint64_t moment_ns)
{
	uint64_t until_ns = bench_now_ns() + moment_ns;
	v->is_publishing = true;
	while (!v->has_failed && bench_now_ns() < until_ns)
		turn(v, until_ns);
	v->is_publishing = false;
	return !v->has_failed && kill_server(v) && wait_for_death(v) && restart(v);
}

static int verify(struct verify *v)
{
	uint64_t moment_ns = random_moment(v->options);
	if (!publish_until_killed(v, moment_ns))
		return 1;
	uint64_t killed_ns = bench_now_ns();
	if (!wait_for_return(v))
		return 1;
	uint64_t away_ns = bench_now_ns() - killed_ns;
	settle(v);
	if (v->has_failed)
		return 1;
	bool is_broken = v->kept < v->acknowledged || nj_unfinished(v->publisher) > 0 ||
			 (v->options->qos == 2 && count_of(v, is_repeated) > 0);
	if (v->options->is_json)
		tell_json(v, moment_ns, away_ns, is_broken);
	else
		tell_text(v, moment_ns, away_ns);
	return is_broken;
}

static int run(struct verify *v)
{
	int status = 1;
	v->subscriber = open_client(v, "s", false);
	bool is_ready = v->subscriber && subscribe(v);
	if (is_ready && v->options->is_away)
		nj_disconnect(v->subscriber, CONNECT_MS);
	if (is_ready)
		v->publisher = open_client(v, "p", false);
	if (v->publisher)
		status = verify(v);
	/* without a server there is no session to end */
	if (v->subscriber_is_back) {
		forget_session(v, v->publisher, "p");
		forget_session(v, v->subscriber, "s");
	} else {
		nj_free(v->publisher);
		nj_free(v->subscriber);
	}
	return status;
}

int bench_verify(const struct bench_options *options)
{
	struct verify v = {.options = options};
	uint64_t pid = (uint64_t)getpid();
	snprintf(v.topic, sizeof(v.topic), "bench/%llu/verify", (unsigned long long)pid);
	v.payload = mem_zalloc(options->payload_bytes);
	if (!v.payload)
		fail(&v, "not enough memory", NULL);
	int status = v.payload ? run(&v) : 1;
	mem_free(v.payload);
	mem_free(v.messages);
	return status;
}
