/* SPDX-License-Identifier: Apache-2.0 */
#include "io/peer_layer.h"

#include "base/mem.h"

#include <pwd.h>
#include <stdio.h>
#include <sys/socket.h>

/* Of one line. */
#define LINE_BYTES_MAX 1024

int peer_uid(int fd, uint32_t *uid_out)
{
	struct ucred peer;
	socklen_t len = sizeof(peer);
	/* of other sockets there is nobody: the number is that of no user */
	if (getsockopt(fd, SOL_SOCKET, SO_PEERCRED, &peer, &len) != 0 || peer.uid == (uid_t)-1)
		return ERROR_SYSTEM;
	*uid_out = peer.uid;
	return 0;
}

void peer_name(const char *path, uint32_t uid, char name_out[PEER_NAME_MAX])
{
	char line[LINE_BYTES_MAX];
	struct passwd entry, *found;
	FILE *file = fopen(path, "re");
	snprintf(name_out, PEER_NAME_MAX, "uid:%u", uid);
	while (file && fgetpwent_r(file, &entry, line, sizeof(line), &found) == 0) {
		size_t len = strlen(entry.pw_name);
		if (entry.pw_uid != uid || len == 0 || len >= PEER_NAME_MAX)
			continue;
		memcpy(name_out, entry.pw_name, len + 1);
		break;
	}
	if (file)
		fclose(file);
}

struct peer_layer {
	struct layer layer;
	char user_name[PEER_NAME_MAX];
};

static long peer_read(struct layer *l, struct room room)
{
	return layer_read(l->below, room);
}

static long peer_write(struct layer *l, const struct span *parts, unsigned count)
{
	return count == 0 ? 0 : layer_write(l->below, parts, count);
}

static void peer_free(struct layer *l)
{
	mem_free(CONTAINER_OF(l, struct peer_layer, layer));
}

static void peer_tell(const struct layer *l, struct stream_peer *peer)
{
	const struct peer_layer *p =
		CONTAINER_OF((struct layer *)(uintptr_t)l, struct peer_layer, layer);
	if (peer->user_name || peer->lacks_user_name)
		return;
	peer->user_name = p->user_name;
	peer->is_of_system = true;
}

struct layer *peer_layer_new(const char *user_name)
{
	static const struct layer_ops ops = {
		.read = peer_read,
		.write = peer_write,
		.free = peer_free,
		.peer = peer_tell,
	};
	struct peer_layer *p = mem_zalloc(sizeof(*p));
	if (!p)
		return NULL;
	p->layer.ops = &ops;
	snprintf(p->user_name, sizeof(p->user_name), "%s", user_name);
	return &p->layer;
}
