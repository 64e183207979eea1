/* SPDX-License-Identifier: Apache-2.0 */
/*
 * A topic, or a filter, on its way down a tree. The way back is kept in frames, one for each level:
 * no recursion.
 */
#include "access/acl_tree.h"

/* Nodes that are looked at for one filter; beyond, the answer is "perhaps", that is yes. */
#define VISITS_MAX 1000

enum stage { STAGE_ENTER, STAGE_CHILD, STAGE_PLUS, STAGE_TEMPLATES };

struct frame {
	uint32_t node;
	uint32_t next; /* template or child to go on with */
	uint8_t stage; /* enum stage */
};

struct walk {
	const struct acl_tree *tree;
	const struct acl_client *who; /* NULL: templates match nothing */
	struct span levels[ACL_LEVELS_MAX + 1];
	unsigned count;  /* of levels, as far as the tree is deep */
	bool is_longer;  /* there are more */
	bool ends_below; /* with `#`, which is not counted */
	bool is_dollar;
	struct frame frames[ACL_LEVELS_MAX + 1];
	unsigned depth; /* of the frame at hand */
};

static void split(struct walk *w, struct span text)
{
	const uint8_t *at = text.ptr, *end = text.ptr + text.len;
	w->is_dollar = text.len > 0 && text.ptr[0] == '$';
	for (;;) {
		const uint8_t *slash = at < end ? memchr(at, '/', (size_t)(end - at)) : NULL;
		struct span level = span_of(at, (size_t)((slash ? slash : end) - at));
		if (!slash && level.len == 1 && level.ptr[0] == '#') {
			w->ends_below = true;
			return;
		}
		if (w->count == w->tree->depth) {
			w->is_longer = true;
			return;
		}
		w->levels[w->count++] = level;
		if (!slash)
			return;
		at = slash + 1;
	}
}

static void walk_begin(struct walk *w, const struct acl_tree *t, uint32_t root, struct span text,
		       const struct acl_client *who)
{
	w->tree = t;
	w->who = who;
	w->count = 0;
	w->is_longer = w->ends_below = false;
	w->depth = 0;
	w->frames[0] = (struct frame){.node = root};
	split(w, text);
}

static void push(struct walk *w, uint32_t node)
{
	w->frames[++w->depth] = (struct frame){.node = node};
}

/* What %c or %u stands for, when the text goes on with one of them. */
static bool is_variable(struct span text, const struct acl_client *who, struct span *value_out)
{
	if (text.len < 2 || text.ptr[0] != '%' || (text.ptr[1] != 'c' && text.ptr[1] != 'u'))
		return false;
	*value_out = text.ptr[1] == 'c' ? who->client_id : who->user_name;
	return true;
}

/* Values hold no `+`, `#` or `/` (may_use_patterns in acl.c). */
static bool template_matches(const struct walk *w, uint32_t label, struct span level)
{
	const struct acl_label *l = &w->tree->labels[label];
	struct span text = acl_tree_text(w->tree, label), value;
	if (l->uses_user_name && !w->who->has_user_name)
		return false;
	while (text.len > 0) {
		size_t taken = 2;
		if (!is_variable(text, w->who, &value)) {
			value = span_of(text.ptr, 1);
			taken = 1;
		}
		if (level.len < value.len ||
		    (value.len > 0 && memcmp(level.ptr, value.ptr, value.len) != 0))
			return false;
		level = span_of(level.ptr + value.len, level.len - value.len);
		text = span_of(text.ptr + taken, text.len - taken);
	}
	return level.len == 0;
}

/* The next template below the frame's node that matches its level. */
static uint32_t next_template(struct walk *w, struct frame *f, struct span level)
{
	while (f->next != NODE_NONE) {
		uint32_t node = f->next;
		f->next = w->tree->nodes[node].next;
		if (template_matches(w, w->tree->nodes[node].label, level))
			return node;
	}
	return NODE_NONE;
}

/* One step down from the frame at hand; NODE_NONE when there is none that way. The first level of
 * what begins with `$` is matched by nothing but itself [MQTT-4.7.2-1]. */
