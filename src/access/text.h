/* SPDX-License-Identifier: Apache-2.0 */
/* Lines and words of a password or ACL file. */
#ifndef NIGHTJAR_ACCESS_TEXT_H
#define NIGHTJAR_ACCESS_TEXT_H

#include "base/base.h"

/* The next line without its end and what is blank behind it; taken from the text. */
struct span text_line_take(struct span *text);
/* The next word, and what is blank around it; empty at the end. */
struct span text_word_take(struct span *text);
/* Without spaces and tabs at its ends. */
struct span text_trimmed(struct span text);

#endif
