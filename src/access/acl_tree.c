/* SPDX-License-Identifier: Apache-2.0 */
/* Building the trees, and their lookups. */
#include "access/acl_tree.h"

#include "base/hash.h"
#include "base/mem.h"

#define CAPACITY_MIN 16

void acl_tree_init(struct acl_tree *t, uint64_t seed)
{
	*t = (struct acl_tree){.seed = seed};
}

void acl_tree_release(struct acl_tree *t)
{
	mem_free(t->nodes);
	mem_free(t->labels);
	mem_free(t->edges.slots);
	mem_free(t->label_index.slots);
	buffer_release(&t->texts);
	*t = (struct acl_tree){0};
}

size_t acl_tree_bytes(const struct acl_tree *t)
{
	return t->node_capacity * sizeof(t->nodes[0]) + t->label_capacity * sizeof(t->labels[0]) +
	       t->texts.capacity +
	       ((size_t)t->edges.capacity + t->label_index.capacity) * sizeof(uint32_t);
}

struct span acl_tree_text(const struct acl_tree *t, uint32_t label)
{
	const struct acl_label *l = &t->labels[label];
	return l->len > 0 ? span_of(t->texts.ptr + l->start, l->len) : SPAN_LITERAL("");
}

static uint64_t hash_of_edge(const struct acl_tree *t, uint32_t parent, uint32_t label)
{
	/* a step of splitmix64 (Steele et al. 2014): numbers of our own, which nobody can aim */
	uint64_t x = ((uint64_t)parent << 32 | label) + t->seed;
	x = (x ^ x >> 30) * 0xBF58476D1CE4E5B9ull;
	x = (x ^ x >> 27) * 0x94D049BB133111EBull;
	return x ^ x >> 31;
}

static uint64_t hash_of_node(const struct acl_tree *t, uint32_t node)
{
	return hash_of_edge(t, t->nodes[node].parent, t->nodes[node].label);
}

static uint64_t hash_of_label(const struct acl_tree *t, uint32_t label)
{
	return hash_bytes(acl_tree_text(t, label), t->seed);
}

/* Room for one more, with a load of at most 3/4. */
static int index_reserve(const struct acl_tree *t, struct acl_index *index,
			 uint64_t (*hash)(const struct acl_tree *t, uint32_t number))
{
	if ((index->count + 1) * 4ull <= index->capacity * 3ull)
		return 0;
	uint32_t capacity = index->capacity ? index->capacity * 2 : CAPACITY_MIN;
	uint32_t *slots = mem_alloc(capacity * sizeof(*slots));
	if (!slots)
		return ERROR_NO_MEMORY;
	memset(slots, 0xFF, capacity * sizeof(*slots));
	for (uint32_t i = 0; i < index->capacity; i++) {
		if (index->slots[i] == NODE_NONE)
			continue;
		uint32_t at = (uint32_t)hash(t, index->slots[i]) & (capacity - 1);
		while (slots[at] != NODE_NONE)
			at = (at + 1) & (capacity - 1);
		slots[at] = index->slots[i];
	}
	mem_free(index->slots);
	index->slots = slots;
	index->capacity = capacity;
	return 0;
}

static void index_add(struct acl_index *index, uint64_t hash, uint32_t number)
{
	uint32_t mask = index->capacity - 1, at = (uint32_t)hash & mask;
	while (index->slots[at] != NODE_NONE)
		at = (at + 1) & mask;
	index->slots[at] = number;
	index->count++;
}

uint32_t acl_tree_child(const struct acl_tree *t, uint32_t parent, uint32_t label)
{
	if (t->edges.count == 0)
		return NODE_NONE;
	uint32_t mask = t->edges.capacity - 1;
	uint32_t at = (uint32_t)hash_of_edge(t, parent, label) & mask;
	for (; t->edges.slots[at] != NODE_NONE; at = (at + 1) & mask) {
		const struct acl_node *n = &t->nodes[t->edges.slots[at]];
		if (n->parent == parent && n->label == label)
			return t->edges.slots[at];
	}
	return NODE_NONE;
}

