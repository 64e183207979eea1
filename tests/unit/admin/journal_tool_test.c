/* SPDX-License-Identifier: Apache-2.0 */
/* The tools on a store of a few records, sound and damaged. */
#include <fcntl.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cmocka.h>

#include "admin/journal_tool.h"
#include "base/mem.h"
#include "broker/record.h"
#include "queue/message.h"

struct place {
	char folder[40];
	char out_path[48];
	char out[65536];
};

/* The journal's side of a store that is written without a broker. */

static void on_committed(void *context, struct log_batch *batch)
{
	unsigned *count = context;
	assert_int_equal(batch->error, 0);
	*count += 1;
}

static void on_checkpoint_wanted(void *context)
{
	(void)context;
}

static void on_health(void *context, enum log_health health, const char *text)
{
	(void)context;
	print_message("%d: %s\n", health, text);
}

static bool on_references(void *context, struct span image,
			  void (*found)(void *found_context, uint64_t position),
			  void *found_context)
{
	(void)context;
	(void)image;
	(void)found;
	(void)found_context;
	return true;
}

static void on_say(void *context, bool is_warning, const char *text)
{
	(void)context;
	(void)is_warning;
	(void)text;
}

static uint64_t no_time(void *context)
{
	(void)context;
	return 1;
}

static int on_image(void *context, uint64_t position, struct span image)
{
	(void)context;
	(void)position;
	(void)image;
	return 0;
}

static int on_record(void *context, uint64_t position, struct span body)
{
	(void)context;
	(void)position;
	(void)body;
	return 0;
}

static int on_damage(void *context, const struct journal_damage *damage)
{
	(void)context;
	(void)damage;
	return 0;
}

static struct journal *open_store(const char *path, unsigned *committed)
{
	char reason[JOURNAL_REASON_MAX] = "";
	struct journal_options options;
	struct journal_hooks hooks = {
		.context = committed,
		.committed = on_committed,
		.checkpoint_wanted = on_checkpoint_wanted,
		.health = on_health,
		.references = on_references,
		.say = on_say,
		.now_ms = no_time,
	};
	struct journal_recovery nothing = {
		.image = on_image,
		.record = on_record,
		.damage = on_damage,
	};
	struct disk *disk;
	struct journal *journal;
	journal_options_server(&options);
	options.has_threads = false;
	options.segment_bytes = 65536;
	options.segments_min = 1;
	assert_int_equal(disk_system_open(path, true, &disk), 0);
	int error = journal_open(disk, &options, &hooks, &journal, reason);
	if (error == 0)
		error = journal_recover(journal, &nothing, reason);
	if (error == 0)
		error = journal_start(journal, reason);
	if (error != 0)
		print_error("%s\n", reason);
	assert_int_equal(error, 0);
	return journal;
}

static void append(struct journal *journal, struct command *c, unsigned *committed)
{
	struct log_batch batch = {0};
	unsigned before = *committed;
	uint32_t len = (uint32_t)record_size(c);
	uint32_t room = (LOG_RECORD_ROOM + len + LOG_ALIGN - 1) / LOG_ALIGN * LOG_ALIGN;
	batch.bytes = mem_zalloc(room);
	batch.bytes_len = room;
	batch.first = batch.last = &c->entry;
	c->entry.len = len;
	record_encode(c, (struct room){batch.bytes + LOG_RECORD_ROOM, len});
	journal_log(journal)->ops->append(journal_log(journal), &batch);
	while (*committed == before)
		assert_true(journal_step(journal));
	mem_free(batch.bytes);
}

static void fill(const char *path)
{
	unsigned committed = 0;
	struct journal *journal = open_store(path, &committed);
	struct command *connect = command_new(COMMAND_CONNECT, SPAN_LITERAL("Sub\x1b[2J"));
	append(journal, connect, &committed);
	for (unsigned i = 0; i < 100; i++) {
		struct message_parts parts = {
			.topic = SPAN_LITERAL("home/room"),
			.payload = SPAN_LITERAL("21.5 degrees, and more of the same to look for"),
			.qos = 1,
		};
		struct command *publish = command_new(COMMAND_PUBLISH, SPAN_NONE);
		publish->session_id = connect->entry.position;
		publish->message = message_new(&parts);
		append(journal, publish, &committed);
		command_free(publish);
	}
	command_free(connect);
	journal_close(journal);
}

static int setup(void **state)
{
	struct place *p = calloc(1, sizeof(*p));
	strcpy(p->folder, "/tmp/nightjar-admin-XXXXXX");
	assert_non_null(mkdtemp(p->folder));
	snprintf(p->out_path, sizeof(p->out_path), "%s.out", p->folder);
	fill(p->folder);
	*state = p;
	return 0;
}

static int teardown(void **state)
{
	struct place *p = *state;
	char command[128];
	snprintf(command, sizeof(command), "rm -r %s %s", p->folder, p->out_path);
	assert_int_equal(system(command), 0);
	free(p);
	return 0;
}

