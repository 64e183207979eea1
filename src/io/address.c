/* SPDX-License-Identifier: Apache-2.0 */
#include "io/address.h"

#include <arpa/inet.h>
#include <netinet/in.h>
#include <stdio.h>
#include <sys/socket.h>

static void write_ipv4(const void *ip, uint16_t port, char *text)
{
	char digits[INET_ADDRSTRLEN];
	inet_ntop(AF_INET, ip, digits, sizeof(digits));
	snprintf(text, ADDRESS_TEXT_MAX, "%s:%u", digits, port);
}

static void write_ipv6(const struct in6_addr *ip, uint16_t port, char *text)
{
	if (IN6_IS_ADDR_V4MAPPED(ip)) {
		write_ipv4(ip->s6_addr + 12, port, text);
		return;
	}
	char digits[INET6_ADDRSTRLEN];
	inet_ntop(AF_INET6, ip, digits, sizeof(digits));
	snprintf(text, ADDRESS_TEXT_MAX, "[%s]:%u", digits, port);
}

uint16_t address_port(const struct sockaddr_storage *address)
{
	switch (address->ss_family) {
	case AF_INET: return ntohs(((const struct sockaddr_in *)address)->sin_port);
	case AF_INET6: return ntohs(((const struct sockaddr_in6 *)address)->sin6_port);
	default: return 0;
	}
}

void address_text(const struct sockaddr_storage *address, char text[ADDRESS_TEXT_MAX])
{
	uint16_t port = address_port(address);
	switch (address->ss_family) {
	case AF_INET:
		write_ipv4(&((const struct sockaddr_in *)address)->sin_addr, port, text);
		break;
	case AF_INET6:
		write_ipv6(&((const struct sockaddr_in6 *)address)->sin6_addr, port, text);
		break;
	default: memcpy(text, "unix", sizeof("unix")); break;
	}
}
