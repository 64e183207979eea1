/* SPDX-License-Identifier: Apache-2.0 */
/* `nightjar config check` and `nightjar config show`: a configuration looked at, without a broker. */
#include "daemon/config_main.h"

#include <stdio.h>

#include "base/mem.h"
#include "base/nearest.h"
#include "config/show.h"
#include "daemon/config_check.h"

static const char help[] =
	"usage: nightjar config check [FILE] [options of nightjar broker]\n"
	"       nightjar config show [FILE] [--effective] [--json] [options of nightjar broker]\n"
	"\n"
	"check  says what is wrong with the configuration and with the files, folders and names "
	"in\n"
	"       it, as a start would find them; it opens no port and may run beside a broker.\n"
	"       Status 0: nothing. The same as nightjar broker --test-config.\n"
	"show   prints what the configuration says, its files as one, with the place of each "
	"line.\n"
	"       --effective: every option, with its default where nothing was said. The text can "
	"be\n"
	"       read as a configuration, and means the same. --json: for programs.\n";

static void print(FILE *to, const struct buffer *text)
{
	struct span bytes = buffer_content(text);
	if (bytes.len > 0)
		fwrite(bytes.ptr, 1, bytes.len, to);
}

static int load(const struct broker_options *o, struct config *c, struct config_report *report)
{
	int rc = broker_options_load(o, c, report);
	if (report->is_out_of_memory)
		rc = ERROR_NO_MEMORY;
	return rc;
}

/* What is wrong, and the status that goes with it. */
static int tell(const struct broker_options *o, int rc, const struct config_report *report)
{
	print(stderr, &report->errors);
	if (rc == ERROR_NO_MEMORY)
		fputs("nightjar: out of memory\n", stderr);
	return rc ? broker_options_status(o) : 0;
}

int config_main_test(const struct broker_options *o)
{
	struct config config;
	struct config_report report = {0};
	if (!o->config_file) {
		fputs("nightjar: name the configuration to be looked at with -c\n", stderr);
		return broker_options_status(o);
	}
	int rc = load(o, &config, &report);
	if (rc == 0)
		rc = config_check(&config, &report);
	print(stderr, &report.notices);
	if (rc == 0)
		fputs("Configuration file is OK.\n", stderr);
	int status = tell(o, rc, &report);
	config_report_release(&report);
	config_release(&config);
	return status;
}

static int show(const struct broker_options *o, bool is_effective, bool is_json)
{
	struct config config;
	struct config_report report = {0};
	struct buffer text = {0};
	int rc = load(o, &config, &report);
	if (rc == 0)
		rc = is_json ? config_show_json(&config, is_effective, &text)
			     : config_show(&config, is_effective, &text);
	if (rc == 0)
		print(stdout, &text);
	int status = tell(o, rc, &report);
	if (status == 0 && fflush(stdout) != 0) {
		perror("nightjar: cannot write");
		status = 1;
	}
	buffer_release(&text);
	config_report_release(&report);
	config_release(&config);
	return status;
}

/* Takes the word out of the command line. */
static bool take_flag(int *argc, char **argv, const char *flag)
{
	bool is_there = false;
	int kept = 1;
	for (int i = 1; i < *argc; i++) {
		if (strcmp(argv[i], flag) == 0)
			is_there = true;
		else
			argv[kept++] = argv[i];
	}
	*argc = kept;
	return is_there;
}

/* The file without -c, as the first word; what is left is as for the broker. */
static int parse(int argc, char **argv, struct broker_options *o, const char *title)
{
	char reason[BROKER_REASON_MAX];
	const char *file = argc > 1 && argv[1][0] != '-' ? argv[1] : NULL;
	int skipped = file ? 1 : 0;
	int rc = broker_options_parse(argc - skipped, argv + skipped, o, reason);
	if (rc == 0 && file && o->config_file) {
		snprintf(reason, sizeof(reason), "a second configuration, %.200s", o->config_file);
		rc = ERROR_INVALID;
	}
	if (rc != 0)
		fprintf(stderr, "nightjar config %s: %s\n", title, reason);
	else if (file)
		o->config_file = file;
	return rc;
}

static int refuse(const char *word)
{
	struct nearest nearest = nearest_start(span_of_text(word));
	nearest_offer(&nearest, "check");
	nearest_offer(&nearest, "show");
	if (nearest.best)
		fprintf(stderr, "nightjar config: unknown command '%s', did you mean '%s'?\n", word,
			nearest.best);
	else
		fprintf(stderr,
			"nightjar config: unknown command '%s' (see nightjar config "
			"--help)\n",
			word);
	return 1;
}

int config_main(int argc, char **argv)
{
	struct broker_options options;
	const char *word = argc > 1 ? argv[1] : "";
	bool is_show = strcmp(word, "show") == 0;
	if (strcmp(word, "--help") == 0 || strcmp(word, "-h") == 0) {
		fputs(help, stdout);
		return 0;
	}
	if (argc < 2) {
		fputs(help, stderr);
		return 1;
	}
	if (!is_show && strcmp(word, "check") != 0)
		return refuse(word);
	argc--;
	argv++;
	bool is_effective = is_show && take_flag(&argc, argv, "--effective");
	bool is_json = is_show && take_flag(&argc, argv, "--json");
	if (parse(argc, argv, &options, word) != 0)
		return 1;
	if (options.wants_help) {
		fputs(help, stdout);
		return 0;
	}
	return is_show ? show(&options, is_effective, is_json) : config_main_test(&options);
}
