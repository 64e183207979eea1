/* SPDX-License-Identifier: Apache-2.0 */
#include "lines.h"

#include <stdio.h>
#include <stdlib.h>

void lines_serve(void (*perform)(char *line))
{
	char *line = NULL;
	size_t size = 0;
	ssize_t len;
	while ((len = getline(&line, &size, stdin)) > 0) {
		line[len - 1] = '\0';
		perform(line);
		puts("ok");
		fflush(stdout);
	}
	free(line);
}

char *line_word(char **rest)
{
	return strsep(rest, " ");
}

uint64_t line_number(char **rest)
{
	char *word = line_word(rest), *end;
	ASSERT(word);
	uint64_t number = strtoull(word, &end, 10);
	ASSERT(end != word && *end == '\0');
	return number;
}

static uint8_t digit_of(char c)
{
	static const char digits[] = "0123456789abcdef";
	const char *found = strchr(digits, c);
	ASSERT(c != '\0' && found);
	return (uint8_t)(found - digits);
}

void line_bytes(const char *word, struct buffer *out)
{
	for (; *word != '\0'; word += 2) {
		uint8_t byte = (uint8_t)(digit_of(word[0]) << 4 | digit_of(word[1]));
		int error = buffer_append(out, span_of(&byte, 1));
		ASSERT(error == 0);
	}
}

void line_print(struct span bytes)
{
	for (size_t i = 0; i < bytes.len; i++)
		printf("%02x", bytes.ptr[i]);
}
