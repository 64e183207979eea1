/* SPDX-License-Identifier: Apache-2.0 */
/* Who may come in, and what they may do. */
#include "broker/settings.h"
#include "config/option_row.h"

static const struct option rows[] = {
	{.name = "allow_anonymous",
	 BOOL,
	 SETTING(allow_anonymous),
	 .group = OPTION_GROUP_SESSIONS,
	 .default_text = "true without a listener in the file, else false",
	 .text = "May clients connect that nobody can recognise? This version has no password "
		 "files, so without this leave every client is refused as not authorized."},
	{.name = "per_listener_settings",
	 .type = OPTION_BOOL,
	 .status = OPTION_ONLY,
	 .only = "false",
	 .group = OPTION_GROUP_LISTENERS,
	 .value = "false",
	 .text = "who may do what is the same on all listeners in this version"},
	{.name = "use_username_as_clientid",
	 .type = OPTION_BOOL,
	 .status = OPTION_ONLY,
	 .only = "false",
	 .group = OPTION_GROUP_SESSIONS,
	 .value = "false",
	 .text = "sessions belong to the client id in this version"},
};

const struct option_table options_access = {rows, ARRAY_COUNT(rows)};
