/* SPDX-License-Identifier: Apache-2.0 */
#include "daemon/weigh.h"

#include "base/mem.h"

#include <openssl/crypto.h>

static void *take(size_t len, const char *file, int line)
{
	(void)file;
	(void)line;
	return mem_alloc(len);
}

static void *take_more(void *ptr, size_t len, const char *file, int line)
{
	(void)file;
	(void)line;
	return mem_realloc(ptr, len);
}

static void give(void *ptr, const char *file, int line)
{
	(void)file;
	(void)line;
	mem_free(ptr);
}

void weigh_start(void)
{
	mem_weigh_start();
	(void)CRYPTO_set_mem_functions(take, take_more, give);
}
