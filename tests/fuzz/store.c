/* SPDX-License-Identifier: Apache-2.0 */
#include "store.h"
#include "fuzz.h"

#include "journal/compact.h"

#include <stdio.h>

#define FILES_MAX 24                 /* more would only slow it down */
#define ROOM_MAX ((uint64_t)4 << 20) /* of the disk: what a file says of itself may be anything */

const struct step_shape step_shapes[STEP_KINDS] = {
	[STORE_WRITE] = {4, 4}, [STORE_WORD] = {11, 0},  [STORE_FLIP] = {4, 0},
	[STORE_CUT] = {3, 0},   [STORE_REMOVE] = {1, 0}, [STORE_COPY] = {3, 0},
	[STORE_NEW] = {3, 3},   [STORE_BLOCK] = {4, 0},  [STORE_RECORD] = {4, 4},
	[STORE_LINE] = {2, 2},  [STORE_RENAME] = {3, 0},
};

static bool is_whole, is_forged;

bool store_is_whole(void)
{
	return is_whole;
}

bool store_is_forged(void)
{
	return is_forged;
}

/* --- files --- */

static unsigned file_count(struct simdisk *m)
{
	unsigned n = 0;
	while (simdisk_name(m, n))
		n++;
	return n;
}

/* False: there is none. */
static bool choose(struct simdisk *m, uint8_t number, char name[DISK_NAME_MAX], uint64_t *len_out)
{
	unsigned count = file_count(m);
	if (count == 0)
		return false;
	snprintf(name, DISK_NAME_MAX, "%s", simdisk_name(m, number % count));
	return simdisk_size(m, name, len_out);
}

static void name_of(uint8_t kind, uint8_t number, char name[DISK_NAME_MAX])
{
	static const char *const others[] = {FORMAT_FILE, DAMAGED_FILE, "ckpt-1.tmp", "LOCK"};
	kind %= FILE_OTHER + ARRAY_COUNT(others);
	if (kind < FILE_OTHER)
		file_name(name, kind, number);
	else
		snprintf(name, DISK_NAME_MAX, "%s", others[kind - FILE_OTHER]);
}

static void put(struct simdisk *m, const char *name, struct span bytes)
{
	struct disk *disk = simdisk_attach(m);
	struct disk_file *file;
	simdisk_remove(m, name);
	if (file_count(m) < FILES_MAX) {
		int error = disk->ops->open(disk, name, DISK_WRITE, &file);
		CHECK(error == 0);
		error = file->ops->write(file, &bytes, 1, 0);
		CHECK(error == 0);
		error = file->ops->sync(file);
		CHECK(error == 0);
		file->ops->close(file);
	}
	disk->ops->free(disk);
	simdisk_settle(m);
}

static struct span bytes_of(struct simdisk *m, const char *name)
{
	uint64_t len = 0;
	const uint8_t *bytes = simdisk_bytes(m, name, &len);
	return span_of(bytes, bytes ? (size_t)len : 0);
}

/* The store's id, which all checksums know. */
static uint64_t id_of(struct simdisk *m)
{
	struct store_facts facts = {0};
	struct span text = bytes_of(m, FORMAT_FILE);
	if (text.len > 0)
		(void)!store_facts_decode(text, &facts);
	return facts.store_id;
}

/* --- the steps --- */

static void write_word(struct simdisk *m, const char *name, uint64_t len, struct input *in)
{
	uint8_t block = take(in), word = take(in) & 7;
	struct span value = take_span(in, 8);
	uint64_t blocks = len / DISK_BLOCK ? len / DISK_BLOCK : 1;
	(void)simdisk_overwrite(m, name, block % blocks * DISK_BLOCK + (uint64_t)word * 8, value);
}

static void copy_file(struct simdisk *m, const char *from, struct input *in)
{
	char to[DISK_NAME_MAX];
	uint8_t kind = take(in);
	name_of(kind, take(in), to);
	struct span bytes = bytes_of(m, from);
	uint8_t *copy = fuzz_copy(bytes.ptr, bytes.len);
	put(m, to, span_of(copy, bytes.len));
	free(copy);
}

static void rename_file(struct simdisk *m, const char *from, struct input *in)
{
	char old[DISK_NAME_MAX];
	snprintf(old, sizeof(old), "%s", from);
	copy_file(m, from, in);
	simdisk_remove(m, old);
}

static void new_file(struct simdisk *m, struct input *in, char name[DISK_NAME_MAX])
{
	static uint8_t block[DISK_BLOCK * 4];
	uint8_t kind = take(in), number = take(in);
	struct span content = take_span(in, take(in));
	memset(block, 0, sizeof(block));
	if (content.len > 0)
		memcpy(block, content.ptr, content.len);
	name_of(kind, number, name);
	put(m, name, span_of(block, kind & 0x80 ? content.len : sizeof(block)));
}

