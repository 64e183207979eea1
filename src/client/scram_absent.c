/* SPDX-License-Identifier: Apache-2.0 */
/* A library without libcrypto: nj_new refuses SCRAM, so that nothing here is ever asked. */
#include "client/client_state.h"

const bool client_has_scram = false;

void scram_nonce(const uint8_t random[SCRAM_NONCE_RANDOM], char text_out[SCRAM_NONCE_TEXT])
{
	(void)random;
	*text_out = '\0';
}

int scram_client_first(struct scram_client *c, struct span user, struct span nonce,
		       struct buffer *message)
{
	(void)c, (void)user, (void)nonce, (void)message;
	return ERROR_INVALID;
}

int scram_client_final(struct scram_client *c, struct span password, struct span server_first,
		       struct buffer *message, const char **trouble_out)
{
	(void)c, (void)password, (void)server_first, (void)message;
	*trouble_out = "this library was built without SCRAM";
	return ERROR_INVALID;
}

int scram_client_check(struct scram_client *c, struct span server_final, const char **trouble_out)
{
	(void)c, (void)server_final;
	*trouble_out = "this library was built without SCRAM";
	return ERROR_INVALID;
}

void scram_client_release(struct scram_client *c)
{
	(void)c;
}
