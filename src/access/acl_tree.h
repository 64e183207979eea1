/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Filters as trees of levels, for src/access alone. All trees share their nodes, the texts of their
 * levels and one table of edges:
 *
 *     edge (parent, label) -> node          label: the number of a level's text, or LABEL_PLUS
 *
 * so that a level costs one look into the table however many siblings it has. A `#` is no node but
 * the flags `below` of the node above. Levels with %c or %u are templates: they stand in a list of
 * their own under each node.
 */
#ifndef NIGHTJAR_ACCESS_ACL_TREE_H
#define NIGHTJAR_ACCESS_ACL_TREE_H

#include "access/acl.h"

/* Beside ACL_READ and ACL_WRITE. */
#define ACL_DENY 0x04
#define LABEL_NONE 0
#define LABEL_PLUS 1
#define NODE_NONE UINT32_MAX

struct acl_node {
	uint32_t parent;
	uint32_t label;
	uint32_t first_child; /* not templates */
	uint32_t first_template;
	uint32_t next; /* among the children, or templates, of its parent */
	uint8_t exact; /* rights of the filter that ends here */
	uint8_t below; /* rights of the filter that goes on with `#` */
	/* Rights, without ACL_DENY, of any filter at or below this node; of a root: but for those
	 * that begin with `$`. */
	uint8_t under;
};

struct acl_label {
	uint32_t start; /* in `texts` */
	uint16_t len;
	bool uses_client_id, uses_user_name; /* then it is a template */
};

/* An open table of numbers; NODE_NONE = free. */
struct acl_index {
	uint32_t *slots;
	uint32_t capacity; /* power of two, or 0 */
	uint32_t count;
};

struct acl_tree {
	uint64_t seed;
	struct acl_node *nodes;
	uint32_t node_count, node_capacity;
	struct acl_label *labels;
	uint32_t label_count, label_capacity;
	struct buffer texts;
	struct acl_index edges;       /* of node numbers */
	struct acl_index label_index; /* of label numbers */
	unsigned depth;               /* levels of the deepest filter */
	bool uses_client_id, uses_user_name;
};

void acl_tree_init(struct acl_tree *t, uint64_t seed);
void acl_tree_release(struct acl_tree *t);
size_t acl_tree_bytes(const struct acl_tree *t);

/* A new, empty tree: its root. 0 or ERROR_NO_MEMORY. */
int acl_tree_root(struct acl_tree *t, uint32_t *root_out) MUST_USE;
/* The tree of a user or role, made when it is not there: an edge from one of two nodes that are
 * none. 0, ERROR_NO_MEMORY or ERROR_LIMIT. */
#define PARENT_USERS (UINT32_MAX - 1)
#define PARENT_ROLES (UINT32_MAX - 2)
int acl_tree_named_root(struct acl_tree *t, uint32_t parent, struct span name,
			uint32_t *root_out) MUST_USE;
/* The label of a name. Errors as above. */
int acl_tree_name(struct acl_tree *t, struct span name, uint32_t *label_out) MUST_USE;
/* A valid filter of at most ACL_LEVELS_MAX levels; ACL_ rights, or ACL_DENY. With `is_pattern` %c
 * and %u stand for something. 0, ERROR_NO_MEMORY or ERROR_LIMIT. */
int acl_tree_add(struct acl_tree *t, uint32_t root, struct span filter, uint8_t rights,
		 bool is_pattern) MUST_USE;
/* When all are added: gives back what was reserved for more. */
void acl_tree_finish(struct acl_tree *t);

/* LABEL_NONE: no filter has that level. */
uint32_t acl_tree_label(const struct acl_tree *t, struct span level);
uint32_t acl_tree_child(const struct acl_tree *t, uint32_t parent, uint32_t label);
struct span acl_tree_text(const struct acl_tree *t, uint32_t label);

/* The rights of all filters of a tree that match a topic. Without `who` a filter is asked instead
 * of a topic: those that match all that it matches. */
uint8_t acl_tree_rights(const struct acl_tree *t, uint32_t root, struct span topic,
			const struct acl_client *who);
/* Has some filter that meets this one (a topic may match both) one of these rights? */
bool acl_tree_meets(const struct acl_tree *t, uint32_t root, struct span filter, uint8_t rights,
		    const struct acl_client *who);

#endif