static void copy_block(struct simdisk *m, const char *name, uint64_t len, struct input *in)
{
	char to[DISK_NAME_MAX];
	uint8_t block[DISK_BLOCK];
	uint64_t to_len;
	uint64_t at = take(in) * (uint64_t)DISK_BLOCK;
	if (!choose(m, take(in), to, &to_len) || at + sizeof(block) > len)
		return;
	memcpy(block, bytes_of(m, name).ptr + at, sizeof(block));
	uint64_t to_at = take(in) * (uint64_t)DISK_BLOCK;
	(void)simdisk_overwrite(m, to, to_at, span_of(block, sizeof(block)));
}

/* The body of a record of a segment or a copy becomes another one, as long as there is room. */
static void change_record(struct simdisk *m, const char *name, struct input *in)
{
	unsigned number = take_u16(in), found = 0;
	struct span body = take_span(in, take(in)), bytes = bytes_of(m, name);
	uint64_t store_id = id_of(m);
	uint32_t len;
	for (size_t at = DISK_BLOCK; at + RECORD_HEAD_BYTES <= bytes.len; at += LOG_ALIGN) {
		uint64_t position = load_le64(bytes.ptr + at + 8);
		if (position == 0 || !record_head_peek(bytes.ptr + at, position, &len) ||
		    !record_is_valid(span_of(bytes.ptr + at, bytes.len - at), store_id, position))
			continue;
		if (found++ < number % 64)
			continue;
		uint8_t head[RECORD_HEAD_BYTES];
		if (record_bytes(body.len) > record_bytes(len))
			return;
		record_head_encode(head, store_id, position, body);
		(void)simdisk_overwrite(m, name, at, span_of(head, sizeof(head)));
		(void)simdisk_overwrite(m, name, at + sizeof(head), body);
		return;
	}
}

static void change(struct simdisk *m, enum store_step step, struct input *in,
		   char name[DISK_NAME_MAX])
{
	uint64_t len;
	uint16_t offset;
	if (step == STORE_NEW) {
		new_file(m, in, name);
		return;
	}
	if (!choose(m, take(in), name, &len))
		return;
	switch (step) {
	case STORE_WRITE:
		offset = take_u16(in);
		(void)simdisk_overwrite(m, name, offset, take_span(in, take(in)));
		break;
	case STORE_WORD: write_word(m, name, len, in); break;
	case STORE_FLIP:
		offset = take_u16(in);
		(void)simdisk_flip(m, name, offset, take(in) & 7);
		break;
	case STORE_CUT: (void)simdisk_truncate(m, name, take_u16(in)); break;
	case STORE_REMOVE: (void)simdisk_remove(m, name); break;
	case STORE_COPY: copy_file(m, name, in); break;
	case STORE_BLOCK: copy_block(m, name, len, in); break;
	case STORE_RECORD: change_record(m, name, in); break;
	case STORE_LINE: put(m, name, take_span(in, take(in))); break;
	case STORE_RENAME: rename_file(m, name, in); break;
	default: break;
	}
}

/* With FUZZ_SHOW in the environment: for whoever looks into a finding. */
static void show(const char *name, uint8_t first)
{
	static const char *const names[STEP_KINDS] = {"write",  "word", "flip",  "cut",
						      "remove", "copy", "new",   "block",
						      "record", "line", "rename"};
	const char *step = names[step_kind_of(first)];
	if (getenv("FUZZ_SHOW") && step)
		fprintf(stderr, "%s %s%s\n", step, name, first & 1 ? ", sealed" : "");
}

void store_show(struct simdisk *m, const char *when)
{
	const char *name;
	uint64_t len = 0;
	for (unsigned n = 0; getenv("FUZZ_SHOW") && (name = simdisk_name(m, n)); n++) {
		(void)simdisk_size(m, name, &len);
		fprintf(stderr, "%s: %s %llu\n", when, name, (unsigned long long)len);
	}
}

struct simdisk *store_of(struct input *in, uint8_t choice)
{
	static struct simdisk *bases[STORE_BASES];
	for (unsigned i = 0; i < STORE_BASES; i++)
		if (!bases[i])
			bases[i] = store_base_new(i);
	struct simdisk *m = simdisk_clone(bases[choice % STORE_BASES], choice);
	is_whole = in->len == 0;
	is_forged = false;
	while (in->len > 0) {
		char name[DISK_NAME_MAX] = "";
		uint8_t first = take(in);
		change(m, step_kind_of(first), in, name);
		is_forged |= first & 1 || step_kind_of(first) == STORE_RECORD;
		if (first & 1)
			store_seal(m, name);
		show(name, first);
	}
	simdisk_settle(m);
	simdisk_set_capacity(m, ROOM_MAX);
	return m;
}