static bool is_template(const struct acl_label *l)
{
	return l->uses_client_id || l->uses_user_name;
}

/* A template is another label than the same text that stands for itself. */
static uint32_t find_label(const struct acl_tree *t, struct span text, bool wants_template)
{
	if (t->label_index.count == 0)
		return LABEL_NONE;
	uint32_t mask = t->label_index.capacity - 1;
	uint32_t at = (uint32_t)hash_bytes(text, t->seed) & mask;
	for (; t->label_index.slots[at] != NODE_NONE; at = (at + 1) & mask) {
		uint32_t label = t->label_index.slots[at];
		if (is_template(&t->labels[label]) == wants_template &&
		    span_is_equal(acl_tree_text(t, label), text))
			return label;
	}
	return LABEL_NONE;
}

uint32_t acl_tree_label(const struct acl_tree *t, struct span level)
{
	return find_label(t, level, false);
}

/* Doubles a list when it is full. */
static int list_reserve(void **list, size_t size, uint32_t count, uint32_t *capacity)
{
	if (count < *capacity)
		return 0;
	if (*capacity > UINT32_MAX / 4)
		return ERROR_LIMIT;
	uint32_t wanted = *capacity ? *capacity * 2 : CAPACITY_MIN;
	void *larger = mem_realloc(*list, wanted * size);
	if (!larger)
		return ERROR_NO_MEMORY;
	*list = larger;
	*capacity = wanted;
	return 0;
}

static int nodes_reserve(struct acl_tree *t)
{
	void *nodes = t->nodes;
	int error = list_reserve(&nodes, sizeof(t->nodes[0]), t->node_count, &t->node_capacity);
	t->nodes = nodes;
	return error;
}

static int labels_reserve(struct acl_tree *t)
{
	void *labels = t->labels;
	int error = list_reserve(&labels, sizeof(t->labels[0]), t->label_count, &t->label_capacity);
	t->labels = labels;
	return error;
}

static bool has(struct span text, const char *what)
{
	for (size_t i = 0; i + 2 <= text.len; i++)
		if (memcmp(text.ptr + i, what, 2) == 0)
			return true;
	return false;
}

/* Numbers 0 and 1 are taken. */
static int labels_begin(struct acl_tree *t)
{
	while (t->label_count <= LABEL_PLUS) {
		int error = labels_reserve(t);
		if (error)
			return error;
		t->labels[t->label_count++] = (struct acl_label){0};
	}
	return 0;
}

static int label_of(struct acl_tree *t, struct span text, bool is_pattern, uint32_t *label_out)
{
	struct acl_label new = {.start = (uint32_t)buffer_len(&t->texts),
				.len = (uint16_t)text.len,
				.uses_client_id = is_pattern && has(text, "%c"),
				.uses_user_name = is_pattern && has(text, "%u")};
	uint32_t found = find_label(t, text, is_template(&new));
	*label_out = found;
	if (found != LABEL_NONE)
		return 0;
	int error = labels_begin(t);
	if (error == 0)
		error = labels_reserve(t);
	if (error == 0)
		error = index_reserve(t, &t->label_index, hash_of_label);
	if (error == 0)
		error = buffer_append(&t->texts, text);
	if (error)
		return error;
	t->uses_client_id |= new.uses_client_id;
	t->uses_user_name |= new.uses_user_name;
	*label_out = t->label_count;
	t->labels[t->label_count++] = new;
	index_add(&t->label_index, hash_bytes(text, t->seed), *label_out);
	return 0;
}

static int node_new(struct acl_tree *t, uint32_t parent, uint32_t label, uint32_t *node_out)
{
	int error = nodes_reserve(t);
	if (error)
		return error;
	*node_out = t->node_count;
	t->nodes[t->node_count++] = (struct acl_node){.parent = parent,
						      .label = label,
						      .first_child = NODE_NONE,
						      .first_template = NODE_NONE,
						      .next = NODE_NONE};
	return 0;
}

int acl_tree_root(struct acl_tree *t, uint32_t *root_out)
{
	return node_new(t, NODE_NONE, LABEL_NONE, root_out);
}

