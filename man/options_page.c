/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Prints nightjar.conf(5) from the table of options that the program itself reads, so that the
 * page cannot differ from the program. Runs during the build.
 */
#include "config/config.h"

#include <inttypes.h>
#include <stdio.h>

/* Text for roff: no line may begin with a control character, and a dash is a minus. */
static void print_text(const char *text)
{
	if (*text == '.' || *text == '\'')
		fputs("\\&", stdout);
	for (; *text; text++) {
		if (*text == '\\')
			fputs("\\e", stdout);
		else if (*text == '-')
			fputs("\\-", stdout);
		else
			putchar(*text);
	}
}

/* The member's value as config_init leaves it. */
static int64_t member_of(const struct config *c, const struct option *option)
{
	const char *base = (const char *)c;
	if (option->target == OPTION_TO_SETTINGS)
		base = (const char *)&c->settings;
	else if (option->target == OPTION_TO_LISTENER)
		base = (const char *)&c->default_listener;
	else if (option->target == OPTION_TO_ACCESS)
		base = (const char *)&c->access;
	const char *member = base + option->offset;
	switch (option->size) {
	case 1: return *(const uint8_t *)member;
	case 2: return *(const uint16_t *)(const void *)member;
	case 4: return *(const uint32_t *)(const void *)member;
	default: return *(const int64_t *)(const void *)member;
	}
}

static void print_number_default(const struct option *option, int64_t value)
{
	int64_t in_file = value / (option->scale ? option->scale : 1);
	if (option->zero_means != 0 && value == option->zero_means)
		in_file = 0;
	if (in_file >= option->min && in_file <= option->max)
		printf("Default: %" PRId64 ".\n", in_file);
}

static void print_default(const struct config *c, const struct option *option)
{
	if (option->default_text) {
		fputs("Default: ", stdout);
		print_text(option->default_text);
		puts(".");
	}
	if (option->default_text || option->target == OPTION_TO_NOTHING)
		return;
	int64_t value = member_of(c, option);
	if (option->type == OPTION_BOOL)
		printf("Default: %s.\n", value ? "true" : "false");
	else if (option->type == OPTION_NUMBER)
		print_number_default(option, value);
	else if (option->type == OPTION_CHOICE)
		printf("Default: %s.\n", option->choices[value]);
}

static void print_range(const struct option *option)
{
	if (option->type == OPTION_NUMBER && option->max == INT64_MAX)
		printf("At least %" PRId64 ".\n", option->min);
	else if (option->type == OPTION_NUMBER)
		printf("From %" PRId64 " to %" PRId64 ".\n", option->min, option->max);
	if (option->type != OPTION_CHOICE)
		return;
	printf("One of");
	for (const char *const *word = option->choices; *word; word++)
		printf("%s %s", word == option->choices ? "" : ",", *word);
	printf(".\n");
}

static void print_name(const char *name, const char *value)
{
	printf(".B ");
	print_text(name);
	if (value) {
		printf(" \\fI");
		print_text(value);
		printf("\\fR");
	}
	putchar('\n');
}

static void print_change(const struct option *option)
{
	switch ((enum option_change)option->change) {
	case OPTION_CHANGES_AT_ONCE: puts("Reloaded: at once."); break;
	case OPTION_CHANGES_FOR_NEW: puts("Reloaded: for new connections."); break;
	case OPTION_CHANGES_AT_RESTART: puts("Not reloaded: a change takes a restart."); break;
	case OPTION_CHANGES_NEVER:
	case OPTION_CHANGE_UNSAID: break;
	}
}

static void print_supported(const struct config *c, const struct option *option)
{
	puts(".TP");
	print_name(option->name, option->value);
	print_text(option->text);
	putchar('\n');
	print_range(option);
	print_default(c, option);
	print_change(option);
	if (option->is_ours)
		puts("Not an option of mosquitto.");
}

/* Options that share their words share a paragraph: those of the one before are still to come. */
static void print_bound(const struct option *option, const char *value, const char *words_before)
{
	bool is_same = words_before && strcmp(words_before, option->text) == 0;
	if (words_before && !is_same)
		printf("%s.\n", words_before);
	puts(is_same ? ".TQ" : ".TP");
	print_name(option->name, value);
}

static void print_obeyed(const struct config *c)
{
	unsigned group = OPTION_GROUP_COUNT;
	for (size_t i = 0; i < option_count(); i++) {
		const struct option *option = option_at(i);
		if (option->status != OPTION_SUPPORTED)
			continue;
		if (option->group != group)
			printf(".SS %s\n", option_group_name(option->group));
		group = option->group;
		print_supported(c, option);
	}
}

static void print_others(unsigned status)
{
	const char *words = NULL;
	for (size_t i = 0; i < option_count(); i++) {
		const struct option *option = option_at(i);
		if (option->status != status)
			continue;
		print_bound(option, status == OPTION_UNUSED ? option->value : option->only, words);
		words = option->text;
	}
	if (words)
		printf("%s.\n", words);
}

