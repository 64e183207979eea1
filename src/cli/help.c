/* SPDX-License-Identifier: Apache-2.0 */
#include "cli/help.h"

#include "cli/flag_table.h"

#include <ctype.h>
#include <stdlib.h>
#include <unistd.h>

#define NAMES_WIDTH 31

struct page {
	const char *synopsis;
	const char *purpose;
	const char *examples; /* each begins with "%s", the program */
	const char *statuses;
};

static const struct page *page_of(enum tool tool)
{
	static const struct page pub = {
		"{-m MESSAGE | -n | -f FILE | -s | -l | --json-lines} -t TOPIC",
		"Publishes messages to an MQTT broker, and waits until it has acknowledged them.",
		"  %s -t home/temperature -m 21.5 -q 1\n"
		"  %s -t home/switch -m on -r\n"
		"  %s -t log -l -q 2 < lines\n"
		"  %s -t meter/1 -m 4711 -q 2 --outbox /var/lib/meter\n",
		"  0 published; 1 wrong arguments, no connection, no room; 4, 7, 19 the "
		"connection\n"
		"  ended; 24, 25 the broker does not take such a message; else why it refused "
		"us\n"};
	static const struct page sub = {
		"-t FILTER [-t FILTER ...]",
		"Subscribes to topics of an MQTT broker and prints what arrives.",
		"  %s -t 'home/+/temperature' -v\n"
		"  %s -t 'log/#' --json\n"
		"  %s -t status -C 1 -W 5\n"
		"  %s -t jobs -q 1 -i worker -c --manual-ack exec ./do-job\n",
		"  0 ended as told; 1 wrong arguments, no connection, --assert found something "
		"wrong;\n"
		"  27 the time of -W is over; 255 told to end before the broker answered; else "
		"why\n"
		"  the broker refused us\n"};
	static const struct page rr = {
		"-t TOPIC -e RESPONSE-TOPIC {-m MESSAGE | -n | -f FILE | -s}",
		"Sends a request to an MQTT topic and prints the response.",
		"  %s -t lamp/get -e lamp/state/me -n -W 5\n"
		"  %s -t echo -e echo -m ping --count 1000\n",
		"  0 the response came; 1 wrong arguments, no connection, request denied; 4, 7, 19 "
		"the\n"
		"  connection ended; 27 the time of -W is over; else why the broker refused us\n"};
	return tool == TOOL_PUB ? &pub : tool == TOOL_SUB ? &sub : &rr;
}

static void print_heading(FILE *to, const char *text, bool has_colours)
{
	fprintf(to, has_colours ? "\n\033[1m%s\033[0m\n" : "\n%s\n", text);
}

/* "-h, --host HOST" */
static void make_names(const struct flag_row *row, char *names, size_t size)
{
	int len = snprintf(names, size, "%s%s%s", row->short_name ? row->short_name : "   ",
			   row->short_name && row->long_name ? ", "
			   : row->long_name                  ? " "
							     : "",
			   row->long_name ? row->long_name : "");
	if (!row->noun || len < 0 || (size_t)len >= size)
		return;
	int from = len;
	len += snprintf(names + len, size - (size_t)len, " %s", row->noun);
	for (int i = from + 1; i < len && (size_t)i < size - 1; i++)
		names[i] = names[i] == ' ' || names[i] == '_'
				   ? '-'
				   : (char)toupper((unsigned char)names[i]);
}

static void print_row(FILE *to, const struct flag_row *row)
{
	char names[64];
	make_names(row, names, sizeof(names));
	if (strlen(names) > NAMES_WIDTH)
		fprintf(to, "  %s\n  %-*s %s\n", names, NAMES_WIDTH, "", row->help);
	else
		fprintf(to, "  %-*s %s\n", NAMES_WIDTH, names, row->help);
}

static void print_examples(FILE *to, const char *text, const char *program)
{
	for (const char *at = strstr(text, "%s"); at; at = strstr(text, "%s")) {
		fprintf(to, "%.*s%s", (int)(at - text), text, program);
		text = at + 2;
	}
	fputs(text, to);
}

static const char *base_name(const char *program)
{
	const char *slash = strrchr(program, '/');
	return slash ? slash + 1 : program;
}

void help_print(enum tool tool, const char *program, FILE *to, bool has_colours)
{
	static const char *const manuals[] = {[TOOL_PUB] = "nightjar-pub",
					      [TOOL_SUB] = "nightjar-sub",
					      [TOOL_RR] = "nightjar-rr"};
	const struct page *page = page_of(tool);
	fprintf(to, "usage: %s [options] %s\n\n%s\n", base_name(program), page->synopsis,
		page->purpose);
	for (size_t i = 0; i < flag_table_count; i++) {
		const struct flag_row *row = &flag_table[i];
		if (flag_is_refused(row) || !(row->tools & tool))
			continue;
		if (row->kind == FLAG_HEADING)
			print_heading(to, row->help, has_colours);
		else
			print_row(to, row);
	}
	print_heading(to, "Examples", has_colours);
	print_examples(to, page->examples, base_name(program));
	print_heading(to, "Exit status", has_colours);
	fprintf(to, "%s\nThe manual page has more: man %s\n", page->statuses, manuals[tool]);
}

bool help_wants_colours(FILE *to)
{
	const char *no_color = getenv("NO_COLOR");
	return isatty(fileno(to)) && (!no_color || no_color[0] == '\0');
}
