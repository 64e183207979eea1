/* SPDX-License-Identifier: Apache-2.0 */
#include "cli/progress.h"

#include <stdio.h>
#include <sys/stat.h>

/* Short work needs no bar; a faster one cannot be read. */
#define FIRST_MS 1000
#define EACH_MS 200
#define BAR_WIDTH 20

void progress_begin(struct progress *p, uint64_t now_ms, int input_fd, uint64_t messages_max)
{
	struct stat status;
	*p = (struct progress){.is_shown = true,
			       .began_ms = now_ms,
			       .next_ms = now_ms + FIRST_MS,
			       .messages_max = messages_max};
	if (input_fd >= 0 && fstat(input_fd, &status) == 0 && S_ISREG(status.st_mode))
		p->bytes_max = (uint64_t)status.st_size;
}

uint64_t progress_deadline(const struct progress *p)
{
	return p->is_shown ? p->next_ms : UINT64_MAX;
}

/* From 0 to 1, or negative where it is not known. */
static double share(const struct progress *p, uint64_t messages, uint64_t bytes)
{
	double done = -1.0;
	if (p->bytes_max > 0)
		done = (double)bytes / (double)p->bytes_max;
	else if (p->messages_max > 0)
		done = (double)messages / (double)p->messages_max;
	return done > 1.0 ? 1.0 : done;
}

void progress_line(const struct progress *p, uint64_t now_ms, uint64_t messages, uint64_t bytes,
		   char *line, size_t size)
{
	double seconds = (double)(now_ms - p->began_ms) / 1000.0;
	double done = share(p, messages, bytes);
	double rate = seconds > 0.0 ? (double)messages / seconds : 0.0;
	char bar[BAR_WIDTH + 1];
	int filled = (int)(done * BAR_WIDTH);
	for (int i = 0; i < BAR_WIDTH; i++)
		bar[i] = i < filled ? '=' : i == filled ? '>' : ' ';
	bar[BAR_WIDTH] = '\0';
	if (done > 0.0)
		snprintf(line, size, "[%s] %3.0f %%  %llu messages, %.0f/s, %.0f s left", bar,
			 done * 100.0, (unsigned long long)messages, rate,
			 seconds / done - seconds);
	else
		snprintf(line, size, "%llu messages, %.0f/s", (unsigned long long)messages, rate);
}

void progress_show(struct progress *p, uint64_t now_ms, uint64_t messages, uint64_t bytes)
{
	char line[160];
	if (!p->is_shown || now_ms < p->next_ms)
		return;
	progress_line(p, now_ms, messages, bytes, line, sizeof(line));
	fprintf(stderr, "\r%s\033[K", line);
	p->has_line = true;
	p->next_ms = now_ms + EACH_MS;
}

void progress_end(struct progress *p)
{
	if (p->has_line)
		fputs("\r\033[K", stderr);
	p->has_line = p->is_shown = false;
}
