/* SPDX-License-Identifier: Apache-2.0 */
/* Directories of files: their order, what each begins with, and mistakes with their places. */
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cmocka.h>

#include "base/mem.h"
#include "configured.h"

/* Files in memory: those whose path begins with the directory's are in it. */
struct memory_file {
	const char *path;
	const char *text; /* NULL: cannot be read */
	uint64_t number;  /* of the file, by whatever name; 0: like no other */
};

static int memory_read(void *context, const char *path, struct buffer *text,
		       struct config_file_id *id_out, char reason[CONFIG_REASON_MAX])
{
	const struct memory_file *files = context;
	for (uint64_t i = 0; files[i].path; i++) {
		if (strcmp(files[i].path, path) != 0)
			continue;
		if (!files[i].text)
			break;
		*id_out = (struct config_file_id){1, files[i].number ? files[i].number : i + 100};
		return buffer_append(text, span_of_text(files[i].text));
	}
	snprintf(reason, CONFIG_REASON_MAX, "cannot be opened: for a test");
	return ERROR_SYSTEM;
}

static int memory_list(void *context, const char *path, struct buffer *names,
		       char reason[CONFIG_REASON_MAX])
{
	const struct memory_file *files = context;
	size_t len = strlen(path) - (path[strlen(path) - 1] == '/');
	bool is_found = false;
	int rc = 0;
	for (size_t i = 0; files[i].path && rc == 0; i++) {
		const char *name = files[i].path + len + 1;
		if (strncmp(files[i].path, path, len) != 0 || files[i].path[len] != '/')
			continue;
		is_found = true;
		rc = buffer_append(names, span_of(name, strlen(name) + 1));
	}
	if (!is_found)
		snprintf(reason, CONFIG_REASON_MAX, "'%.90s' is not there", path);
	return is_found ? rc : ERROR_SYSTEM;
}

/* The first is the main one. */
static void load(struct configured *c, const struct memory_file *files)
{
	*c = (struct configured){0};
	config_init(&c->config);
	c->config.source = (struct config_source){
		.read = memory_read,
		.list = memory_list,
		.context = (void *)(uintptr_t)files,
	};
	int rc = config_load_file(&c->config, files[0].path, &c->report);
	assert_int_equal(rc, c->report.error_count > 0 ? ERROR_INVALID : 0);
	configured_finish(c);
}

static void test_include_in_order_of_mosquitto(void **state)
{
	(void)state;
	/* mosquitto.conf(5): 00, 01, A, a, B, b; one directory after the other */
	static const struct memory_file files[] = {
		{"m.conf", "listener 1\ninclude_dir d\nlistener 9\ninclude_dir e\n", 0},
		{"d/b.conf", "listener 7\n", 0},
		{"d/A.conf", "listener 4\n", 0},
		{"d/01.conf", "listener 3\n", 0},
		{"d/a.conf", "listener 5\n", 0},
		{"d/B.conf", "listener 6\n", 0},
		{"d/00.conf", "listener 2\n", 0},
		{"d/00.conf.dpkg-old", "nonsense\n", 0},
		{"d/.conf", "nonsense\n", 0},
		{"e/a.conf", "listener 10\n", 0},
		{NULL, NULL, 0},
	};
	static const uint16_t ports[] = {1, 2, 3, 4, 5, 6, 7, 9, 10};
	struct configured c;
	load(&c, files);
	assert_string_equal(c.errors, "");
	assert_int_equal(c.config.listener_count, ARRAY_COUNT(ports));
	for (size_t i = 0; i < ARRAY_COUNT(ports); i++)
		assert_int_equal(c.config.listeners[i].port, ports[i]);
	configured_release(&c);
}

/* A section does not go into the files, nor come out of them: behind them the main file's goes on. */
static void test_include_keeps_the_section_of_the_main_file(void **state)
{
	(void)state;
	static const struct memory_file files[] = {
		{"m.conf", "listener 1 localhost\ninclude_dir d/\nsocket_domain ipv4\n", 0},
		{"d/a.conf", "listener 2 localhost\nsocket_domain ipv6\n", 0},
		{NULL, NULL, 0},
	};
	struct configured c;
	load(&c, files);
	assert_string_equal(c.errors, "");
	assert_int_equal(c.config.listeners[0].family, SOCKET_FAMILY_IPV4);
	assert_int_equal(c.config.listeners[1].family, SOCKET_FAMILY_IPV6);
	configured_release(&c);
}

