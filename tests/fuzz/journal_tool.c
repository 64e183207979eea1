/* SPDX-License-Identifier: Apache-2.0 */
/*
 * `nightjar journal` on a store that the input has changed (store.h). It changes nothing, but for
 * compact; its JSON is JSON, its text is harmless to a terminal, both say the same; and what nobody
 * touched is sound.
 */
#include "admin/journal_tool.h"
#include "base/mem.h"
#include "quiet.h"
#include "store.h"

enum tool_bit {
	TOOL_IS_DUMP = 0x04,
	TOOL_IS_STATS = 0x08, /* with the one above: compact */
};

/* The caller releases what was printed. */
static int run(struct simdisk *medium, int (*tool)(struct journal_tool *t), bool is_json,
	       struct quiet *quiet)
{
	struct journal_tool t = {"store", simdisk_attach(medium), is_json};
	quiet_begin(quiet);
	int status = tool(&t);
	quiet_end(quiet);
	if (t.disk)
		t.disk->ops->free(t.disk);
	CHECK(status >= JOURNAL_SOUND && status <= JOURNAL_CANNOT);
	CHECK(status != JOURNAL_CANNOT || quiet->err_len > 0);
	return status;
}

static void check_text(const char *bytes, size_t len)
{
	struct span text = span_of(bytes, len);
	for (size_t i = 0; i < text.len; i++) {
		bool is_c1 = text.ptr[i] == 0xC2 && i + 1 < text.len && text.ptr[i + 1] < 0xA0;
		CHECK(!is_c1 && text.ptr[i] != 0x7F);
		CHECK(text.ptr[i] >= 0x20 || text.ptr[i] == '\n');
	}
}

/* One document, or one a line. */
static void check_json(const struct quiet *quiet, bool is_lines)
{
	struct span text = span_of(quiet->out_text, quiet->out_len);
	while (text.len > 0) {
		json_error_t error;
		const uint8_t *end = is_lines ? memchr(text.ptr, '\n', text.len) : NULL;
		size_t len = end ? (size_t)(end - text.ptr) + 1 : text.len;
		json_t *value = json_loadb((const char *)text.ptr, len, 0, &error);
		CHECK(value);
		json_decref(value);
		text = span_of(text.ptr + len, text.len - len);
	}
}

static uint64_t changes(const struct simdisk *medium)
{
	return simdisk_calls(medium, SIMDISK_WRITE) + simdisk_calls(medium, SIMDISK_RESERVE) +
	       simdisk_calls(medium, SIMDISK_RENAME) + simdisk_calls(medium, SIMDISK_REMOVE);
}

static int try_tool(struct simdisk *medium, int (*tool)(struct journal_tool *t))
{
	struct quiet text, json;
	uint64_t before = changes(medium);
	int status = run(medium, tool, false, &text);
	CHECK(run(medium, tool, true, &json) == status);
	CHECK(changes(medium) == before);
	check_text(text.out_text, text.out_len);
	check_text(text.err_text, text.err_len);
	check_json(&json, tool == journal_dump);
	quiet_release(&text);
	quiet_release(&json);
	return status;
}

static void compact(struct simdisk *medium, bool is_json)
{
	struct quiet quiet;
	bool is_whole = store_is_whole();
	int status = run(medium, journal_compact, is_json, &quiet);
	if (is_json)
		check_json(&quiet, false);
	check_text(quiet.err_text, quiet.err_len);
	quiet_release(&quiet);
	CHECK(!is_whole || status == JOURNAL_SOUND);
	simdisk_kill(medium);
	status = try_tool(medium, journal_check);
	CHECK(!is_whole || status == JOURNAL_SOUND);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t len)
{
	struct input in = {data, len};
	if (len < HEAD_BYTES)
		return 0;
	uint8_t bits = take(&in), more = take(&in);
	struct simdisk *medium = store_of(&in, bits);
	int (*const tool)(struct journal_tool *) = bits & TOOL_IS_STATS  ? journal_stats
						   : bits & TOOL_IS_DUMP ? journal_dump
									 : journal_check;
	mem_count_start();
	if (bits & TOOL_IS_DUMP && bits & TOOL_IS_STATS)
		compact(medium, more & 1);
	else if (try_tool(medium, tool) != JOURNAL_SOUND)
		CHECK(!store_is_whole());
	CHECK(mem_count_live() == 0);
	simdisk_free(medium);
	return 0;
}
