/* SPDX-License-Identifier: Apache-2.0 */
/* Who may come in, and what they may do. */
#include "config/config.h"
#include "config/option_row.h"

static const struct option rows[] = {
	{.name = "allow_anonymous",
	 BOOL,
	 ACCESS(allow_anonymous),
	 .group = OPTION_GROUP_ACCESS,
	 .change = OPTION_CHANGES_AT_ONCE,
	 .default_text = "true without a listener in the file, else false",
	 .text = "May clients connect without a user name? Where nothing could verify one (a "
		 "password file, tokens), also those that give one."},
	{.name = "password_file",
	 .type = OPTION_TEXT,
	 ACCESS(password_file),
	 .group = OPTION_GROUP_ACCESS,
	 .change = OPTION_CHANGES_AT_ONCE,
	 .value = "path",
	 .default_text = "no user is known",
	 .text = "Who may connect with a user name, and the password of each, as nightjar passwd "
		 "and mosquitto_passwd write it. Read anew when the file changes and on SIGHUP: "
		 "users that are gone, or have another password, are disconnected."},
	{.name = "acl_file",
	 .type = OPTION_TEXT,
	 ACCESS(acl_file),
	 .group = OPTION_GROUP_ACCESS,
	 .change = OPTION_CHANGES_AT_ONCE,
	 .value = "path",
	 .default_text = "every client may read and write every topic",
	 .text = "Who may read and write which topics. What no line allows is denied. Read anew "
		 "when the file changes and on SIGHUP: what it says holds from then on for "
		 "subscriptions that exist and for messages that wait, too. See ACCESS FILES."},
	{.name = "check_retain_source",
	 BOOL,
	 SETTING(check_retain_source),
	 .group = OPTION_GROUP_ACCESS,
	 .change = OPTION_CHANGES_AT_ONCE,
	 .text = "Is a retained message given to a new subscriber only if the client that has "
		 "published it may still publish it, by the rules of acl_file that hold then? "
		 "For what was published without such rules, or with false here, nobody knows "
		 "who it was, and only the reader's rights decide."},
	{.name = "clientid_prefixes",
	 .type = OPTION_TEXT,
	 ACCESS(client_id_prefix),
	 .group = OPTION_GROUP_ACCESS,
	 .change = OPTION_CHANGES_AT_ONCE,
	 .value = "prefix",
	 .default_text = "any client id",
	 .text = "Only clients whose client id begins so may connect, by any listener."},
	{.name = "auto_id_prefix",
	 .type = OPTION_TEXT,
	 ACCESS(auto_id_prefix),
	 .group = OPTION_GROUP_ACCESS,
	 .change = OPTION_CHANGES_AT_ONCE,
	 .value = "prefix",
	 .default_text = "auto-",
	 .text = "What the client id begins with that a client is given when it has none of its "
		 "own."},
	{.name = "per_listener_settings",
	 BOOL,
	 CONFIG(has_access_per_listener),
	 .group = OPTION_GROUP_ACCESS,
	 .change = OPTION_CHANGES_AT_ONCE,
	 .text = "Do allow_anonymous, password_file, acl_file, psk_file, auto_id_prefix, "
		 "auth_chain and what begins with jwt_ or auth_http_ stand below each listener "
		 "line and hold for that one alone? This line must stand above them. Else they "
		 "hold for all listeners, wherever they stand."},
	{.name = "listener_allow_anonymous",
	 BOOL,
	 LISTENER(allow_anonymous_here),
	 .group = OPTION_GROUP_ACCESS,
	 .change = OPTION_CHANGES_FOR_NEW,
	 .default_text = "as allow_anonymous",
	 .text = "The same as allow_anonymous for clients of the listener above alone; it wins "
		 "over that."},
	{.name = "use_username_as_clientid",
	 BOOL,
	 LISTENER(is_named_by_user),
	 .group = OPTION_GROUP_ACCESS,
	 .change = OPTION_CHANGES_FOR_NEW,
	 .text = "Is the user name taken as the client id, whatever the client says, by clients of "
		 "the listener above? So that one user cannot take over the session of another. "
		 "Without a user name nobody may connect there."},
};

const struct option_table options_access = {rows, ARRAY_COUNT(rows)};
