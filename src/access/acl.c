/* SPDX-License-Identifier: Apache-2.0 */
/* An ACL file, line by line, and the order in which its trees are asked. */
#include "access/acl.h"

#include "access/acl_tree.h"
#include "access/text.h"
#include "base/mem.h"
#include "mqtt/topic.h"
#include "mqtt/wire.h"

#define TEXT_BYTES_MAX 65535

/* A user has a role. Chained from the `next` of the root of the user's tree, which has no siblings. */
struct membership {
	uint32_t role; /* root of its tree; a label until all roles are known */
	uint32_t next; /* index, or NODE_NONE */
	unsigned line;
};

struct acl {
	struct acl_tree tree;
	uint32_t anonymous; /* roots */
	uint32_t patterns;
	bool has_patterns;
	struct membership *memberships;
	uint32_t membership_count, membership_capacity;
};

struct acl_reading {
	struct acl *acl;
	struct access_report *report;
	unsigned line;
	uint32_t root;     /* whose lines these are */
	bool is_role;      /* it is a role's */
	bool is_forgotten; /* the section's head was of no use: its lines are checked only */
};

static void refuse(struct acl_reading *r, const char *what, struct span text)
{
	char shown[ACCESS_SHOWN_MAX];
	access_refuse(r->report, r->line, "'%s' %s", access_show(text, shown), what);
}

static void fail(struct acl_reading *r, int error)
{
	if (error == ERROR_NO_MEMORY)
		r->report->is_out_of_memory = true;
	else if (error)
		access_refuse(r->report, r->line, "the file says more than can be kept");
}

static const struct {
	const char *word;
	uint8_t rights;
} rights_words[] = {
	{"read", ACL_READ},
	{"write", ACL_WRITE},
	{"readwrite", ACL_READ | ACL_WRITE},
	{"deny", ACL_DENY},
};

/* "read a/b", "a/b"; one word is a topic, also when it is called like a right. False when that was
 * refused. */
static bool read_rights(struct acl_reading *r, struct span *rest, uint8_t *rights_out)
{
	struct span after = *rest, word = text_word_take(&after);
	*rights_out = ACL_READ | ACL_WRITE;
	if (after.len == 0)
		return true;
	for (size_t i = 0; i < ARRAY_COUNT(rights_words); i++) {
		if (!span_is_equal(word, span_of_text(rights_words[i].word)))
			continue;
		*rights_out = rights_words[i].rights;
		*rest = after;
		return true;
	}
	refuse(r,
	       "is none of read, write, readwrite and deny, one of which must stand before a topic "
	       "with a space in it",
	       word);
	return false;
}

static bool check_filter(struct acl_reading *r, struct span filter)
{
	if (filter.len == 0)
		access_refuse(r->report, r->line, "the topic is missing");
	else if (filter.len > TEXT_BYTES_MAX || !topic_filter_is_valid(filter))
		refuse(r, "is no topic filter: + and # stand alone in a level, # in the last",
		       filter);
	else if (topic_level_count(filter) > ACL_LEVELS_MAX)
		refuse(r, "has more than 128 levels", filter);
	else
		return true;
	return false;
}

static void read_topic(struct acl_reading *r, struct span rest, bool is_pattern)
{
	uint8_t rights;
	struct acl *a = r->acl;
	if (!read_rights(r, &rest, &rights) || !check_filter(r, rest))
		return;
	a->has_patterns |= is_pattern;
	if (is_pattern || !r->is_forgotten)
		fail(r, acl_tree_add(&a->tree, is_pattern ? a->patterns : r->root, rest, rights,
				     is_pattern));
}

/* "user lena", "role reader": the lines that follow are theirs. */
static void read_head(struct acl_reading *r, struct span name, bool is_role)
{
	r->is_forgotten = true;
	r->is_role = is_role;
	if (name.len == 0)
		access_refuse(r->report, r->line, "the name is missing");
	else if (name.len > TEXT_BYTES_MAX)
		access_refuse(r->report, r->line, "the name is too long");
	else
		fail(r, acl_tree_named_root(&r->acl->tree, is_role ? PARENT_ROLES : PARENT_USERS,
					    name, &r->root));
	r->is_forgotten = name.len == 0 || name.len > TEXT_BYTES_MAX || r->report->is_out_of_memory;
}

