/* SPDX-License-Identifier: Apache-2.0 */
/* Socket addresses as text: "127.0.0.1:43210", "[::1]:43210", "unix". */
#ifndef NIGHTJAR_IO_ADDRESS_H
#define NIGHTJAR_IO_ADDRESS_H

#include "base/base.h"

struct sockaddr_storage;

/* Room for the longest one: 45 bytes of IPv6, brackets, colon, five digits, NUL. */
#define ADDRESS_TEXT_MAX 56

/* NUL-terminated. An IPv4 address that comes wrapped in IPv6 is shown as IPv4. */
void address_text(const struct sockaddr_storage *address, char text[ADDRESS_TEXT_MAX]);
/* 0 for addresses that have none. */
uint16_t address_port(const struct sockaddr_storage *address);

#endif
