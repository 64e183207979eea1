/* SPDX-License-Identifier: Apache-2.0 */
/* A build without libargon2. */
#include "access/argon2id.h"

bool argon2id_is_here(void)
{
	return false;
}

int argon2id_hash(const struct argon2id_cost *cost, struct span salt, struct span password,
		  struct room hash)
{
	(void)cost;
	(void)salt;
	(void)password;
	(void)hash;
	return ERROR_INVALID;
}
