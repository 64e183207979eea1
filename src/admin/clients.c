/* SPDX-License-Identifier: Apache-2.0 */
#include "admin/clients.h"

#include "base/mem.h"

static struct span key_of(const void *element)
{
	const struct client *client = element;
	return span_of((const uint8_t *)&client->log_id, sizeof(client->log_id));
}

void clients_init(struct clients *c)
{
	/* nobody aims at a tool that looks once */
	map_init(&c->by_log_id, 0, key_of);
	c->is_out_of_memory = false;
}

void clients_release(struct clients *c)
{
	uint32_t cursor = 0;
	for (void *e; (e = map_next(&c->by_log_id, &cursor));)
		mem_free(e);
	map_release(&c->by_log_id);
}

struct client *clients_find(const struct clients *c, uint64_t log_id)
{
	return map_find(&c->by_log_id, span_of((const uint8_t *)&log_id, sizeof(log_id)));
}

void clients_add(struct clients *c, uint64_t log_id, struct span name)
{
	if (clients_find(c, log_id))
		return;
	struct client *client = mem_alloc(sizeof(*client) + name.len);
	if (client) {
		*client = (struct client){.log_id = log_id, .name_len = (uint32_t)name.len};
		memcpy(client->name, name.ptr, name.len);
		if (map_add(&c->by_log_id, client) == 0)
			return;
		mem_free(client);
	}
	c->is_out_of_memory = true;
}
