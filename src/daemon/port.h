/* SPDX-License-Identifier: Apache-2.0 */
/* The sockets that one listener of the configuration stands for: one per address. Counted, since
 * the sets that they are in follow each other (listening.h). */
#ifndef NIGHTJAR_DAEMON_PORT_H
#define NIGHTJAR_DAEMON_PORT_H

#include <stdatomic.h>

#include "config/config.h"
#include "io/listener.h"

struct port {
	atomic_uint refs;
	unsigned count;
	struct listener listeners[LISTENERS_PER_HOST_MAX];
};

/* One reference, or NULL with the reason. */
struct port *port_open(const struct config *c, const struct config_listener *from,
		       char reason[LISTENER_REASON_MAX]);
struct port *port_ref(struct port *p);
/* The last one closes the sockets; any thread. NULL is allowed. */
void port_unref(struct port *p);
/* Nobody comes in any more, while threads may still know the sockets: others can be opened at the
 * same place. */
void port_silence(struct port *p);
/* Takes port_silence back, where the place is still free. */
void port_resume(struct port *p);
/* What options say of the sockets themselves, for those who come from now on. 0, or an error with
 * the reason. */
int port_adjust(struct port *p, const struct config *c, const struct config_listener *from,
		char reason[LISTENER_REASON_MAX]) MUST_USE;

#endif
