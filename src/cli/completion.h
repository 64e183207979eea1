/* SPDX-License-Identifier: Apache-2.0 */
/*
 * `nightjar completion bash|zsh|fish`: what a shell needs to know to complete our command lines,
 * out of the tables of commands and options. For example, in ~/.bashrc:
 *
 *	source <(nightjar completion bash)
 */
#ifndef NIGHTJAR_CLI_COMPLETION_H
#define NIGHTJAR_CLI_COMPLETION_H

#include <stdbool.h>
#include <stddef.h>
#include <stdio.h>

struct completion_command {
	const char *name;
	const char *summary;
};

/* False for a shell that is not known. */
bool completion_print(const char *shell, const struct completion_command *commands, size_t count,
		      FILE *to);

#endif
