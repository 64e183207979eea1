/* SPDX-License-Identifier: Apache-2.0 */
#include "admin/journal_tool.h"

#include <errno.h>
#include <inttypes.h>
#include <stdarg.h>
#include <stdio.h>

static const struct {
	const char *name;
	int (*run)(struct journal_tool *t);
} tools[] = {
	{"check", journal_check},
	{"dump", journal_dump},
	{"stats", journal_stats},
	{"compact", journal_compact},
};

static const char usage[] =
	"usage: nightjar journal check|dump|stats|compact DIRECTORY [--json]\n"
	"\n"
	"  check     verify every byte of a store, while its broker runs or not;\n"
	"            exit status 0: sound, 1: damaged, 2: cannot tell\n"
	"  dump      print one line per record\n"
	"  stats     print what the store holds, and who fills it\n"
	"  compact   of a store whose broker does not run: write down its state in one\n"
	"            piece and give back what is no longer needed\n"
	"      --json  print JSON: one document, of dump one object per line\n"
	"  -h, --help  show this\n";

int journal_complain(const char *format, ...)
{
	va_list arguments;
	fputs("nightjar journal: ", stderr);
	va_start(arguments, format);
	vfprintf(stderr, format, arguments);
	va_end(arguments);
	fputc('\n', stderr);
	return JOURNAL_CANNOT;
}

bool journal_print(json_t *document, bool is_line)
{
	bool is_good = document &&
		       json_dumpf(document, stdout, is_line ? JSON_COMPACT : JSON_INDENT(2)) == 0;
	json_decref(document);
	return is_good && fputc('\n', stdout) != EOF;
}

json_t *journal_text(struct span text)
{
	json_t *value = json_stringn((const char *)text.ptr, text.len);
	return value ? value : json_string("(not UTF-8)");
}

void journal_print_text(struct span text)
{
	for (size_t i = 0; i < text.len; i++) {
		uint8_t byte = text.ptr[i];
		/* C1 control characters are two bytes in UTF-8: C2 80 to C2 9F */
		bool is_c1 = byte == 0xC2 && i + 1 < text.len && text.ptr[i + 1] < 0xA0;
		if (byte < 0x20 || byte == 0x7F || byte == '\\' || is_c1)
			printf("\\x%02X", byte);
		else
			putchar(byte);
		if (is_c1)
			printf("\\x%02X", text.ptr[++i]);
	}
}

const char *journal_position(uint64_t position)
{
	static char texts[2][32];
	static unsigned next;
	char *text = texts[next++ % 2];
	snprintf(text, sizeof(texts[0]), "%" PRIu64 ":%" PRIu64, position >> 32,
		 position & UINT32_MAX);
	return text;
}

static int run(size_t tool, const char *path, bool is_json)
{
	struct journal_tool t = {.path = path, .is_json = is_json};
	int error = disk_system_open(path, false, &t.disk);
	if (error != 0)
		return journal_complain("cannot open the directory '%s': %s", path,
					error == ERROR_SYSTEM ? strerror(errno)
							      : error_text(error));
	int status = tools[tool].run(&t);
	if (t.disk)
		t.disk->ops->free(t.disk);
	if (fflush(stdout) != 0 || ferror(stdout))
		return journal_complain("cannot write the output: %s", strerror(errno));
	return status;
}

int journal_main(int argc, char **argv)
{
	const char *words[2] = {NULL, NULL};
	unsigned count = 0;
	bool is_json = false;
	for (int i = 1; i < argc; i++) {
		if (strcmp(argv[i], "--help") == 0 || strcmp(argv[i], "-h") == 0)
			return fputs(usage, stdout) == EOF;
		if (strcmp(argv[i], "--json") == 0)
			is_json = true;
		else if (argv[i][0] == '-')
			return journal_complain("unknown option '%s' (see --help)", argv[i]);
		else if (count < 2)
			words[count++] = argv[i];
		else
			return journal_complain("unexpected argument '%s' (see --help)", argv[i]);
	}
	size_t tool = 0;
	while (words[0] && tool < ARRAY_COUNT(tools) && strcmp(words[0], tools[tool].name) != 0)
		tool++;
	if (!words[0] || tool == ARRAY_COUNT(tools))
		return journal_complain(
			"say what to do: check, dump, stats or compact (see --help)");
	if (!words[1])
		return journal_complain("name the directory of the store (persistence_location)");
	return run(tool, words[1], is_json);
}
