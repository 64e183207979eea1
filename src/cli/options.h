/* SPDX-License-Identifier: Apache-2.0 */
/* The command line of pub, sub and rr: one table of options drives parsing and help. */
#ifndef NIGHTJAR_CLI_OPTIONS_H
#define NIGHTJAR_CLI_OPTIONS_H

#include "base/buffer.h"
#include "cli/property_option.h"
#include "cli/tls_option.h"

enum tool {
	TOOL_PUB = 1,
	TOOL_SUB = 2,
	TOOL_RR = 4,
};

/* Where pub takes its message from. */
enum source {
	SOURCE_NONE,
	SOURCE_MESSAGE, /* -m */
	SOURCE_NULL,    /* -n */
	SOURCE_FILE,    /* -f */
	SOURCE_STDIN,   /* -s: all of it */
	SOURCE_LINES,   /* -l: one message a line */
	SOURCE_JSON,    /* --json-lines: the same, with topic, QoS and so on */
};

/* Texts that an option collects. */
struct text_list {
	const char **items;
	size_t count;
};

/* Texts are borrowed from the arguments, but for `owned`. */
struct options {
	enum tool tool;
	const char *program;

	const char *host;
	const char *bind_address;
	const char *unix_path;
	uint16_t port; /* 0: not given */
	struct text_list fallbacks;
	bool has_no_delay;
	bool has_websocket;
	struct tls_options tls;

	uint8_t version; /* enum nj_version */
	const char *client_id;
	const char *id_prefix;
	const char *user_name;
	const char *password;
	uint16_t keep_alive;
	bool has_scram;
	bool keeps_session; /* -c */
	bool has_session_expiry;
	uint32_t session_expiry;
	uint16_t inflight_max; /* 0: the library's own choice */

	const char *will_topic;
	const char *will_payload;
	uint8_t will_qos;
	bool will_retain;

	bool is_debug;
	bool is_quiet;
	uint8_t qos;
	struct text_list topics; /* pub: the last one counts */

	/* pub and rr */
	enum source source;
	bool has_source_by_file; /* so that the command line may name another */
	const char *message;     /* or the file's name */
	bool retain;
	uint32_t repeat_count;
	uint32_t repeat_delay_ms;
	double rate; /* messages a second, 0: as fast as they go */
	const char *outbox;

	/* rr */
	const char *response_topic;
	uint32_t request_count;
	uint32_t interval_ms;
	bool shows_latency;

	/* sub, and rr in part */
	struct text_list filtered_out;
	struct text_list unsubscribed;
	bool is_verbose;
	bool has_no_newline;
	bool skips_retained;
	bool wants_retained_only;
	bool removes_retained;
	bool retains_as_published;
	bool exits_after_suback;
	uint32_t message_count; /* 0: no end */
	uint32_t timeout_s;     /* 0: none */
	const char *format;
	bool is_pretty;
	bool is_watching;
	bool asserts_sequence;
	uint32_t until_count;    /* 0: no end */
	const char *ack_command; /* NULL: acknowledged when printed */
	uint8_t retain_handling;
	uint16_t random_filter; /* thousandths of the messages that are printed; 0: all */

	struct property_options properties;
	const char *file; /* -o: default options */
	struct buffer file_text;
	char *owned[4]; /* made here: what -L and the generated client id consist of */
	size_t owned_count;
};

enum options_result {
	OPTIONS_OK,
	OPTIONS_BAD,  /* said so on stderr */
	OPTIONS_DONE, /* --help or --version was printed */
};

/* Release in every case. */
enum options_result options_parse(struct options *o, enum tool tool, int argc,
				  char **argv) MUST_USE;
void options_release(struct options *o);

/* "Use 'nightjar pub --help' to see usage." */
void options_point_to_help(const struct options *o);

/* Prints the help text to stdout. */
void options_print_help(const struct options *o);

#endif
