/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Conversations with a broker, a line for each step:
 *
 *   a > CONNECT v5 id=a clean     sends; opens a connection first if a has none
 *   a + PUBLISH t=x p=1           goes along with what a sends next, in one segment
 *   a < CONNACK 00                the next packet that a receives (words: talk.h)
 *   a < closed                    the broker has closed, nothing before it
 *   a < nothing
 *   a < 20 PUBLISH                the next 20 packets begin like that
 *   a cut                         the connection is lost; what is under way still arrives
 *   a cut 5                       of what a sends from now on 5 bytes arrive, then it is lost
 *   a deaf 5                      of what the broker sends 5 bytes arrive, then it is lost
 *   a close                       a closes its end
 *   a stop / a go                 a stops reading / reads again
 *   a small 100                   a's next connection holds only so many bytes under way
 *   a mount dev/                  a's next connections come by a listener with that mount point;
 *                                 "a mount": by one without
 *   a from 192.0.2.7:1            a's next connections come from there
 *   a at 2                        a's next connection comes in at shard 2 (modulo their number)
 *   wait 1500                     milliseconds pass
 *   repeat 20 a + PUBLISH t=x     the same so often; %d counts from 1
 *   together                      no turn is taken until the next line "apart": what is sent comes
 *                                 to the broker in one turn
 *   # a comment
 *
 * Every packet must be expected: at the end none may be left. Connections that are open in the end
 * are ended by the broker's end, after which all memory must be back.
 */
#ifndef NIGHTJAR_TESTS_SIM_PLAY_H
#define NIGHTJAR_TESTS_SIM_PLAY_H

#include "base/buffer.h"
#include "kit/kit.h"
#include "kit/talk.h"

#define ACTORS_MAX 24

struct actor {
	char name[16];
	char mount[16];
	struct stream stream;
	struct stream broker_end;
	struct buffer in;  /* received, not yet expected */
	struct buffer out; /* to be sent */
	uint8_t version;
	uint32_t capacity;
	unsigned shard;
	char address[64]; /* "": the usual one */
	bool is_open;     /* has a connection */
	bool is_ended;    /* the broker closed it, or it was cut */
	bool is_stopped;  /* does not read */
};

struct play {
	struct kit kit;
	struct actor actors[ACTORS_MAX];
	unsigned actor_count;
	uint32_t chunk; /* bytes of one write; 0 = as many as there are */
	bool is_together;
	const char *line; /* being played, for failures */
	unsigned line_number;
};

void play_start(struct play *p, const struct settings *settings, unsigned shard_count,
		uint64_t seed, uint32_t chunk);
/* Lines of a script. A line that does not hold ends the program with its number and text. */
void play_lines(struct play *p, const char *script);
/* One line, made as by printf. */
void play_line(struct play *p, const char *format, ...) PRINTF_LIKE(2, 3);
/* All packets must have been expected; frees everything. */
void play_finish(struct play *p);
/* As play_finish; memory must be back. */
void play_stop(struct play *p);

/* The next packet that an actor received, as words; false when there is none. */
bool play_next(struct actor *a, char text[TALK_TEXT_MAX]);
struct actor *play_actor(struct play *p, const char *name);
/* Sends what is there, lets the broker work, receives. */
void play_settle(struct play *p);

/* The whole script, from start to stop, over 1, 2 and 5 shards, in large and in small chunks. */
void play_all(const struct settings *settings, const char *script);
/* Over that many shards only, where a script depends on it. */
void play_over(const struct settings *settings, unsigned shard_count, const char *script);

#endif
