/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Prints the table of docs/MIGRATING.md: what nightjar does with each option of mosquitto 2.0 and
 * 2.1, from the table that the program itself reads. A test holds the document to it.
 */
#include "config/config.h"
#include "config/value_text.h"

#include <stdio.h>
#include <stdlib.h>

/* Of mosquitto.conf(5) 2.0, where ours is another one. */
static const struct {
	const char *name, *value;
} their_defaults[] = {
	{"max_inflight_messages", "20"},
	{"max_packet_size", "no limit, 2000000 in 2.1"},
	{"max_queued_bytes", "no limit"},
	{"max_queued_messages", "1000"},
	{"max_topic_alias", "10"},
	{"max_topic_alias_broker", "10 in 2.1"},
	{"persistence", "false"},
	{"set_tcp_nodelay", "false"},
	{"websockets_headers_size", "4096"},
};

static const char *their_default(const struct option *o)
{
	for (size_t i = 0; i < ARRAY_COUNT(their_defaults); i++)
		if (strcmp(o->name, their_defaults[i].name) == 0)
			return their_defaults[i].value;
	return NULL;
}

/* A '|' would end the cell. */
static void print_cell(const char *text)
{
	for (; *text; text++)
		printf(*text == '|' ? "\\|" : "%c", *text);
}

static void print_obeyed(const struct config *c, const struct option *o)
{
	const void *structure = option_structure(c, &c->listeners[0], o);
	const char *theirs = their_default(o);
	char ours[VALUE_TEXT_MAX];
	if (o->target == OPTION_TO_ACCESS)
		structure = &c->access;
	fputs("obeyed", stdout);
	if (!theirs)
		return;
	option_value_text(o, structure, ours);
	ASSERT(strcmp(ours, theirs) != 0); /* or the row above is of no use */
	printf("; default: %s, mosquitto's: %s", ours, theirs);
}

static bool is_of_same_row(const struct option *a, const struct option *b)
{
	const char *only_a = a->only ? a->only : "", *only_b = b->only ? b->only : "";
	return a->status == b->status && a->status != OPTION_SUPPORTED &&
	       strcmp(a->text, b->text) == 0 && strcmp(only_a, only_b) == 0;
}

static void print_verdict(const struct config *c, const struct option *o)
{
	switch ((enum option_status)o->status) {
	case OPTION_SUPPORTED: print_obeyed(c, o); return;
	case OPTION_ONLY: printf("only `%s`: ", o->only); break;
	case OPTION_UNUSED:
		if (o->only)
			printf("`%s` holds, else ", o->only);
		printf("accepted without effect: ");
		break;
	case OPTION_LATER: printf("refused: "); break;
	}
	print_cell(o->text);
}

/* One for all that the same words are said of, at the first of them. */
static void print_row(const struct config *c, const struct option **rows, size_t count, size_t at)
{
	for (size_t i = 0; i < at; i++)
		if (is_of_same_row(rows[i], rows[at]))
			return;
	printf("| `%s`", rows[at]->name);
	for (size_t i = at + 1; i < count; i++)
		if (is_of_same_row(rows[i], rows[at]))
			printf(", `%s`", rows[i]->name);
	printf(" | ");
	print_verdict(c, rows[at]);
	puts(" |");
}

static int compare(const void *a, const void *b)
{
	const struct option *const *left = a, *const *right = b;
	return strcmp((*left)->name, (*right)->name);
}

int main(void)
{
	const struct option *rows[OPTION_COUNT_MAX];
	struct config c;
	struct config_report report = {0};
	size_t count = 0;
	config_init(&c);
	if (config_finish(&c, &report) != 0)
		return 1;
	for (size_t i = 0; i < option_count(); i++)
		if (!option_at(i)->is_ours)
			rows[count++] = option_at(i);
	qsort(rows, count, sizeof(rows[0]), compare);
	puts("| option | nightjar |\n| --- | --- |");
	for (size_t i = 0; i < count; i++)
		print_row(&c, rows, count, i);
	config_report_release(&report);
	config_release(&c);
	return fflush(stdout) == 0 ? 0 : 1;
}