static void test_include_without_files(void **state)
{
	(void)state;
	static const struct memory_file files[] = {
		{"m.conf", "include_dir d\nmax_qos 1\n", 0},
		{"d/README", "These are no options.\n", 0},
		{NULL, NULL, 0},
	};
	struct configured c;
	load(&c, files);
	assert_string_equal(c.errors, "");
	assert_int_equal(c.config.settings.qos_max, 1);
	configured_release(&c);
}

static void test_include_later_files_win_with_a_notice(void **state)
{
	(void)state;
	static const struct memory_file files[] = {
		{"m.conf", "listener 1\nallow_anonymous true\nsessions_max 3\ninclude_dir d\n", 0},
		{"d/a.conf", "sessions_max 4\nuser joe\n", 0},
		{"d/b.conf", "\nsessions_max 5\nuser joe\n", 0},
		{NULL, NULL, 0},
	};
	struct configured c;
	load(&c, files);
	assert_string_equal(c.errors, "");
	assert_int_equal(c.config.settings.sessions_max, 5);
	assert_string_equal(c.notices,
			    "d/a.conf:1: sessions_max: takes the place of what m.conf:3 says\n"
			    "d/b.conf:2: sessions_max: takes the place of what d/a.conf:1 says\n");
	configured_release(&c);
}

struct mistake_case {
	const char *main, *included, *errors;
};

static const struct mistake_case mistake_cases[] = {
	{"include_dir d", "\nmax_qos 3\nnonsense\n",
	 "d/a.conf:2: max_qos: '3' is not between 0 and 2\n"
	 "d/a.conf:3: nonsense: unknown option; nightjar.conf(5) lists all\n"},
	{"include_dir d\nmax_qos 3", "max_qos 3",
	 "d/a.conf:1: max_qos: '3' is not between 0 and 2\n"
	 "m.conf:2: max_qos: '3' is not between 0 and 2\n"},
	{"include_dir d", "sessions_max 1\nsessions_max 2",
	 "d/a.conf:2: sessions_max: '2' contradicts line 1\n"},
	{"include_dir d", "include_dir d",
	 "d/a.conf:1: include_dir: only the main file may have it: move the line to m.conf\n"},
	{"include_dir d\ninclude_dir d", "",
	 "d/a.conf: is included, but was read already: put it "
	 "elsewhere\n"},
	{"include_dir e", "", "m.conf:1: include_dir: 'e' is not there\n"},
	{"include_dir", "", "m.conf:1: include_dir: the value is missing (directory)\n"},
	{"include_dir d", NULL, "d/a.conf: cannot be opened: for a test\n"},
	{"listener 1\ninclude_dir d", "max_connections 1\n",
	 "d/a.conf:1: max_connections: stands before the first listener line: move it below the "
	 "listener that it is meant for\n"},
	{"listener 1 localhost\ninclude_dir d", "\nlistener 1 localhost\n",
	 "d/a.conf:2: listener: port 1 is given twice\n"},
	{"include_dir d", "listener 1\ncertfile /c\n",
	 "d/a.conf:1: certfile: its key is missing: a keyfile line\n"},
	{"persistence true\ninclude_dir d", "durability off\n",
	 "d/a.conf:1: durability: contradicts persistence true: leave one of both lines out\n"},
	{"acl_file /a\ninclude_dir d", "per_listener_settings true\nlistener 1\n",
	 "d/a.conf:1: per_listener_settings: stands below an option that it is about: move it "
	 "above all of them\n"},
};

static void test_include_mistakes_have_their_places(void **state)
{
	(void)state;
	for (size_t i = 0; i < ARRAY_COUNT(mistake_cases); i++) {
		const struct memory_file files[] = {
			{"m.conf", mistake_cases[i].main, 0},
			{"d/a.conf", mistake_cases[i].included, 0},
			{NULL, NULL, 0},
		};
		struct configured c;
		load(&c, files);
		assert_string_equal(c.errors, mistake_cases[i].errors);
		configured_release(&c);
	}
}

/* The directory of the main file, with that file in it. */
static void test_include_of_the_main_file_itself(void **state)
{
	(void)state;
	static const struct memory_file files[] = {
		{"m.conf", "include_dir d\nlistener 1\n", 7},
		{"d/m.conf", "include_dir d\nlistener 1\n", 7},
		{NULL, NULL, 0},
	};
	struct configured c;
	load(&c, files);
	assert_string_equal(c.errors,
			    "d/m.conf: is included, but was read already as m.conf: put it "
			    "elsewhere\n");
	assert_int_equal(c.config.listener_count, 1);
	configured_release(&c);
}