static uint32_t step_down(struct walk *w, struct frame *f)
{
	const struct acl_tree *t = w->tree;
	struct span level = w->levels[w->depth];
	bool is_literal_only = w->depth == 0 && w->is_dollar;
	uint32_t node = NODE_NONE, label;
	if (f->stage == STAGE_CHILD) {
		f->stage = STAGE_PLUS;
		label = t->nodes[f->node].first_child == NODE_NONE ? LABEL_NONE
								   : acl_tree_label(t, level);
		if (label != LABEL_NONE)
			node = acl_tree_child(t, f->node, label);
	} else if (f->stage == STAGE_PLUS) {
		f->stage = STAGE_TEMPLATES;
		f->next = t->nodes[f->node].first_template;
		if (!is_literal_only)
			node = acl_tree_child(t, f->node, LABEL_PLUS);
	} else if (w->who && !is_literal_only) {
		node = next_template(w, f, level);
	}
	return node;
}

/* Is there nothing more to try below the frame? */
static bool is_done(const struct walk *w, const struct frame *f)
{
	return f->stage == STAGE_TEMPLATES &&
	       (f->next == NODE_NONE || !w->who || (w->depth == 0 && w->is_dollar));
}

static uint8_t rights_at(const struct walk *w, const struct acl_node *n)
{
	uint8_t rights = w->depth == 0 && w->is_dollar ? 0 : n->below;
	if (w->depth == w->count && !w->is_longer && !w->ends_below)
		rights |= n->exact;
	return rights;
}

uint8_t acl_tree_rights(const struct acl_tree *t, uint32_t root, struct span topic,
			const struct acl_client *who)
{
	struct walk w;
	uint8_t rights = 0;
	walk_begin(&w, t, root, topic, who);
	for (;;) {
		struct frame *f = &w.frames[w.depth];
		if (f->stage == STAGE_ENTER) {
			rights |= rights_at(&w, &t->nodes[f->node]);
			f->stage = STAGE_CHILD;
		}
		if (w.depth < w.count && !is_done(&w, f)) {
			uint32_t node = step_down(&w, f);
			if (node != NODE_NONE)
				push(&w, node);
		} else if (w.depth-- == 0) {
			return rights;
		}
	}
}

/* Does a filter that ends at this node, or goes on below it with `#`, meet the one at hand? */
static bool meets_at(const struct walk *w, const struct acl_node *n, uint8_t rights)
{
	if (w->ends_below && w->depth == w->count)
		return n->under & rights;
	return rights_at(w, n) & rights;
}

static bool begins_with_dollar(const struct acl_tree *t, uint32_t node)
{
	uint32_t label = t->nodes[node].label;
	if (label == LABEL_PLUS)
		return false;
	struct span text = acl_tree_text(t, label);
	return text.len > 0 && text.ptr[0] == '$';
}

/* Below `+`: one child after the other, then the templates. */
static uint32_t next_sibling(struct walk *w, struct frame *f)
{
	const struct acl_tree *t = w->tree;
	if (f->stage == STAGE_CHILD) {
		f->stage = STAGE_PLUS;
		f->next = t->nodes[f->node].first_child;
	}
	if (f->next == NODE_NONE && f->stage == STAGE_PLUS) {
		f->stage = STAGE_TEMPLATES;
		f->next = t->nodes[f->node].first_template;
	}
	uint32_t node = f->next;
	if (node == NODE_NONE)
		return node;
	f->next = t->nodes[node].next;
	if (f->stage == STAGE_TEMPLATES) /* whatever it stands for, `+` matches */
		return w->who && (w->who->has_user_name ||
				  !t->labels[t->nodes[node].label].uses_user_name)
			       ? node
			       : NODE_NONE;
	return w->depth == 0 && begins_with_dollar(t, node) ? NODE_NONE : node;
}

static bool is_plus(struct span level)
{
	return level.len == 1 && level.ptr[0] == '+';
}

bool acl_tree_meets(const struct acl_tree *t, uint32_t root, struct span filter, uint8_t rights,
		    const struct acl_client *who)
{
	struct walk w;
	walk_begin(&w, t, root, filter, who);
	for (unsigned visits = 0; visits < VISITS_MAX; visits++) {
		struct frame *f = &w.frames[w.depth];
		if (f->stage == STAGE_ENTER) {
			if (meets_at(&w, &t->nodes[f->node], rights))
				return true;
			f->stage = STAGE_CHILD;
		}
		if (w.depth < w.count && !is_done(&w, f)) {
			uint32_t node =
				is_plus(w.levels[w.depth]) ? next_sibling(&w, f) : step_down(&w, f);
			if (node != NODE_NONE && t->nodes[node].under & rights)
				push(&w, node);
		} else if (w.depth-- == 0) {
			return false;
		}
	}
	return true;
}
