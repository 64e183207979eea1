/* SPDX-License-Identifier: Apache-2.0 */
/* Where and how state outlives the process. */
#include "config/config.h"
#include "config/option_row.h"

static const char *const storage_profiles[] = {
	[STORAGE_AUTO] = "auto",
	[STORAGE_SERVER] = "server",
	[STORAGE_FLASH] = "flash",
	NULL,
};
static const char *const damage_policies[] = {"report", "refuse", NULL};
static const char *const failure_policies[] = {"exit", "stay", NULL};

#define STORE(member) CONFIG(store.member)

static const struct option rows[] = {
	{.name = "persistence",
	 BOOL,
	 STORE(is_wanted),
	 .group = OPTION_GROUP_STORE,
	 .change = OPTION_CHANGES_AT_RESTART,
	 .text = "Do sessions, their subscriptions and messages, and retained messages outlive the "
		 "broker, a crash and a power cut? When not, everything is in memory only and no "
		 "disk "
		 "is touched. mosquitto's default is false."},
	{.name = "retained_persistence",
	 BOOL,
	 STORE(is_wanted),
	 .group = OPTION_GROUP_STORE,
	 .change = OPTION_CHANGES_AT_RESTART,
	 .text = "Another name of persistence."},
	{.name = "persistence_location",
	 .type = OPTION_TEXT,
	 STORE(path),
	 .group = OPTION_GROUP_STORE,
	 .change = OPTION_CHANGES_AT_RESTART,
	 .value = "directory",
	 .default_text = "$STATE_DIRECTORY of a service; /var/lib/nightjar as root; else "
			 "$XDG_STATE_HOME/nightjar or ~/.local/state/nightjar",
	 .text = "The directory of the store. It is created when it is not there, belongs to the "
		 "user that the broker runs as, and serves one broker at a time."},
	{.name = "durability",
	 .type = OPTION_SPECIAL,
	 .group = OPTION_GROUP_STORE,
	 .change = OPTION_CHANGES_AT_RESTART,
	 .value = "always|interval milliseconds|off",
	 .default_text = "always",
	 .text = "What an acknowledgement means. always: what it confirms would survive a power "
		 "cut "
		 "at that instant. interval: it survives a crash of the broker at that instant, "
		 "and a "
		 "power cut so many milliseconds (1 to 60000) later. off: nothing is stored, like "
		 "persistence false. Below a listener line it is about those who publish there: "
		 "off "
		 "answers them at once, before their messages are on disk, always waits for the "
		 "disk "
		 "even when the broker's own is interval. A version 5 publisher says the same for "
		 "one "
		 "message by the user property nightjar-durability."},
	{.name = "storage_profile",
	 .type = OPTION_CHOICE,
	 STORE(profile),
	 .group = OPTION_GROUP_STORE,
	 .change = OPTION_CHANGES_AT_RESTART,
	 .choices = storage_profiles,
	 .value = "auto|server|flash",
	 .text = "What the store is tuned to. server: every commit at once. flash: smaller files, "
		 "and commits that wait a little for company, because an SD card wears out by "
		 "writing. auto: flash when the directory is on an SD card or eMMC."},
	{.name = "storage_limit",
	 NUMBER(0, BYTES_MAX),
	 STORE(bytes_max),
	 .group = OPTION_GROUP_STORE,
	 .change = OPTION_CHANGES_AT_RESTART,
	 .is_ours = true,
	 .value = "bytes",
	 .text = "How large the store may become, all files together. When it is nearly full, new "
		 "QoS 1 and 2 messages are refused to version 5 clients and held back from others "
		 "until there is room. 0: as large as the disk."},
	{.name = "storage_daily_write_budget",
	 NUMBER(0, BYTES_MAX),
	 STORE(budget_bytes_per_day),
	 .group = OPTION_GROUP_STORE,
	 .change = OPTION_CHANGES_AT_RESTART,
	 .is_ours = true,
	 .value = "bytes",
	 .default_text = "that of the storage profile",
	 .text = "How many bytes a day the store may write to the device. When it is used up, "
		 "commits wait longer for company; nothing else about them changes. 0: any."},
	{.name = "storage_segment_size",
	 NUMBER(65536, 1073741824),
	 STORE(segment_bytes),
	 .group = OPTION_GROUP_STORE,
	 .change = OPTION_CHANGES_AT_RESTART,
	 .is_ours = true,
	 .value = "bytes",
	 .default_text = "that of the storage profile",
	 .text = "The size of the store's files, a multiple of 4096. It is fixed when the store is "
		 "created."},
	{.name = "on_damage",
	 .type = OPTION_CHOICE,
	 STORE(refuse_damage),
	 .group = OPTION_GROUP_STORE,
	 .change = OPTION_CHANGES_AT_RESTART,
	 .is_ours = true,
	 .choices = damage_policies,
	 .value = "report|refuse",
	 .text = "What happens at a start that finds stored bytes changed. report: the damaged "
		 "records are set aside, the log says what was lost, the rest is served. refuse: "
		 "the "
		 "broker does not start."},
	{.name = "on_failure",
	 .type = OPTION_CHOICE,
	 STORE(stay_on_failure),
	 .group = OPTION_GROUP_STORE,
	 .change = OPTION_CHANGES_AT_RESTART,
	 .is_ours = true,
	 .choices = failure_policies,
	 .value = "exit|stay",
	 .text = "What happens when the disk can no longer be written. exit: the broker ends with "
		 "status 74, so that a supervisor starts it anew. stay: it goes on with QoS 0, and "
		 "refuses what it could not keep."},
};

const struct option_table options_store = {rows, ARRAY_COUNT(rows)};
