/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The header with which a proxy says whom it speaks for (PROXY protocol, versions 1 and 2, as
 * HAProxy's proxy-protocol.txt has them), and the layer that takes it off a connection.
 *
 *     version 1   "PROXY TCP4 192.0.2.1 198.51.100.1 4711 1883\r\n"
 *     version 2   12 bytes of signature, command, family, length; addresses; type-length-values
 */
#ifndef NIGHTJAR_IO_PROXY_HEADER_H
#define NIGHTJAR_IO_PROXY_HEADER_H

#include "io/address.h"
#include "io/layer.h"

/* All of version 1 has at most 107 bytes; a version 2 with a certificate's name has some hundred. */
#define PROXY_HEADER_BYTES 2048
#define PROXY_NAME_MAX 256

struct proxy_header {
	char address[ADDRESS_TEXT_MAX]; /* of the client; "": the proxy speaks for itself */
	/* The common name of the client's certificate, as the proxy has verified it; "": none. */
	char name[PROXY_NAME_MAX];
	bool has_tls;         /* the client has spoken TLS with the proxy */
	bool has_certificate; /* and has shown one that the proxy has verified */
};

/* What is asked of each header, and done with it. */
struct proxy_terms {
	bool gives_name;            /* the certificate's name becomes the user name */
	bool must_have_tls;         /* or the connection ends */
	bool must_have_certificate; /* or the connection ends */
};

/* The header's length when it is whole; 0 when more bytes are needed, or ERROR_INVALID with the
 * reason. */
long proxy_header_decode(struct span bytes, struct proxy_header *out, const char **reason_out);

/* Asked once, when the header has come, on the loop's thread. */
struct proxy_judge {
	bool (*admits)(void *context, const char *address);
	void *context;
};

/* The judge may be NULL: all may come in. NULL without memory. */
struct layer *proxy_layer_new(const struct proxy_terms *terms,
			      const struct proxy_judge *judge) MUST_USE;

#endif
