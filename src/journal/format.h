/* SPDX-License-Identifier: Apache-2.0 */
/*
 * What stands in the journal's files, as bytes: encoded and verified, nothing more. The page for
 * people is docs/JOURNAL.md. All numbers are little-endian.
 *
 *     segment file: | block 0 | frame | frame | ...            each at a multiple of DISK_BLOCK
 *     frame:        | header 48 | record | record | ... | zeros to the next block |
 *     record:       | header 16 | body | zeros to the next multiple of LOG_ALIGN |
 */
#ifndef NIGHTJAR_JOURNAL_FORMAT_H
#define NIGHTJAR_JOURNAL_FORMAT_H

#include "journal/disk.h"
#include "journal/log.h"

#define FORMAT_VERSION 1
#define SEGMENT_HEAD_BYTES DISK_BLOCK
#define FRAME_HEAD_BYTES 48
#define RECORD_HEAD_BYTES LOG_RECORD_ROOM
#define FORMAT_FILE "FORMAT"
#define FORMAT_TEXT_MAX 256

/* Positions: segment number and byte offset in its file; segment numbers begin at 1. */
static inline uint64_t position_of(uint32_t segment, uint64_t offset)
{
	ASSERT(offset <= UINT32_MAX);
	return (uint64_t)segment << 32 | offset;
}

static inline uint32_t position_segment(uint64_t position)
{
	return (uint32_t)(position >> 32);
}

static inline uint32_t position_offset(uint64_t position)
{
	return (uint32_t)position;
}

static inline uint64_t round_up(uint64_t len, uint64_t to)
{
	return (len + to - 1) / to * to;
}

static inline uint32_t load_le32(const uint8_t *p)
{
	return (uint32_t)p[0] | (uint32_t)p[1] << 8 | (uint32_t)p[2] << 16 | (uint32_t)p[3] << 24;
}

static inline uint64_t load_le64(const uint8_t *p)
{
	return (uint64_t)load_le32(p) | (uint64_t)load_le32(p + 4) << 32;
}

static inline void store_le32(uint8_t *p, uint32_t value)
{
	p[0] = (uint8_t)value;
	p[1] = (uint8_t)(value >> 8);
	p[2] = (uint8_t)(value >> 16);
	p[3] = (uint8_t)(value >> 24);
}

static inline void store_le64(uint8_t *p, uint64_t value)
{
	store_le32(p, (uint32_t)value);
	store_le32(p + 4, (uint32_t)(value >> 32));
}

/* The file FORMAT: a few lines of text. */
struct store_facts {
	uint32_t version;
	uint32_t segment_bytes;
	uint64_t store_id; /* random; bytes of another store are never valid in this one */
};
/* Length of the text. */
size_t store_facts_encode(char text[FORMAT_TEXT_MAX], const struct store_facts *facts);
/* 0; ERROR_LIMIT: of a newer format (version_out tells which); ERROR_DAMAGED. */
int store_facts_decode(struct span text, struct store_facts *out) MUST_USE;

/* Block 0 of a segment file. It is written twice: when the segment is made ready, and together
 * with its first frame. */
struct segment_head {
	uint64_t store_id;
	uint32_t number;
	uint32_t incarnation; /* one higher at each start of the journal */
	/* Where the data before this segment ended, in which segment ever. All below it was on
	 * stable storage before this block was written. 0 in the first segment. */
	uint64_t previous_end;
	uint64_t file_bytes;
	bool is_begun; /* false: made ready, holds no frame */
};
void segment_head_encode(uint8_t block[SEGMENT_HEAD_BYTES], const struct segment_head *head);
/* False: these bytes are no block 0 that was written whole. Store and number are for the caller
 * to compare. */
bool segment_head_decode(const uint8_t block[SEGMENT_HEAD_BYTES], struct segment_head *out);

enum frame_flag {
	FRAME_SEAL = 1 << 0, /* holds no record: written to say `durable` */
};

struct frame_head {
	uint64_t position; /* of this header */
	uint64_t durable;  /* all below was on stable storage when this was built */
	uint64_t commit;   /* number of the commit, ever increasing */
	uint32_t incarnation;
	uint32_t payload_len; /* behind the header, a multiple of LOG_ALIGN */
	uint32_t records;
	uint32_t flags; /* enum frame_flag */
};
void frame_head_encode(uint8_t to[FRAME_HEAD_BYTES], uint64_t store_id,
		       const struct frame_head *head);
/* False unless it is whole, of this store, and written for this very position. Says nothing of
 * the records behind it. */
bool frame_head_decode(const uint8_t from[FRAME_HEAD_BYTES], uint64_t store_id, uint64_t position,
		       struct frame_head *out);
/* Bytes in the file, header and padding included. */
static inline uint64_t frame_bytes(uint64_t payload_len)
{
	return round_up(FRAME_HEAD_BYTES + payload_len, DISK_BLOCK);
}

/* Bytes that a record takes, with header and padding. */
static inline uint64_t record_bytes(uint64_t body_len)
{
	return round_up(RECORD_HEAD_BYTES + body_len, LOG_ALIGN);
}
void record_head_encode(uint8_t to[RECORD_HEAD_BYTES], uint64_t store_id, uint64_t position,
			struct span body);
/* Cheap: could a record of this position begin here? Its body's length, to have that many bytes
 * ready for record_is_valid; false: certainly none. */
bool record_head_peek(const uint8_t from[RECORD_HEAD_BYTES], uint64_t position,
		      uint32_t *body_len_out);
/* A record is valid if and only if this says so: header and body, in one piece. */
bool record_is_valid(struct span record, uint64_t store_id, uint64_t position);

/* Names of files. */
enum file_kind {
	FILE_SEGMENT,    /* seg-<16 hex digits>.log */
	FILE_COMPACTED,  /* seg-<16 hex digits>.cmp, by the number of its first segment */
	FILE_SPARE,      /* spare-<n>: a segment's file whose content nobody wants */
	FILE_CHECKPOINT, /* ckpt-<n> */
	FILE_OTHER,
};
void file_name(char name[DISK_NAME_MAX], enum file_kind kind, uint32_t number);
/* FILE_OTHER for all that file_name does not make. */
enum file_kind file_name_parse(const char *name, uint32_t *number_out);

#endif
