/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The script of `nightjar simulate`: kinds of devices, and what each does. nightjar-simulate(1)
 * describes the language; the tables in simulate_script.c are it.
 */
#ifndef NIGHTJAR_CLI_SIMULATE_SCRIPT_H
#define NIGHTJAR_CLI_SIMULATE_SCRIPT_H

#include "cli/simulate_template.h"

/* More than one machine has ports and descriptors for. */
#define SIMULATE_DEVICES_MAX 1000000
/* A script that a human reads has fewer; they bound what a device holds. */
#define SIMULATE_KINDS_MAX 64
#define SIMULATE_FLOWS_MAX 32
#define SIMULATE_SUBSCRIPTIONS_MAX 32
#define SIMULATE_LINE_MAX ((size_t)64 << 10)
#define SIMULATE_SCRIPT_BYTES_MAX ((size_t)1 << 20)

/* A message: published again and again, at each connection (birth), or as the will. */
struct simulate_message {
	struct template topic;
	struct template payload;
	uint64_t every_ms;
	uint32_t jitter; /* percent of every_ms */
	uint32_t expiry; /* seconds; 0: none */
	uint32_t delay;  /* seconds, of a will */
	uint8_t qos;
	bool retain;
};

struct simulate_subscription {
	struct template filter;
	uint8_t qos;
};

/* Devices that are alike. */
struct simulate_kind {
	char *name;
	uint32_t count;
	uint8_t version; /* enum mqtt_version */
	uint16_t keep_alive;
	uint32_t session; /* seconds that the server keeps it; 0: clean start */
	struct template client_id;
	struct template user_name, password; /* of no pieces: none */
	uint64_t start_ms;                   /* over which the devices start */
	uint64_t on_ms, off_ms;              /* 0: always on */
	uint32_t churn_jitter;               /* percent */
	uint32_t cut;                        /* percent of the ends without DISCONNECT */
	bool has_will, has_birth;
	struct simulate_message will, birth;
	struct simulate_message *flows;
	uint32_t flow_count;
	struct simulate_subscription *subscriptions;
	uint32_t subscription_count;
	uint32_t cell_count;
};

struct simulate_script {
	char *host; /* NULL: not said */
	uint16_t port;
	uint64_t duration_ms; /* 0: without end */
	uint64_t seed;
	bool has_seed;
	struct simulate_kind *kinds;
	uint32_t kind_count;
	uint32_t device_count;
};

/* Reads a whole script. 0, or ERROR_INVALID with what is wrong in `errors`, a line each. `name` is
 * the file's. Release in every case. */
int simulate_script_parse(struct simulate_script *s, const char *name, struct span text,
			  struct buffer *errors) MUST_USE;
void simulate_script_release(struct simulate_script *s);

#endif