static void test_include_too_many_files(void **state)
{
	(void)state;
	static char names[CONFIG_FILES_MAX + 1][16];
	static struct memory_file files[CONFIG_FILES_MAX + 2] = {{"m.conf", "include_dir d", 0}};
	for (unsigned i = 0; i < CONFIG_FILES_MAX; i++) {
		snprintf(names[i], sizeof(names[i]), "d/%04u.conf", i);
		files[i + 1] = (struct memory_file){names[i], "", 0};
	}
	struct configured c;
	load(&c, files);
	assert_string_equal(c.errors, "d/0255.conf: a configuration has at most 256 files\n");
	configured_release(&c);
}

static void write_file(const char *directory, const char *name, const char *text)
{
	char path[128];
	snprintf(path, sizeof(path), "%s/%s", directory, name);
	FILE *stream = fopen(path, "w");
	assert_non_null(stream);
	fputs(text, stream);
	assert_int_equal(fclose(stream), 0);
}

static void remove_file(const char *directory, const char *name)
{
	char path[128];
	snprintf(path, sizeof(path), "%s/%s", directory, name);
	assert_int_equal(unlink(path), 0);
}

/* The disk knows a file by another name, and says why it cannot be read. */
static void test_include_from_disk(void **state)
{
	(void)state;
	char directory[] = "/tmp/nightjar-include-XXXXXX", path[128], text[128];
	assert_non_null(mkdtemp(directory));
	snprintf(text, sizeof(text), "include_dir %s\ninclude_dir %s/none\nmax_qos 1\n", directory,
		 directory);
	write_file(directory, "main.conf", text);
	write_file(directory, "b.conf", "listener 1884\n");
	snprintf(path, sizeof(path), "%s/a.conf", directory);
	assert_int_equal(mkdir(path, 0700), 0);
	snprintf(path, sizeof(path), "%s/./main.conf", directory);
	struct configured c = {0};
	config_init(&c.config);
	assert_int_equal(config_load_file(&c.config, path, &c.report), ERROR_INVALID);
	configured_finish(&c);
	char errors[1024];
	snprintf(errors, sizeof(errors),
		 "%1$s/a.conf: cannot be read: Is a directory\n"
		 "%1$s/main.conf: is included, but was read already as %1$s/./main.conf: put it "
		 "elsewhere\n"
		 "%1$s/./main.conf:2: include_dir: '%1$s/none' cannot be opened: No such file or "
		 "directory\n"
		 "%1$s/./main.conf:3: max_qos: stands before the first listener line: move it "
		 "below the listener that it is meant for\n",
		 directory);
	assert_string_equal(c.errors, errors);
	assert_int_equal(c.config.listeners[0].port, 1884);
	configured_release(&c);
	snprintf(path, sizeof(path), "%s/a.conf", directory);
	assert_int_equal(rmdir(path), 0);
	remove_file(directory, "main.conf");
	remove_file(directory, "b.conf");
	assert_int_equal(rmdir(directory), 0);
}

static void test_include_without_memory(void **state)
{
	(void)state;
	static const struct memory_file files[] = {
		{"m.conf", "include_dir d\n", 0},
		{"d/a.conf", "listener 1\nmax_qos 1\n", 0},
		{NULL, NULL, 0},
	};
	for (unsigned long n = 1;; n++) {
		struct config c;
		struct config_report report = {0};
		config_init(&c);
		c.source =
			(struct config_source){memory_read, memory_list, (void *)(uintptr_t)files};
		mem_count_start();
		mem_fail_after(n);
		int rc = config_load_file(&c, "m.conf", &report);
		bool has_failed = mem_has_failed();
		mem_fail_after(0);
		assert_int_equal(rc, has_failed ? ERROR_NO_MEMORY : 0);
		config_report_release(&report);
		config_release(&c);
		assert_int_equal(mem_count_live(), 0);
		if (!has_failed)
			break;
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_include_in_order_of_mosquitto),
		cmocka_unit_test(test_include_keeps_the_section_of_the_main_file),
		cmocka_unit_test(test_include_without_files),
		cmocka_unit_test(test_include_later_files_win_with_a_notice),
		cmocka_unit_test(test_include_mistakes_have_their_places),
		cmocka_unit_test(test_include_of_the_main_file_itself),
		cmocka_unit_test(test_include_too_many_files),
		cmocka_unit_test(test_include_from_disk),
		cmocka_unit_test(test_include_without_memory),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
