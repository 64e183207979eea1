/* SPDX-License-Identifier: Apache-2.0 */
/* From the command line to the options of the library: how pub, sub and rr come to their client. */
#ifndef NIGHTJAR_CLI_CLIENT_OPTIONS_H
#define NIGHTJAR_CLI_CLIENT_OPTIONS_H

#include "cli/options.h"

/* What the library's options borrow. */
struct client_parts {
	char *address;
	char **fallbacks;
	size_t fallback_count;
	struct nj_message_out will;
	struct property_list connect;
	struct tls_parts tls;
};

/* False when it has said on stderr what cannot be. Release the parts in every case. */
bool client_options_build(const struct options *o, struct client_parts *parts,
			  struct nj_options *out);
void client_parts_release(struct client_parts *parts);

/* Makes the client; NULL when it has said on stderr why not. */
nj_client *client_options_open(const struct nj_options *options);

#endif
