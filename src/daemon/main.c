/* SPDX-License-Identifier: Apache-2.0 */
/* One program: the first word, or the name it is called by, says what it is. */
#include "admin/journal_tool.h"
#include "admin/passwd.h"
#include "base/nearest.h"
#include "cli/bench.h"
#include "cli/completion.h"
#include "cli/pub.h"
#include "cli/rr.h"
#include "cli/simulate.h"
#include "cli/sub.h"
#include "daemon/broker_main.h"
#include "daemon/config_main.h"

#include <stdio.h>

static int completion_main(int argc, char **argv);
static int help_main(int argc, char **argv);
static int version_main(int argc, char **argv);

static const struct command {
	const char *name;
	const char *title; /* argv[0] of the command */
	int (*run)(int argc, char **argv);
	const char *summary;
} commands[] = {
	{"broker", "nightjar broker", broker_main, "run the broker"},
	{"pub", "nightjar pub", pub_main, "publish messages"},
	{"sub", "nightjar sub", sub_main, "subscribe and print what arrives"},
	{"rr", "nightjar rr", rr_main, "send a request and print the response"},
	{"bench", "nightjar bench", bench_main, "put a load on a broker and measure it"},
	{"simulate", "nightjar simulate", simulate_main, "simulate devices from a script"},
	{"config", "nightjar config", config_main, "check a configuration, or show it"},
	{"passwd", "nightjar passwd", passwd_main, "set passwords in a password file"},
	{"journal", "nightjar journal", journal_main, "look at a store"},
	{"completion", "nightjar completion", completion_main,
	 "print what bash, zsh or fish completes"},
	{"help", "nightjar help", help_main, "show this"},
	{"version", "nightjar version", version_main, "show the version"},
};

/* Called by one of these names, the program behaves as that one. */
static const struct alias {
	const char *name;
	int (*run)(int argc, char **argv);
} aliases[] = {
	{"mosquitto", broker_main}, {"mosquitto_pub", pub_main},       {"mosquitto_sub", sub_main},
	{"mosquitto_rr", rr_main},  {"mosquitto_passwd", passwd_main},
};

static void write_help(FILE *to)
{
	fputs("usage: nightjar <command> [options]\n\n", to);
	for (size_t i = 0; i < ARRAY_COUNT(commands); i++)
		fprintf(to, "  %-10s %s\n", commands[i].name, commands[i].summary);
	fputs("\n\"nightjar <command> --help\" tells more about a command.\n", to);
}

static int help_main(int argc, char **argv)
{
	(void)argc;
	(void)argv;
	write_help(stdout);
	return 0;
}

static int completion_main(int argc, char **argv)
{
	struct completion_command offered[ARRAY_COUNT(commands)];
	for (size_t i = 0; i < ARRAY_COUNT(commands); i++)
		offered[i] = (struct completion_command){commands[i].name, commands[i].summary};
	if (argc == 2 && completion_print(argv[1], offered, ARRAY_COUNT(offered), stdout))
		return 0;
	fputs("usage: nightjar completion {bash | zsh | fish}\n", stderr);
	return 1;
}

static int version_main(int argc, char **argv)
{
	(void)argc;
	(void)argv;
	puts("nightjar version " NIGHTJAR_VERSION);
	return 0;
}

/* "--help" and "-h" as "help". */
static bool is_word(const char *word, const char *name)
{
	if (word[0] == '-' && word[1] == name[0] && word[2] == '\0')
		return strcmp(name, "help") == 0;
	return strcmp(word, name) == 0 ||
	       (strncmp(word, "--", 2) == 0 && strcmp(word + 2, name) == 0);
}

static int refuse(const char *word)
{
	struct nearest nearest = nearest_start(span_of_text(word));
	for (size_t i = 0; i < ARRAY_COUNT(commands); i++)
		nearest_offer(&nearest, commands[i].name);
	if (nearest.best)
		fprintf(stderr, "nightjar: unknown command '%s', did you mean '%s'?\n", word,
			nearest.best);
	else
		fprintf(stderr, "nightjar: unknown command '%s' (see nightjar help)\n", word);
	return 1;
}

static int run_command(int argc, char **argv)
{
	if (argc < 2) {
		write_help(stderr);
		return 1;
	}
	for (size_t i = 0; i < ARRAY_COUNT(commands); i++) {
		if (!is_word(argv[1], commands[i].name))
			continue;
		argv[1] = (char *)(uintptr_t)commands[i].title;
		return commands[i].run(argc - 1, argv + 1);
	}
	return refuse(argv[1]);
}

int main(int argc, char **argv)
{
	const char *slash = argc > 0 ? strrchr(argv[0], '/') : NULL;
	const char *name = slash ? slash + 1 : argc > 0 ? argv[0] : "";
	for (size_t i = 0; i < ARRAY_COUNT(aliases); i++) {
		if (strcmp(name, aliases[i].name) == 0)
			return aliases[i].run(argc, argv);
	}
	return run_command(argc, argv);
}