static int memberships_reserve(struct acl *a)
{
	if (a->membership_count < a->membership_capacity)
		return 0;
	uint32_t capacity = a->membership_capacity ? a->membership_capacity * 2 : 16;
	void *larger = mem_realloc(a->memberships, capacity * sizeof(a->memberships[0]));
	if (!larger)
		return ERROR_NO_MEMORY;
	a->memberships = larger;
	a->membership_capacity = capacity;
	return 0;
}

static unsigned membership_count_of(const struct acl *a, uint32_t root)
{
	unsigned count = 0;
	for (uint32_t i = a->tree.nodes[root].next; i != NODE_NONE; i = a->memberships[i].next)
		count++;
	return count;
}

static void read_member(struct acl_reading *r, struct span role)
{
	struct acl *a = r->acl;
	uint32_t label;
	if (role.len == 0 || role.len > TEXT_BYTES_MAX) {
		access_refuse(r->report, r->line, "the name of the role is missing or too long");
	} else if (r->is_role) {
		refuse(r, "cannot be the role of a role: only users have roles", role);
	} else if (!r->is_forgotten && membership_count_of(a, r->root) >= ACL_ROLES_MAX) {
		refuse(r, "is one role too many: a user has at most 64", role);
	} else if (!r->is_forgotten) {
		int error = memberships_reserve(a);
		if (error == 0)
			error = acl_tree_name(&a->tree, role, &label);
		fail(r, error);
		if (error)
			return;
		struct acl_node *root = &a->tree.nodes[r->root];
		a->memberships[a->membership_count] =
			(struct membership){.role = label, .next = root->next, .line = r->line};
		root->next = a->membership_count++;
	}
}

static void read_line(struct acl_reading *r, struct span line)
{
	struct span rest = line, word = text_word_take(&rest);
	if (word.len == 0 || word.ptr[0] == '#')
		return;
	if (!utf8_is_valid(line))
		access_refuse(r->report, r->line, "the line is not UTF-8");
	else if (span_is_equal(word, SPAN_LITERAL("topic")))
		read_topic(r, rest, false);
	else if (span_is_equal(word, SPAN_LITERAL("pattern")))
		read_topic(r, rest, true);
	else if (span_is_equal(word, SPAN_LITERAL("user")))
		read_head(r, rest, false);
	else if (span_is_equal(word, SPAN_LITERAL("role")))
		read_head(r, rest, true);
	else if (span_is_equal(word, SPAN_LITERAL("member")))
		read_member(r, rest);
	else
		refuse(r, "is none of topic, user, pattern, role and member", word);
}

/* Labels become roots: a role may be described below those who have it. */
static void resolve_roles(struct acl_reading *r)
{
	struct acl *a = r->acl;
	for (uint32_t i = 0; i < a->membership_count; i++) {
		struct membership *m = &a->memberships[i];
		uint32_t label = m->role;
		m->role = acl_tree_child(&a->tree, PARENT_ROLES, label);
		r->line = m->line;
		if (m->role == NODE_NONE)
			refuse(r, "is no role: a line \"role\" with that name is missing",
			       acl_tree_text(&a->tree, label));
	}
}

static bool is_text(struct span text, struct access_report *report)
{
	if (text.len > ACL_FILE_BYTES_MAX)
		access_refuse(report, 0, "is larger than an ACL file may be (%zu MiB)",
			      ACL_FILE_BYTES_MAX >> 20);
	else if (text.len > 0 && memchr(text.ptr, '\0', text.len))
		access_refuse(report, 0, "holds a NUL byte: this is no ACL file");
	return report->error_count == 0;
}

static struct acl *acl_new(uint64_t seed)
{
	struct acl *a = mem_zalloc(sizeof(*a));
	if (!a)
		return NULL;
	acl_tree_init(&a->tree, seed);
	if (acl_tree_root(&a->tree, &a->anonymous) == 0 &&
	    acl_tree_root(&a->tree, &a->patterns) == 0)
		return a;
	acl_free(a);
	return NULL;
}

