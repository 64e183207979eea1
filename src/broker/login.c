/* SPDX-License-Identifier: Apache-2.0 */
#include "broker/login.h"

#include "access/password.h"
#include "base/mem.h"

#include <openssl/crypto.h>

size_t login_bytes(const struct login *login)
{
	return sizeof(*login) + login->len;
}

static uint8_t verify_password(const struct login *login)
{
	int result = password_verify(login->stored, login->password);
	if (result != 0 && result != ERROR_INVALID)
		return LOGIN_FAILED;
	return result == 0 && !login->is_decoy ? LOGIN_KNOWN : LOGIN_WRONG;
}

void login_answer(struct login *login)
{
	ASSERT(login->method == METHOD_PASSWORD);
	login->result = verify_password(login);
}

void login_free(struct login *login)
{
	OPENSSL_cleanse(login->bytes, login->len);
	access_unref(login->access);
	mem_free(login);
}