/* Its exit status; what it prints goes to p->out. */
static int run(struct place *p, const char *what, const char *option)
{
	char *argv[] = {(char *)"journal", (char *)what, p->folder, (char *)option, NULL};
	fflush(stdout);
	int saved = dup(STDOUT_FILENO);
	int file = open(p->out_path, O_RDWR | O_CREAT | O_TRUNC, 0600);
	assert_true(file >= 0 && dup2(file, STDOUT_FILENO) >= 0);
	int status = journal_main(option ? 4 : 3, argv);
	fflush(stdout);
	dup2(saved, STDOUT_FILENO);
	close(saved);
	ssize_t len = pread(file, p->out, sizeof(p->out) - 1, 0);
	assert_true(len >= 0);
	p->out[len] = '\0';
	close(file);
	return status;
}

static void test_check_of_a_sound_store(void **state)
{
	struct place *p = *state;
	assert_int_equal(run(p, "check", NULL), JOURNAL_SOUND);
	assert_non_null(strstr(p->out, " 101 records"));
	assert_non_null(strstr(p->out, ": sound\n"));
	assert_int_equal(run(p, "check", "--json"), JOURNAL_SOUND);
	json_t *document = json_loads(p->out, 0, NULL);
	assert_true(json_is_true(json_object_get(document, "is_sound")));
	assert_int_equal(json_integer_value(json_object_get(document, "records")), 101);
	json_decref(document);
}

static void test_dump_has_a_line_for_each_record(void **state)
{
	struct place *p = *state;
	assert_int_equal(run(p, "dump", NULL), JOURNAL_SOUND);
	assert_non_null(strstr(p->out, " CONNECT client=Sub\\x1B[2J "));
	assert_non_null(strstr(
		p->out, " PUBLISH client=Sub\\x1B[2J topic=home/room qos=1 retain=0 size=46 "));
	assert_int_equal(run(p, "dump", "--json"), JOURNAL_SOUND);
	unsigned count = 0;
	for (char *line = strtok(p->out, "\n"); line; line = strtok(NULL, "\n")) {
		json_t *object = json_loads(line, 0, NULL);
		const char *kind = json_string_value(json_object_get(object, "kind"));
		assert_non_null(kind);
		count += strcmp(kind, "PUBLISH") == 0;
		json_decref(object);
	}
	assert_int_equal(count, 100);
}

static void test_stats_name_who_fills_it(void **state)
{
	struct place *p = *state;
	assert_int_equal(run(p, "stats", "--json"), JOURNAL_SOUND);
	json_t *document = json_loads(p->out, 0, NULL);
	json_t *first = json_array_get(json_object_get(document, "publishers"), 0);
	assert_string_equal(json_string_value(json_object_get(first, "client")), "Sub\x1b[2J");
	assert_int_equal(json_integer_value(json_object_get(first, "messages")), 100);
	json_decref(document);
	assert_int_equal(run(p, "stats", NULL), JOURNAL_SOUND);
	assert_non_null(strstr(p->out, "100 messages"));
}

/* Changes a byte of the first payload; how many were found. */
static unsigned damage_file(const char *path)
{
	static char bytes[1 << 20];
	unsigned count = 0;
	int file = open(path, O_RDWR);
	ssize_t len = pread(file, bytes, sizeof(bytes), 0);
	for (ssize_t i = 0; i + 4 < len && count < 1; i++) {
		if (memcmp(bytes + i, "21.5", 4) == 0) {
			assert_int_equal(pwrite(file, "22.5", 4, i), 4);
			count++;
		}
	}
	close(file);
	return count;
}

static void test_check_finds_a_changed_byte(void **state)
{
	struct place *p = *state;
	char path[128];
	snprintf(path, sizeof(path), "%s/seg-%016x.log", p->folder, 1u);
	assert_int_equal(damage_file(path), 1);
	assert_int_equal(run(p, "check", NULL), JOURNAL_DAMAGED);
	assert_non_null(strstr(p->out, "bytes are not what was written"));
	assert_non_null(strstr(p->out, " 100 records"));
	assert_int_equal(run(p, "check", "--json"), JOURNAL_DAMAGED);
	json_t *document = json_loads(p->out, 0, NULL);
	assert_true(json_is_false(json_object_get(document, "is_sound")));
	assert_int_equal(json_array_size(json_object_get(document, "damages")), 1);
	json_decref(document);
}

static void test_mistakes_of_the_command_line(void **state)
{
	struct place *p = *state;
	assert_int_equal(run(p, "chek", NULL), JOURNAL_CANNOT);
	assert_int_equal(run(p, "check", "--jason"), JOURNAL_CANNOT);
	assert_int_equal(run(p, "check", "more"), JOURNAL_CANNOT);
	assert_string_equal(p->out, "");
	char *no_folder[] = {(char *)"journal", (char *)"check", (char *)"/nonexistent", NULL};
	assert_int_equal(journal_main(3, no_folder), JOURNAL_CANNOT);
	assert_int_equal(journal_main(2, no_folder), JOURNAL_CANNOT);
	assert_int_equal(journal_main(1, no_folder), JOURNAL_CANNOT);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup_teardown(test_check_of_a_sound_store, setup, teardown),
		cmocka_unit_test_setup_teardown(test_dump_has_a_line_for_each_record, setup,
						teardown),
		cmocka_unit_test_setup_teardown(test_stats_name_who_fills_it, setup, teardown),
		cmocka_unit_test_setup_teardown(test_check_finds_a_changed_byte, setup, teardown),
		cmocka_unit_test_setup_teardown(test_mistakes_of_the_command_line, setup, teardown),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
