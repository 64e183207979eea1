/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The broker without a process around it, for the conformance runner: no sockets, no threads, and
 * time that passes only when told. Lines (lines.h):
 *
 *   start 2 7 on HEX     a fresh broker: shards, seed of their turns, a store on a simulated disk
 *                        or not (on, off), the text of its configuration file
 *   open 3               a client connects; 3 is its name from now on
 *   send 3 HEX           and sends
 *   close 3              and is gone
 *   wait 1500            milliseconds pass
 *   stop                 the broker ends; says "leak" when memory is left
 *
 * Whatever was said, the broker then works until it has nothing more to do, and what clients
 * received is printed: "3 HEX", and "3 end" where the broker has closed.
 */
#include "lines.h"

#include "base/mem.h"
#include "config/config.h"
#include "kit/kit_disk.h"

#include <stdio.h>

#define CLIENTS_MAX 1000
#define CAPACITY (1u << 20) /* of a stream, each way */

struct engine_client {
	struct stream stream;
	struct buffer out; /* what the stream has not taken yet */
	bool is_open;
};

static struct kit kit;
static struct kit_disk *disk; /* NULL: nothing is stored */
static struct config config;
static struct engine_client clients[CLIENTS_MAX];
static unsigned client_count; /* one more than the highest name in use */

/* The settings that the text gives; false when it has mistakes, which are printed. */
static bool configure(struct span text)
{
	struct config_report report = {0};
	config_init(&config);
	int error = config_load_text(&config, "case", text, &report);
	int error_at_end = config_finish(&config, &report);
	struct span words = buffer_content(&report.errors);
	if (error || error_at_end)
		printf("refused %.*s", (int)words.len, (const char *)words.ptr);
	config_report_release(&report);
	return !error && !error_at_end;
}

/* As the program reads it, but that it must be good. */
static struct users *read_users(const char *path)
{
	static char block[65536];
	struct access_report report = {.file = path};
	FILE *file = fopen(path, "r");
	ASSERT(file);
	size_t len = fread(block, 1, sizeof(block), file);
	fclose(file);
	struct users *users = users_read(span_of(block, len), 7, &report);
	ASSERT(users && report.notice_count == 0);
	return users;
}

static void use_password_file(void)
{
	const struct config_access *from = config_access_of(&config, 0);
	if (!from->password_file)
		return;
	struct access *a = access_new(1);
	ASSERT(a);
	a->realms[0].allows_anonymous = from->allow_anonymous > 0;
	a->realms[0].users = read_users(from->password_file);
	access_finish(a);
	int error = broker_use_access(kit.broker, a);
	ASSERT(error == 0);
}

static void start(char *rest)
{
	struct buffer text = {0};
	unsigned shards = (unsigned)line_number(&rest);
	uint64_t seed = line_number(&rest);
	bool has_disk = strcmp(line_word(&rest), "on") == 0;
	struct moment now = {KIT_START_STEADY_MS, KIT_START_WALL_MS};
	mem_count_start();
	line_bytes(rest, &text);
	bool is_good = configure(buffer_content(&text));
	buffer_release(&text);
	ASSERT(is_good);
	if (!has_disk) {
		kit_start(&kit, &config.settings, shards, seed);
		use_password_file();
		return;
	}
	disk = kit_disk_new(seed);
	int error = kit_start_on_disk(&kit, &config.settings, shards, seed, disk, now);
	ASSERT(error == 0);
	use_password_file();
}

static void close_client(struct engine_client *c)
{
	if (c->is_open)
		c->stream.ops->close(&c->stream);
	buffer_release(&c->out);
	c->is_open = false;
}

static void stop(void)
{
	for (unsigned i = 0; i < client_count; i++)
		close_client(&clients[i]);
	client_count = 0;
	kit_stop(&kit);
	if (disk)
		kit_disk_free(disk);
	disk = NULL;
	config_release(&config);
	if (mem_count_live() != 0)
		printf("leak %ld\n", mem_count_live());
}

static struct engine_client *client_at(char **rest)
{
	uint64_t name = line_number(rest);
	ASSERT(name < CLIENTS_MAX);
	if (name >= client_count)
		client_count = (unsigned)name + 1;
	return &clients[name];
}

static void open_client(char *rest)
{
	struct engine_client *c = client_at(&rest);
	ASSERT(!c->is_open);
	c->stream = kit_open(&kit, (unsigned)(c - clients) % kit.shard_count, CAPACITY, NULL);
	c->is_open = true;
}

/* True when something moved. */
static bool transmit(struct engine_client *c)
{
	struct span rest = buffer_content(&c->out);
	if (!c->is_open || rest.len == 0)
		return false;
	long n = c->stream.ops->write(&c->stream, &rest, 1);
	if (n == ERROR_CLOSED)
		buffer_release(&c->out);
	else if (n > 0)
		buffer_consume(&c->out, (size_t)n);
	return n > 0;
}

/* True when something came. */
static bool receive(struct engine_client *c)
{
	static uint8_t block[65536];
	bool has_come = false;
	while (c->is_open) {
		long n = c->stream.ops->read(&c->stream, (struct room){block, sizeof(block)});
		if (n == ERROR_AGAIN)
			break;
		has_come = true;
		printf("%u ", (unsigned)(c - clients));
		if (n <= 0) {
			puts("end");
			close_client(c);
		} else {
			line_print(span_of(block, (size_t)n));
			putchar('\n');
		}
	}
	return has_come;
}

/* Until nothing moves any more. */
static void settle(void)
{
	bool has_moved = true;
	while (has_moved) {
		has_moved = false;
		for (unsigned i = 0; i < client_count; i++)
			has_moved |= transmit(&clients[i]);
		kit_settle(&kit);
		for (unsigned i = 0; i < client_count; i++)
			has_moved |= receive(&clients[i]);
	}
}

static void perform(char *rest)
{
	const char *verb = line_word(&rest);
	if (strcmp(verb, "start") == 0) {
		start(rest);
	} else if (strcmp(verb, "stop") == 0) {
		stop();
		return;
	} else if (strcmp(verb, "open") == 0) {
		open_client(rest);
	} else if (strcmp(verb, "send") == 0) {
		struct engine_client *c = client_at(&rest);
		line_bytes(rest, &c->out);
	} else if (strcmp(verb, "close") == 0) {
		close_client(client_at(&rest));
	} else {
		ASSERT(strcmp(verb, "wait") == 0);
		kit_advance(&kit, line_number(&rest));
	}
	settle();
}

int main(void)
{
	lines_serve(perform);
	return 0;
}