struct acl *acl_read(struct span text, uint64_t seed, struct access_report *report)
{
	if (!is_text(text, report))
		return NULL;
	struct acl_reading r = {.acl = acl_new(seed), .report = report};
	report->is_out_of_memory |= !r.acl;
	if (r.acl)
		r.root = r.acl->anonymous;
	while (text.len > 0 && !report->is_out_of_memory) {
		r.line++;
		read_line(&r, text_line_take(&text));
	}
	if (!report->is_out_of_memory)
		resolve_roles(&r);
	if (report->is_out_of_memory || report->error_count > 0) {
		acl_free(r.acl);
		return NULL;
	}
	acl_tree_finish(&r.acl->tree);
	return r.acl;
}

void acl_free(struct acl *a)
{
	if (!a)
		return;
	acl_tree_release(&a->tree);
	mem_free(a->memberships);
	mem_free(a);
}

uint32_t acl_rules_of(const struct acl *a, const struct span *user_name)
{
	if (!user_name)
		return a->anonymous;
	uint32_t label = acl_tree_label(&a->tree, *user_name);
	return label == LABEL_NONE ? NODE_NONE : acl_tree_child(&a->tree, PARENT_USERS, label);
}

static bool has_any(struct span text, bool wants_slash)
{
	for (size_t i = 0; i < text.len; i++)
		if (text.ptr[i] == '+' || text.ptr[i] == '#' || (wants_slash && text.ptr[i] == '/'))
			return true;
	return false;
}

/* Who is called `+` would be let into what is another's. With `/` in its name it would be let into
 * the room of whoever is called like the part before. */
static bool may_use_patterns(const struct acl *a, const struct acl_client *who)
{
	return a->has_patterns && !has_any(who->client_id, a->tree.uses_client_id) &&
	       !(who->has_user_name && has_any(who->user_name, a->tree.uses_user_name));
}

/* Of its own lines and its roles'. */
static uint8_t own_rights(const struct acl *a, const struct acl_client *who, struct span topic)
{
	const struct acl_tree *t = &a->tree;
	if (who->rules == NODE_NONE)
		return 0;
	uint8_t rights = acl_tree_rights(t, who->rules, topic, NULL);
	for (uint32_t i = t->nodes[who->rules].next; i != NODE_NONE; i = a->memberships[i].next)
		rights |= acl_tree_rights(t, a->memberships[i].role, topic, NULL);
	return rights;
}

bool acl_allows(const struct acl *a, const struct acl_client *who, enum acl_right right,
		struct span topic)
{
	uint8_t rights = own_rights(a, who, topic);
	if (!(rights & (ACL_DENY | right))) {
		if (!may_use_patterns(a, who))
			return false;
		rights = acl_tree_rights(&a->tree, a->patterns, topic, who);
	}
	return !(rights & ACL_DENY) && rights & right;
}

static bool own_meets(const struct acl *a, const struct acl_client *who, struct span filter)
{
	const struct acl_tree *t = &a->tree;
	if (who->rules == NODE_NONE)
		return false;
	bool meets = acl_tree_meets(t, who->rules, filter, ACL_READ, NULL);
	for (uint32_t i = t->nodes[who->rules].next; i != NODE_NONE && !meets;
	     i = a->memberships[i].next)
		meets = acl_tree_meets(t, a->memberships[i].role, filter, ACL_READ, NULL);
	return meets;
}

bool acl_allows_filter(const struct acl *a, const struct acl_client *who, struct span filter)
{
	if (own_rights(a, who, filter) & ACL_DENY) /* of all that it matches */
		return false;
	if (own_meets(a, who, filter))
		return true;
	return may_use_patterns(a, who) &&
	       !(acl_tree_rights(&a->tree, a->patterns, filter, who) & ACL_DENY) &&
	       acl_tree_meets(&a->tree, a->patterns, filter, ACL_READ, who);
}

size_t acl_bytes(const struct acl *a)
{
	return sizeof(*a) + acl_tree_bytes(&a->tree) +
	       a->membership_capacity * sizeof(a->memberships[0]);
}
