/* SPDX-License-Identifier: Apache-2.0 */
#include "broker/fence.h"

#include "broker/deliver.h"
#include "broker/finish.h"
#include "broker/shard.h"

_Static_assert(2 * FENCE_BLOCK <= SEND_SPAN_MAX, "two blocks hold no packet id twice");

/* Behind all that is said of finished messages so far; comes back through fence_returned. */
static bool wait_for_log(struct shard *s, struct session *session)
{
	struct command *command = command_new(COMMAND_NOTHING, SPAN_NONE);
	if (!command)
		return false;
	command->flags = COMMAND_NOTHING_FENCE;
	command->origin.session = session->number;
	session->is_fenced = true;
	command_append(s, command, shard_bit(s));
	return true;
}

bool fence_is_open(struct shard *s, struct session *session, uint64_t position)
{
	uint32_t block = (uint32_t)(position / FENCE_BLOCK);
	const struct send *send = &session->send;
	if (LIKELY(block <= session->kept->fence_block || block < 2))
		return true;
	if (session->is_fenced)
		return false;
	/* what is unfinished yet is asked for again when it is acknowledged */
	if (!send_is_idle(send) && send->oldest < (uint64_t)(block - 1) * FENCE_BLOCK)
		return false;
	finish_append(s);
	if (s->appended == s->applied) {
		session->kept->fence_block = block;
		return true;
	}
	session->kept->fence_next = block;
	if (!wait_for_log(s, session))
		connection_doom(session->connection); /* for want of memory */
	return false;
}

void fence_returned(struct shard *s, struct session *session)
{
	session->is_fenced = false;
	session->kept->fence_block = session->kept->fence_next;
	deliver_pump(s, session);
}
