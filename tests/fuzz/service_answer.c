/* SPDX-License-Identifier: Apache-2.0 */
/*
 * What a service answers: a status (first byte) and a body. Whoever is let in has a name that MQTT
 * can carry; nothing but a word or silence lets anybody in. And a question made of the same bytes,
 * which as a form always comes to be.
 */
#include "access/service.h"
#include "base/mem.h"
#include "fuzz.h"
#include "mqtt/wire.h"

static void check_answer(long status, struct span body)
{
	struct service_answer answer;
	enum login_result result = service_read_answer(status, body, &answer);
	CHECK(result == LOGIN_KNOWN || result == LOGIN_WRONG || result == LOGIN_UNKNOWN ||
	      result == LOGIN_SERVICE);
	if (result != LOGIN_KNOWN)
		return;
	CHECK(status == 200 || status == 204);
	CHECK(body.len == 0 || memmem(body.ptr, body.len, "result", 6));
	CHECK(!answer.user_name ||
	      (*answer.user_name && utf8_is_valid(span_of_text(answer.user_name))));
	mem_free(answer.user_name);
}

static void check_question(bool has_form, struct span text)
{
	struct service *s = service_new(
		&(struct service_options){.url = "http://localhost/", .has_form = has_form}, 7);
	const struct service_question question = {.client_id = text,
						  .user_name = &text,
						  .password = &text,
						  .address = SPAN_LITERAL("127.0.0.1"),
						  .port = 1883};
	struct buffer body = {0};
	CHECK(s);
	int error = service_put_question(s, &question, &body);
	CHECK(error == 0 || (!has_form && error == ERROR_INVALID));
	struct span content = buffer_content(&body);
	for (size_t i = 0; i < content.len && error == 0; i++)
		CHECK(content.ptr[i] >= 0x20);
	buffer_release(&body);
	service_free(s);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t len)
{
	static const long statuses[] = {200, 204, 403, 500, 0};
	if (len == 0)
		return 0;
	uint8_t *copy = fuzz_copy(data + 1, len - 1);
	struct span body = span_of(copy, len - 1);
	check_answer(statuses[data[0] % ARRAY_COUNT(statuses)], body);
	check_question(true, body);
	check_question(false, body);
	free(copy);
	return 0;
}
