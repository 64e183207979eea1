/* SPDX-License-Identifier: Apache-2.0 */
#include "cli/payload.h"

#include "cli/input.h"
#include "mqtt/types.h"

#include <fcntl.h>
#include <stdio.h>
#include <unistd.h>

/* False, after saying why, when there is nothing to publish. */
static bool load(struct payload *p, int fd)
{
	int error = input_read_all(fd, &p->content);
	if (error == ERROR_LIMIT || buffer_len(&p->content) > REMAINING_LENGTH_MAX)
		fprintf(stderr, "Error: Message length must be less than %u bytes.\n",
			REMAINING_LENGTH_MAX);
	else if (error == ERROR_SYSTEM)
		perror("Error: Unable to read");
	else if (error)
		fprintf(stderr, "Error: Out of memory.\n");
	else
		return true;
	return false;
}

static bool load_stdin(struct payload *p)
{
	bool is_loaded = load(p, STDIN_FILENO);
	if (is_loaded && buffer_len(&p->content) == 0) {
		fprintf(stderr, "Error: Zero length input.\n");
		is_loaded = false;
	}
	if (!is_loaded)
		fprintf(stderr, "Error loading input from stdin.\n");
	return is_loaded;
}

static bool load_file(struct payload *p, const char *path)
{
	int fd = open(path, O_RDONLY | O_CLOEXEC);
	if (fd < 0)
		fprintf(stderr, "Error: Unable to open file \"%s\".\n", path);
	bool is_loaded = fd >= 0 && load(p, fd);
	if (fd >= 0)
		close(fd);
	if (!is_loaded)
		fprintf(stderr, "Error loading input file \"%s\".\n", path);
	return is_loaded;
}

bool payload_load(struct payload *p, const struct options *o)
{
	bool is_loaded = true;
	p->bytes = SPAN_NONE;
	if (o->source == SOURCE_MESSAGE)
		p->bytes = span_of_text(o->message);
	else if (o->source == SOURCE_FILE)
		is_loaded = load_file(p, o->message);
	else if (o->source == SOURCE_STDIN)
		is_loaded = load_stdin(p);
	if (buffer_len(&p->content) > 0)
		p->bytes = buffer_content(&p->content);
	return is_loaded;
}

void payload_release(struct payload *p)
{
	buffer_release(&p->content);
}
