/* SPDX-License-Identifier: Apache-2.0 */
#include "access/argon2id.h"

#include <argon2.h>

bool argon2id_is_here(void)
{
	return true;
}

int argon2id_hash(const struct argon2id_cost *cost, struct span salt, struct span password,
		  struct room hash)
{
	int result = argon2id_hash_raw(cost->passes, cost->kib, cost->lanes, password.ptr,
				       password.len, salt.ptr, salt.len, hash.ptr, hash.len);
	if (result == ARGON2_OK)
		return 0;
	return result == ARGON2_MEMORY_ALLOCATION_ERROR ? ERROR_NO_MEMORY : ERROR_INVALID;
}
