/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Which rows of the delivery tables (session/delivery.h) a run has taken, and how often: of the
 * broker's ends and of the clients', and the empty cells, which are protocol errors, too.
 *
 * The linker puts us between the tables' functions and their users (meson.build: --wrap), so that
 * what runs is what ships.
 */
#ifndef NIGHTJAR_TESTS_SIM_ROWS_H
#define NIGHTJAR_TESTS_SIM_ROWS_H

#include "base/base.h"

enum rows_side { ROWS_BROKER, ROWS_CLIENT, ROWS_SIDES };

/* Whose tables run from now on; gives who was before. */
enum rows_side rows_set_side(enum rows_side side);
/* Prints "rows covered: X of Y", and what is missing by name; with `is_long` each row. */
void rows_print(bool is_long);
/* Rows that nothing has taken, of those that can be. */
unsigned rows_missing(void);

#endif
