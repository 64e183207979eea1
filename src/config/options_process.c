/* SPDX-License-Identifier: Apache-2.0 */
/* The log and the process. */
#include "broker/broker.h"
#include "config/config.h"
#include "config/option_row.h"

static const char *const log_formats[] = {"text", "json", NULL};
static const char *const seccomp_words[] = {"false", "true", "log", NULL};

static const struct option rows[] = {
	/* Log */
	{.name = "log_dest",
	 .type = OPTION_SPECIAL,
	 .group = OPTION_GROUP_LOG,
	 .change = OPTION_CHANGES_AT_ONCE,
	 .value = "stderr|stdout|syslog|journald|topic|file path|none",
	 .default_text = "stderr",
	 .text = "Where log lines go. Several lines name several places; none stands alone. A file "
		 "is appended to. topic: lines are published below $SYS/broker/log/, for E, W, N, "
		 "I, "
		 "M/subscribe and M/unsubscribe, but for those of type debug. Standard error that "
		 "systemd leads to the journal is written in the journal's own protocol."},
	{.name = "log_format",
	 .type = OPTION_CHOICE,
	 .choices = log_formats,
	 CONFIG(log_format),
	 .is_ours = true,
	 .group = OPTION_GROUP_LOG,
	 .change = OPTION_CHANGES_AT_ONCE,
	 .value = "text|json",
	 .text = "Is each line a text, or a JSON object with time, level and message, and for a "
		 "client's lines event, client, address and reason? The journal has fields of its "
		 "own."},
	{.name = "log_rate_limit",
	 NUMBER(0, UINT32_MAX),
	 CONFIG(log_rate_max),
	 .is_ours = true,
	 .group = OPTION_GROUP_LOG,
	 .change = OPTION_CHANGES_AT_ONCE,
	 .value = "count",
	 .text = "Of lines of one kind so many are written in 10 seconds; the others are counted, "
		 "and one line tells how many they were. Not for the types debug, subscribe and "
		 "unsubscribe. 0: no limit."},
	{.name = "log_type",
	 .type = OPTION_SPECIAL,
	 .group = OPTION_GROUP_LOG,
	 .change = OPTION_CHANGES_AT_ONCE,
	 .value = "error|warning|notice|information|debug|subscribe|unsubscribe|all|none",
	 .default_text = "error, warning, notice and information",
	 .text = "Which lines are written. Several lines name several types; none stands alone. "
		 "Packets are of type debug. The option -v of the command line means all."},
	{.name = "log_timestamp",
	 BOOL,
	 CONFIG(log_timestamp),
	 .group = OPTION_GROUP_LOG,
	 .change = OPTION_CHANGES_AT_ONCE,
	 .text = "Does each log line begin with the time?"},
	{.name = "log_timestamp_format",
	 .type = OPTION_TEXT,
	 CONFIG(log_timestamp_format),
	 .group = OPTION_GROUP_LOG,
	 .change = OPTION_CHANGES_AT_ONCE,
	 .value = "format",
	 .default_text = "seconds since 1970",
	 .text = "The form of that time, as strftime(3) knows it, for example %Y-%m-%dT%H:%M:%S."},
	{.name = "log_facility",
	 NUMBER(0, 7),
	 CONFIG(log_facility),
	 .group = OPTION_GROUP_LOG,
	 .change = OPTION_CHANGES_AT_ONCE,
	 .value = "number",
	 .default_text = "daemon",
	 .text = "For log_dest syslog: write to facility local0 to local7."},
	{.name = "connection_messages",
	 BOOL,
	 CONFIG(connection_messages),
	 .group = OPTION_GROUP_LOG,
	 .change = OPTION_CHANGES_AT_ONCE,
	 .text = "Is there a log line for each client that connects or disconnects?"},

	/* Process */
	{.name = "include_dir",
	 .type = OPTION_SPECIAL,
	 .group = OPTION_GROUP_PROCESS,
	 .change = OPTION_CHANGES_AT_ONCE,
	 .value = "directory",
	 .default_text = "one file is read",
	 .text = "Read the files of this directory whose names end in .conf, by the alphabet, as "
		 "if "
		 "they stood here. Only the main file may have this line, and may have several. "
		 "Each file begins anew: options of a listener stand below a listener line of the "
		 "same file. What a later file says of the whole broker takes the place of what "
		 "an earlier one said, with a notice; within a file it is an error."},
	{.name = "reload_on_change",
	 BOOL,
	 CONFIG(reloads_on_change),
	 .is_ours = true,
	 .group = OPTION_GROUP_PROCESS,
	 .change = OPTION_CHANGES_AT_ONCE,
	 .text = "Is the configuration read anew, as on SIGHUP, when its file changes, or one that "
		 "it includes? Else only on SIGHUP, as with mosquitto. See RELOADING."},
	{.name = "shards",
	 NUMBER(0, SHARDS_MAX),
	 CONFIG(shards),
	 .is_ours = true,
	 .group = OPTION_GROUP_PROCESS,
	 .change = OPTION_CHANGES_AT_RESTART,
	 .value = "count",
	 .text = "Among how many threads connections and sessions are divided. 0: one per "
		 "processor."},
	{.name = "enable_control_api",
	 .type = OPTION_BOOL,
	 .status = OPTION_ONLY,
	 .only = "false",
	 .group = OPTION_GROUP_PROCESS,
	 .value = "false",
	 .text = "this version takes no orders by topics that begin with $CONTROL"},
	{.name = "user",
	 .type = OPTION_TEXT,
	 CONFIG(user),
	 .group = OPTION_GROUP_PROCESS,
	 .change = OPTION_CHANGES_AT_RESTART,
	 .value = "name",
	 .default_text = "mosquitto, or nobody when there is none",
	 .text = "When started as root: become this user once the listeners are open. Without "
		 "effect for any other user."},
	{.name = "seccomp",
	 .type = OPTION_CHOICE,
	 .choices = seccomp_words,
	 CONFIG(seccomp),
	 .is_ours = true,
	 .change = OPTION_CHANGES_AT_RESTART,
	 .group = OPTION_GROUP_PROCESS,
	 .value = "true|false|log",
	 .text = "Once it runs, may the broker ask no more of the system than a broker needs? What "
		 "is refused fails as if the system had no such call, and is told in the log. log: "
		 "nothing is refused, the kernel logs what would be. docs/SERVICE.md lists what is "
		 "allowed."},
	{.name = "core_dump",
	 BOOL,
	 CONFIG(core_dump),
	 .is_ours = true,
	 .change = OPTION_CHANGES_AT_RESTART,
	 .group = OPTION_GROUP_PROCESS,
	 .text = "May a crash leave a file of the process's memory behind, with the keys and "
		 "passwords that are in it?"},
	{.name = "pid_file",
	 .type = OPTION_TEXT,
	 CONFIG(pid_file),
	 .group = OPTION_GROUP_PROCESS,
	 .change = OPTION_CHANGES_AT_RESTART,
	 .value = "path",
	 .default_text = "none is written",
	 .text = "Write the number of the process to this file."},
};

const struct option_table options_process = {rows, ARRAY_COUNT(rows)};
