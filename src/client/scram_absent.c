/* SPDX-License-Identifier: Apache-2.0 */
/*
 * A library without libcrypto: nj_new refuses SCRAM, so that nothing here is ever asked. The program
 * has SCRAM for the broker all the same, which takes the place of these.
 */
#include "client/client_state.h"

#define IF_NO_OTHER __attribute__((weak))

const bool client_has_scram = false;

IF_NO_OTHER void scram_nonce(const uint8_t random[SCRAM_NONCE_RANDOM],
			     char text_out[SCRAM_NONCE_TEXT])
{
	(void)random;
	*text_out = '\0';
}

IF_NO_OTHER int scram_client_first(struct scram_client *c, struct span user, struct span nonce,
				   struct buffer *message)
{
	(void)c, (void)user, (void)nonce, (void)message;
	return ERROR_INVALID;
}

IF_NO_OTHER int scram_client_final(struct scram_client *c, struct span password,
				   struct span server_first, struct buffer *message,
				   const char **trouble_out)
{
	(void)c, (void)password, (void)server_first, (void)message;
	*trouble_out = "this library was built without SCRAM";
	return ERROR_INVALID;
}

IF_NO_OTHER int scram_client_check(struct scram_client *c, struct span server_final,
				   const char **trouble_out)
{
	(void)c, (void)server_final;
	*trouble_out = "this library was built without SCRAM";
	return ERROR_INVALID;
}

IF_NO_OTHER void scram_client_release(struct scram_client *c)
{
	(void)c;
}
