/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Who may read and write which topics: an ACL file in mosquitto's grammar, compiled into trees of
 * topic levels. It never changes; a new file makes a new one.
 *
 *     topic [read|write|readwrite|deny] FILTER      of the user above; before any: of anonymous clients
 *     user NAME
 *     pattern [read|write|readwrite|deny] FILTER    of everybody; %c and %u are client id and user name
 *     role NAME                                     what follows is the role's
 *     member NAME                                   the user above has that role
 *
 * The last two are ours. What a user's own lines and roles say comes first, a deny among them
 * before all else; where they say nothing, the patterns do, a deny first again; where these say
 * nothing, it is not allowed. A filter that does not begin with `$` says nothing about topics that
 * do. [mosquitto.conf(5), acl_file]
 *
 * A check looks up a topic level by level: its cost follows from the levels and from how many
 * filters with wildcards meet on the way, not from how many lines there are.
 */
#ifndef NIGHTJAR_ACCESS_ACL_H
#define NIGHTJAR_ACCESS_ACL_H

#include "access/report.h"

/* Some two million lines. */
#define ACL_FILE_BYTES_MAX ((size_t)64 << 20)
/* Of a filter in the file; nobody's topics are deeper. */
#define ACL_LEVELS_MAX 128
/* Of one user. */
#define ACL_ROLES_MAX 64

enum acl_right {
	ACL_READ = 0x01,  /* to be sent a message of that topic */
	ACL_WRITE = 0x02, /* to publish to it */
};

struct acl;

/* Who asks. `rules` is what acl_rules_of says for the user name. */
struct acl_client {
	uint32_t rules;
	bool has_user_name;
	struct span user_name;
	struct span client_id;
};

/* NULL when the file is of no use, or without memory; the report says which. */
struct acl *acl_read(struct span text, uint64_t seed, struct access_report *report);
void acl_free(struct acl *a);

/* Where the lines of that user are; for NULL those of anonymous clients. */
uint32_t acl_rules_of(const struct acl *a, const struct span *user_name);

/* May it read, or write, that topic name? */
bool acl_allows(const struct acl *a, const struct acl_client *who, enum acl_right right,
		struct span topic);
/* Is there a topic that the filter (without `$share/name/`) matches and that it may read? May say
 * yes where there is none: what is delivered is judged by acl_allows. Never says no where there is
 * one. */
bool acl_allows_filter(const struct acl *a, const struct acl_client *who, struct span filter);

/* For figures. */
size_t acl_bytes(const struct acl *a);

#endif
