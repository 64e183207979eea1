/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Words for rows of the table of options (options_*.c). Names and meanings are those of mosquitto
 * 2.0 where it has them; bounds are those within which the broker is tested. Defaults stand in
 * config_init and settings_init.
 */
#ifndef NIGHTJAR_CONFIG_OPTION_ROW_H
#define NIGHTJAR_CONFIG_OPTION_ROW_H

#include "config/option.h"

/* To which member the value goes. */
#define MEMBER(where, structure, member)                                                           \
	.target = (where), .offset = offsetof(structure, member),                                  \
	.size = sizeof(((structure *)0)->member)
#define SETTING(member) MEMBER(OPTION_TO_SETTINGS, struct settings, member)
#define CONFIG(member) MEMBER(OPTION_TO_CONFIG, struct config, member)
#define LISTENER(member) MEMBER(OPTION_TO_LISTENER, struct config_listener, member)
#define ACCESS(member) MEMBER(OPTION_TO_ACCESS, struct config_access, member)

#define NUMBER(smallest, largest) .type = OPTION_NUMBER, .min = (smallest), .max = (largest)
#define BOOL .type = OPTION_BOOL, .value = "true|false"
/* Accepted, with a notice. */
#define UNUSED(value_text, advice) .status = OPTION_UNUSED, .value = (value_text), .text = (advice)
#define BYTES_MAX INT64_C(0x7fffffffffffffff)

#endif
