/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Any bytes as an ACL file, behind a line with a topic and a line with a filter: what the client may
 * read it may subscribe to, by the topic itself and by the filter when that matches; and a topic as
 * a filter is judged as the topic.
 */
#include "access/acl.h"
#include "access/text.h"
#include "fuzz.h"
#include "mqtt/topic.h"
#include "mqtt/wire.h"

static struct acl_client client_of(const struct acl *a, const char *user, const char *id)
{
	struct span name = user ? span_of_text(user) : SPAN_NONE;
	return (struct acl_client){.rules = acl_rules_of(a, user ? &name : NULL),
				   .has_user_name = user != NULL,
				   .user_name = name,
				   .client_id = span_of_text(id)};
}

static void check_client(const struct acl *a, const struct acl_client *who, struct span topic,
			 struct span filter)
{
	if (!topic_name_is_valid(topic))
		return;
	bool may_read = acl_allows(a, who, ACL_READ, topic);
	(void)acl_allows(a, who, ACL_WRITE, topic);
	CHECK(acl_allows_filter(a, who, topic) == may_read);
	if (!topic_filter_is_valid(filter))
		return;
	bool may_subscribe = acl_allows_filter(a, who, filter);
	CHECK(!may_read || may_subscribe || !topic_matches(filter, topic));
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t len)
{
	struct access_report report = {.file = "f"};
	uint8_t *copy = fuzz_copy(data, len);
	struct span rest = span_of(copy, len);
	struct span topic = text_line_take(&rest), filter = text_line_take(&rest);
	struct acl *a = acl_read(rest, 7, &report);
	CHECK((a != NULL) == (report.error_count == 0));
	if (a && utf8_is_valid(topic) && utf8_is_valid(filter)) {
		const struct acl_client clients[] = {
			client_of(a, NULL, "c"),     client_of(a, "lena", "c"),
			client_of(a, "a", "b"),      client_of(a, "+", "c"),
			client_of(a, "lena/x", "c"), client_of(a, "", "#"),
		};
		for (size_t i = 0; i < ARRAY_COUNT(clients); i++)
			check_client(a, &clients[i], topic, filter);
	}
	acl_free(a);
	access_report_release(&report);
	free(copy);
	return 0;
}