static const char head[] =
	".TH NIGHTJAR.CONF 5 \"\" \"nightjar\" \"nightjar\"\n"
	".SH NAME\nnightjar.conf \\- configuration of the nightjar broker\n"
	".SH SYNOPSIS\n.B nightjar broker \\-c\n.I file\n"
	".SH DESCRIPTION\n"
	"One option a line: its name, spaces, its value. A line that begins with # is a comment.\n"
	"Grammar and names are those of\n.BR mosquitto.conf (5).\n"
	"An option that is unknown, or that this version cannot obey, is an error that names file\n"
	"and line, and the broker does not start.\n"
	".PP\n"
	"Without any listener only this machine can connect, to port 1883, and anybody may.\n"
	"With one, allow_anonymous says who may.\n"
	".SH OPTIONS\n";

static const char one_value_head[] = ".SH OPTIONS WITH ONE VALUE\n"
				     "mosquitto has more; here any other value is an error.\n";

static const char unused_head[] =
	".SH OPTIONS OF MOSQUITTO WITHOUT EFFECT\n"
	"These are accepted, with a line in the log that has the words below.\n";

static const char refused_head[] = ".SH OPTIONS OF MOSQUITTO THAT ARE REFUSED\n"
				   "These are known, and an error, with the words below. Of a "
				   "bridge or a plugin the first line is told.\n";

static const char access_files[] =
	".SH ACCESS FILES\n"
	"The file of acl_file has one rule a line; # begins a comment.\n"
	".TP\n.B topic \\fR[\\fBread\\fR|\\fBwrite\\fR|\\fBreadwrite\\fR|\\fBdeny\\fR] "
	"\\fIfilter\n"
	"The user whose line stands above may do that with the topics that the filter matches;\n"
	"above the first user line: clients without a user name. Without a word it is readwrite.\n"
	".TP\n.B user \\fIname\n"
	"The topic lines that follow are for this user.\n"
	".TP\n.B pattern \\fR[\\fIword\\fR] \\fIfilter\n"
	"The same for every client, wherever it stands; %c is its client id, %u its user name.\n"
	"Whose name holds + or # gets nothing by patterns, nor whose name holds / where they use "
	"it.\n"
	".TP\n.B role \\fIname\n"
	"The topic lines that follow are the role's. Not of mosquitto.\n"
	".TP\n.B member \\fIrole\n"
	"The user above has that role, too. Not of mosquitto.\n"
	".PP\n"
	"A deny of a user's own lines and roles comes first, then what they allow, then the "
	"patterns\n"
	"in the same order; what none of them allows is denied.\n"
	"A filter that does not begin with $ says nothing about topics that do.\n"
	".PP\n.EX\n"
	"user lena\ntopic read home/#\ntopic deny home/cellar/#\nmember sensors\n"
	"role sensors\ntopic write sensors/#\npattern readwrite devices/%c/#\n"
	".EE\n"
	".PP\n"
	"The file of password_file is written by\n.BR nightjar\\-passwd (1).\n";

static const char reloading[] =
	".SH RELOADING\n"
	"SIGHUP reads the configuration and all files that it names anew. So does a change of its\n"
	"file, of a file that it includes, and of an include_dir, unless reload_on_change is\n"
	"false: within a second or two, once nothing has changed for half a second. Files that "
	"are\n"
	"replaced, and links that lead elsewhere, are noticed as well.\n"
	".PP\n"
	"A configuration with any mistake is refused whole, with a line of the log for each, and\n"
	"what held before goes on to hold. Otherwise each option that differs has a line of the\n"
	"log, with both values. Each option says above when another value holds: at once, for\n"
	"connections that are made from then on, or after a restart, which the log says as well.\n"
	".PP\n"
	"Who is connected stays connected, but those who may not be in any more; and what a "
	"client\n"
	"was told when it connected (how large its packets may be, how many it may have open,\n"
	"topic aliases, the highest QoS, retained messages, keep alive) holds for it until it\n"
	"leaves.\n"
	".PP\n"
	"Listeners are opened and closed. Clients of one that is closed stay until they leave, "
	"and\n"
	"go on to be judged by the files that it named last. One that cannot be opened has a line\n"
	"of the log; the others are opened, and until all could be none is closed. A broker that\n"
	"was started by root and has given its rights up can open no port below 1024, unless it\n"
	"has CAP_NET_BIND_SERVICE: such a listener takes a restart.\n"
	"A listener whose certificates cannot be read, or whose other options cannot be obeyed,\n"
	"stays as it was.\n";

static const char tail[] = ".SH SEE ALSO\n.BR nightjar (1),\n.BR nightjar\\-passwd (1)\n";

int main(void)
{
	struct config c;
	config_init(&c);
	fputs(head, stdout);
	print_obeyed(&c);
	fputs(one_value_head, stdout);
	print_others(OPTION_ONLY);
	fputs(unused_head, stdout);
	print_others(OPTION_UNUSED);
	fputs(refused_head, stdout);
	print_others(OPTION_LATER);
	fputs(access_files, stdout);
	fputs(reloading, stdout);
	fputs(tail, stdout);
	config_release(&c);
	return fflush(stdout) == 0 ? 0 : 1;
}