/* The node at the end of that edge, made when it is not there. */
static int edge_make(struct acl_tree *t, uint32_t parent, uint32_t label, uint32_t *node_out,
		     bool *is_new_out)
{
	uint32_t node = acl_tree_child(t, parent, label);
	*node_out = node;
	*is_new_out = node == NODE_NONE;
	if (node != NODE_NONE)
		return 0;
	int error = index_reserve(t, &t->edges, hash_of_node);
	if (error == 0)
		error = node_new(t, parent, label, node_out);
	if (error == 0)
		index_add(&t->edges, hash_of_edge(t, parent, label), *node_out);
	return error;
}

int acl_tree_name(struct acl_tree *t, struct span name, uint32_t *label_out)
{
	return label_of(t, name, false, label_out);
}

int acl_tree_named_root(struct acl_tree *t, uint32_t parent, struct span name, uint32_t *root_out)
{
	uint32_t label;
	bool is_new;
	int error = acl_tree_name(t, name, &label);
	return error ? error : edge_make(t, parent, label, root_out, &is_new);
}

/* The child of that label, made when it is not there. */
static int step(struct acl_tree *t, uint32_t parent, uint32_t label, uint32_t *child_out)
{
	bool is_new;
	int error = edge_make(t, parent, label, child_out, &is_new);
	if (error || !is_new)
		return error;
	bool has_template = label != LABEL_PLUS && is_template(&t->labels[label]);
	uint32_t *first =
		has_template ? &t->nodes[parent].first_template : &t->nodes[parent].first_child;
	t->nodes[*child_out].next = *first;
	*first = *child_out;
	return 0;
}

static int step_to_level(struct acl_tree *t, uint32_t parent, struct span level, bool is_pattern,
			 uint32_t *child_out)
{
	uint32_t label = LABEL_PLUS;
	int error = 0;
	if (!span_is_equal(level, SPAN_LITERAL("+")))
		error = label_of(t, level, is_pattern, &label);
	return error ? error : step(t, parent, label, child_out);
}

static struct span level_take(struct span *rest, bool *is_last_out)
{
	const uint8_t *slash = rest->len > 0 ? memchr(rest->ptr, '/', rest->len) : NULL;
	struct span level = span_of(rest->ptr, slash ? (size_t)(slash - rest->ptr) : rest->len);
	*is_last_out = !slash;
	size_t taken = level.len + (slash ? 1 : 0);
	*rest = span_of(rest->ptr + taken, rest->len - taken);
	return level;
}

int acl_tree_add(struct acl_tree *t, uint32_t root, struct span filter, uint8_t rights,
		 bool is_pattern)
{
	bool is_last = false, is_dollar = filter.len > 0 && filter.ptr[0] == '$';
	uint8_t grants = rights & (ACL_READ | ACL_WRITE);
	uint32_t node = root;
	unsigned depth = 0;
	struct span rest = filter;
	int error = labels_begin(t);
	while (!is_last && error == 0) {
		struct span level = level_take(&rest, &is_last);
		if (!(is_dollar && node == root))
			t->nodes[node].under |= grants;
		if (is_last && span_is_equal(level, SPAN_LITERAL("#"))) {
			t->nodes[node].below |= rights;
			return 0;
		}
		if (++depth > ACL_LEVELS_MAX)
			return ERROR_LIMIT;
		error = step_to_level(t, node, level, is_pattern, &node);
		t->depth = depth > t->depth ? depth : t->depth;
	}
	if (error)
		return error;
	t->nodes[node].exact |= rights;
	t->nodes[node].under |= grants;
	return 0;
}

void acl_tree_finish(struct acl_tree *t)
{
	void *nodes =
		t->node_count ? mem_realloc(t->nodes, t->node_count * sizeof(t->nodes[0])) : NULL;
	void *labels = t->label_count
			       ? mem_realloc(t->labels, t->label_count * sizeof(t->labels[0]))
			       : NULL;
	if (nodes) {
		t->nodes = nodes;
		t->node_capacity = t->node_count;
	}
	if (labels) {
		t->labels = labels;
		t->label_capacity = t->label_count;
	}
}
