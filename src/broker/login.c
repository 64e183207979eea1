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

static uint8_t verify_token(struct login *login)
{
	const struct jwt_bearer who = {
		.token = login->password,
		.user_name = login->has_user_name ? &login->user_name : NULL,
		.client_id = login->client_id,
		.now_s = login->wall_ms / 1000,
	};
	struct jwt_finding found;
	enum login_result result = jwt_judge(login->access->realms[login->realm].jwt, &who, &found);
	if (result != LOGIN_KNOWN)
		return (uint8_t)result;
	login->known_name = found.user_name;
	login->stamp = found.stamp;
	login->until_s = found.until_s;
	return LOGIN_KNOWN;
}

void login_answer(struct login *login)
{
	ASSERT(login->method == METHOD_PASSWORD || login->method == METHOD_JWT);
	login->result = login->method == METHOD_JWT ? verify_token(login) : verify_password(login);
}

const struct service *login_service(const struct login *login)
{
	return login->access->realms[login->realm].service;
}

struct span login_name(const struct login *login)
{
	return login->known_name ? span_of_text(login->known_name) : login->user_name;
}

void login_free(struct login *login)
{
	OPENSSL_cleanse(login->bytes, login->len);
	mem_free(login->known_name);
	access_unref(login->access);
	mem_free(login);
}
