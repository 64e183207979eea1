/* SPDX-License-Identifier: Apache-2.0 */
#include "cli/options_file.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

bool options_file_path(const char *name, char *path, size_t size)
{
	const char *config = getenv("XDG_CONFIG_HOME"), *home = getenv("HOME");
	int len;
	if (config && config[0] != '\0')
		len = snprintf(path, size, "%s/%s", config, name);
	else if (home && home[0] != '\0')
		len = snprintf(path, size, "%s/.config/%s", home, name);
	else
		return false;
	return len > 0 && (size_t)len < size;
}

static int read_all(int fd, struct buffer *text)
{
	ssize_t len = 1;
	while (len > 0) {
		if (buffer_len(text) > OPTIONS_FILE_MAX)
			return ERROR_LIMIT;
		int error = buffer_reserve(text, 4096);
		if (error)
			return error;
		len = read(fd, buffer_room(text).ptr, 4096);
		if (len < 0)
			return ERROR_SYSTEM;
		buffer_commit(text, (size_t)len);
	}
	return buffer_append(text, SPAN_LITERAL("\0"));
}

int options_file_read(const char *path, struct buffer *text)
{
	int fd = open(path, O_RDONLY | O_CLOEXEC);
	if (fd < 0)
		return ERROR_SYSTEM;
	int error = read_all(fd, text), saved = errno;
	close(fd);
	errno = saved;
	return error;
}

static bool is_blank(char letter)
{
	return letter == ' ' || letter == '\t';
}

static void trim_end(char *line)
{
	size_t len = strlen(line);
	while (len > 0 && (strchr("\r\n", line[len - 1]) || is_blank(line[len - 1])))
		line[--len] = '\0';
}

static char *skip_blanks(char *at)
{
	while (is_blank(*at))
		at++;
	return at;
}

/* The word at `at` gets its end; what follows it. */
static char *cut_word(char *at)
{
	while (*at != '\0' && !is_blank(*at))
		at++;
	if (*at == '\0')
		return at;
	*at = '\0';
	return skip_blanks(at + 1);
}

int options_file_cut(char *line, char *words[OPTIONS_WORDS_MAX])
{
	int count = 0;
	trim_end(line);
	char *at = skip_blanks(line);
	if (*at == '\0' || *at == '#')
		return 0;
	words[count++] = at;
	at = cut_word(at);
	if (strcmp(words[0], "--manual-ack") == 0 && *at != '\0') {
		words[count++] = at;
		at = cut_word(at);
	}
	bool has_several = strcmp(words[0], "-D") == 0 || strcmp(words[0], "--property") == 0;
	while (has_several && *at != '\0' && count < OPTIONS_WORDS_MAX - 1) {
		bool is_last = count == 3 && strcmp(words[2], "user-property") != 0;
		if (is_last)
			break; /* the value, blanks and all */
		words[count++] = at;
		at = cut_word(at);
	}
	if (*at != '\0' && count < OPTIONS_WORDS_MAX)
		words[count++] = at;
	return count;
}
