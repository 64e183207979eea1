/* SPDX-License-Identifier: Apache-2.0 */
/*
 * What a broker is told: settings, listeners, log and process, from a file in mosquitto.conf's
 * grammar and from the command line. One table of options (option.h) drives parsing, defaults,
 * range checks and the manual page.
 *
 *     config_init          every default
 *     config_load_file     none or one file, and those that it includes
 *     config_set, config_add_port, config_set_verbose    the command line, which wins
 *     config_finish        what follows from all of it: listeners, who may come in
 *
 * Nothing is parsed and ignored: what the broker doesn't do is an error that says so. All mistakes
 * of a file are reported, not only the first.
 */
#ifndef NIGHTJAR_CONFIG_CONFIG_H
#define NIGHTJAR_CONFIG_CONFIG_H

#include "access/access.h"
#include "base/buffer.h"
#include "broker/settings.h"
#include "config/option.h"
#include "config/source.h"
#include "journal/journal.h"
#include "trace/lines.h"

/* More would be a mistake of the file: each takes a socket per address family. */
#define CONFIG_LISTENERS_MAX 64
/* A configuration is written by hand; what is larger is another file, or a device. */
#define CONFIG_FILE_BYTES_MAX ((size_t)1 << 20)
#define CONFIG_LINE_BYTES_MAX 4096
/* Files that one configuration is read from. */
#define CONFIG_FILES_MAX 256
/* Reported mistakes; the rest is counted. */
#define CONFIG_ERRORS_MAX 100
/* Of an auto_id_prefix: what is given stays as short as clients expect. */
#define CONFIG_ID_PREFIX_MAX 64
/* Of a mount_point: it goes in front of every topic. */
#define CONFIG_MOUNT_BYTES_MAX 1024

/* Of the head of a request for a WebSocket, where nothing is said. */
#define CONFIG_HEAD_BYTES 8192

enum socket_family {
	SOCKET_FAMILY_ANY,
	SOCKET_FAMILY_IPV4,
	SOCKET_FAMILY_IPV6,
};

/* Bits of config.log_destinations. */
#define LOG_TO_STDERR 0x01
#define LOG_TO_STDOUT 0x02
#define LOG_TO_SYSLOG 0x04
#define LOG_TO_FILE 0x08
#define LOG_TO_JOURNAL 0x10
#define LOG_TO_TOPIC 0x20

/* What kind of disk the store is tuned to. */
enum storage_profile {
	STORAGE_AUTO, /* FLASH on an SD card or eMMC, else SERVER */
	STORAGE_SERVER,
	STORAGE_FLASH,
};

/* Where and how sessions and messages outlive the process (docs/DURABILITY.md). */
struct config_store {
	bool is_wanted;       /* persistence */
	uint8_t durability;   /* enum durability; OFF when the store is not wanted */
	uint8_t profile;      /* enum storage_profile */
	bool refuse_damage;   /* on_damage refuse: do not start with a damaged store */
	bool stay_on_failure; /* on_failure stay: go on without a store that fails */
	char *path;           /* a directory; NULL: not said */
	uint32_t interval_ms; /* with DURABILITY_INTERVAL */
	/* 0: the profile's */
	uint32_t segment_bytes;
	uint64_t bytes_max;           /* of the whole store; 0: what the disk has */
	int64_t budget_bytes_per_day; /* written to the device; 0: any; -1: the profile's */
};

/* Where something was said. */
struct config_place {
	uint32_t line; /* from 1; 0: in no file, but on the command line, or by nobody */
	uint16_t file; /* index into config.files */
	bool is_given; /* false: by nobody */
};

/* A file that was read. */
struct config_file {
	char *name;
	struct config_file_id id;
};

/* What the filter over system calls does with one that is not on its list. */
enum config_seccomp {
	SECCOMP_OFF,
	SECCOMP_REFUSES,
	SECCOMP_LOGS,
};

/* What is spoken on a listener. */
enum config_protocol {
	CONFIG_PROTOCOL_MQTT,
	CONFIG_PROTOCOL_WEBSOCKETS, /* MQTT over WebSocket */
};

/* TLS of a listener; texts as options have them, NULL: not said. */
struct config_tls {
	char *ca_file, *ca_path;
	char *certificate_file, *key_file, *staple_file;
	char *more_certificates; /* lines of "certificate key [staple]" */
	char *crl_file, *dh_file;
	char *ciphers, *ciphersuites, *version, *curves;
	char *alpn, *key_log_file, *psk_hint;
	bool requires_certificate;
	bool uses_identity, uses_subject; /* as user name */
	bool has_no_tickets;
	bool leaves_records; /* of TLS 1.3 to OpenSSL */
	bool ignores_dates;  /* of clients' certificates */
};

/* Who may come in, and what they may do: for all listeners, or for each (per_listener_settings). */
struct config_access {
	int8_t allow_anonymous; /* -1: not said */
	char *password_file;    /* NULL: none */
	char *acl_file;
	char *client_id_prefix;
	char *auto_id_prefix; /* NULL: "auto-" */
	char *psk_file;       /* shared keys of TLS, for listeners with a psk_hint; NULL: none */

	char *auth_chain;             /* words; NULL: not said */
	uint8_t chain[CHAIN_LEN_MAX]; /* the same (access/access.h); from config_finish on */

	/* A service that is asked; NULL: none. */
	char *auth_http_url, *auth_http_header, *auth_http_ca_file;
	uint32_t auth_http_timeout_ms, auth_http_cache_ms, auth_http_connections_max;
	uint8_t auth_http_has_form; /* else JSON */

	/* Tokens. */
	char *jwt_key_file, *jwt_secret_file, *jwt_jwks_file;
	char *jwt_issuer, *jwt_audience;
	char *jwt_user_claim; /* NULL: "sub" */
	char *jwt_client_id_claim;
	uint32_t jwt_leeway_s;
	bool jwt_replaces_user_name;
};

/* One `listener` line (or port and bind_address, or none at all: then the loopback). */
struct config_listener {
	/* Name or address to bind to, owned; NULL: all interfaces, unless is_loopback. With a '/'
	 * in front it is the path of a Unix socket. */
	char *address;
	char *interface;    /* bind to its addresses instead; NULL: not said */
	char *socket_owner; /* of a Unix socket; NULL: as the process */
	char *socket_group;
	int32_t socket_mode; /* -1: not said */
	uint16_t port;
	uint8_t family; /* enum socket_family: which of the address's families to bind */
	/* Bind 127.0.0.1, and ::1 where the machine has it (or the one that `family` names). */
	bool is_loopback;
	struct config_place place; /* of the `listener` line, or what stands for it */
	/* By option: where each that stands below was said first; NULL: none was. */
	struct config_place *given;
	/* What the file asks of this listener; config_finish carries it to the settings. */
	int64_t connections_max; /* -1: no limit of its own; for the others: not said */
	int64_t qos_max;
	int64_t topic_alias_max;
	uint8_t answer;              /* enum answer: `durability` below the listener */
	bool is_named_by_user;       /* use_username_as_clientid */
	bool takes_peers_name;       /* use_peer_credentials_as_username */
	uint8_t refused_versions;    /* bit n: clients of protocol level n (3 is MQTT 3.1) */
	int8_t allow_anonymous_here; /* instead of allow_anonymous; -1: not said */
	struct config_access access; /* with per_listener_settings */
	uint8_t realm;               /* by which its clients are judged, as in struct access */
	uint8_t protocol;            /* enum config_protocol */
	char *origins;               /* of pages that may open WebSockets, with commas; NULL: any */
	uint32_t head_bytes;         /* of the head of a WebSocket at most */
	bool trusts_forwarded;       /* X-Forwarded-For of a proxy */
	bool has_proxy;              /* PROXY protocol: each connection begins with its header */
	char *mount_point;           /* in front of its clients' topics; NULL: nothing */
	uint8_t proxy_version;       /* mosquitto's way to say so; 0: not said */
	bool proxy_must_have_tls;    /* the header must say that the client speaks TLS */
	struct config_tls tls;
	struct listener_limits limits;
};

/* Is it a Unix socket? */
static inline bool config_listener_is_unix(const struct config_listener *l)
{
	return l->address && l->address[0] == '/';
}

/* Does it speak TLS? */
static inline bool config_listener_has_tls(const struct config_listener *l)
{
	return l->tls.certificate_file || l->tls.psk_hint;
}

struct config {
	struct settings settings; /* of use after config_finish */
	struct config_listener listeners[CONFIG_LISTENERS_MAX];
	size_t listener_count;
	/* Those that were closed while the process runs: their clients may still be there. Of use
	 * are where they were, their realm and their access. */
	struct config_listener *closed;
	size_t closed_count;
	unsigned realm_count; /* never fewer than there were */

	struct config_store store;

	bool has_access_per_listener; /* per_listener_settings */
	struct config_access access;  /* of all listeners, without it */

	char *limit_exempt;        /* networks with commas; NULL: none */
	uint8_t limit_ipv6_prefix; /* bits that stand for one client */
	uint64_t memory_ceiling;   /* of the process; 0: none */

	uint32_t shards;        /* 0: one per core; at most SHARDS_MAX */
	bool tcp_nodelay;       /* set TCP_NODELAY on accepted connections */
	uint8_t seccomp;        /* enum config_seccomp */
	bool core_dump;         /* may a crash leave the process's memory behind? */
	bool reloads_on_change; /* read again when a file of it changes */
	char *pid_file;         /* NULL: none; to be written before the privileges go */
	/* When started as root: change to this user and its groups once listeners are open.
	 * NULL: not said: `mosquitto`, else `nobody`, as mosquitto does. "root": stay. */
	char *user;

	unsigned log_destinations;  /* LOG_TO_ bits; 0: no log */
	uint8_t log_format;         /* 0: text, 1: JSON */
	uint32_t log_rate_max;      /* lines of one kind in LOG_RATE_WINDOW_MS; 0: any number */
	char *log_file;             /* with LOG_TO_FILE: append to it, reopen it on SIGHUP */
	int32_t log_facility;       /* with LOG_TO_SYSLOG: 0 to 7: local0 to local7; -1: daemon */
	unsigned log_types;         /* LOG_TYPE_ bits of trace/lines.h: which lines to write */
	bool log_timestamp;         /* each line begins with a time and ": " */
	char *log_timestamp_format; /* for strftime in local time; NULL: seconds since 1970 */

	/* Below: for src/config alone. */
	struct config_source source; /* of files; a test may put its own */
	struct config_file *files;   /* in the order of reading; the first is the main one */
	size_t file_count;
	char **include_dirs; /* whose files it would read */
	size_t include_dir_count;
	struct config_listener default_listener; /* what stands before the first `listener` */
	const struct option *default_option;     /* the first that stands there */
	bool has_port, has_address;              /* of the default listener */
	bool has_durability;                     /* of the broker */
	size_t current_listener; /* to which listener options go: 0 the default one, else index + 1 */
	bool has_log_none, has_log_type_none;
	bool is_verbose, is_quiet;
	bool ignores_stray_ports;
	char *key_log_file; /* of the command line */
	bool connection_messages;
	char *response_information;
	/* By option: where each was said first, of those that are no listener's. */
	struct config_place given[OPTION_COUNT_MAX];
	uint16_t ports[CONFIG_LISTENERS_MAX]; /* of the command line */
	size_t port_count;
};

/* Lines of text for a person, each ended by '\n'. Zero-initialised is empty. */
struct config_report {
	struct buffer errors;  /* "nightjar.conf:12: max_qos: 3 is not between 0 and 2" */
	struct buffer notices; /* to be logged at start: what the configuration means */
	unsigned error_count;
	bool is_out_of_memory;
};
void config_report_release(struct config_report *r);

/* The defaults; holds no memory yet. */
void config_init(struct config *c);
void config_release(struct config *c);

/* 0, ERROR_INVALID (mistakes were reported) or ERROR_NO_MEMORY. Each goes as far as it can. A file
 * may name directories of more files (include_dir), which are read where that line stands. */
int config_load_file(struct config *c, const char *path, struct config_report *report) MUST_USE;
/* The same for text that was read already; `name` stands for the file in messages. */
int config_load_text(struct config *c, const char *name, struct span text,
		     struct config_report *report) MUST_USE;
/* One option of the command line; takes the place of what a file said. */
int config_set(struct config *c, const char *name, const char *value,
	       struct config_report *report) MUST_USE;
/* -p: a loopback listener on that port; an error with a file that names ports itself. */
int config_add_port(struct config *c, const char *port, struct config_report *report) MUST_USE;
/* Is there any way in it to tell a right user name from a wrong one? */
bool config_access_knows_users(const struct config_access *a);
/* By what a listener's clients are judged, which is the same for all or each has its own. Of use
 * after config_finish. */
const struct config_access *config_access_of(const struct config *c, size_t listener);
/* But for this, which a listener may say for itself in any case. */
bool config_allows_anonymous(const struct config *c, const struct config_listener *l);
/* How many of them there are. */
size_t config_access_count(const struct config *c);
/* A realm is a listener's as long as the process runs, also when it is closed and opened again: so
 * the listeners of a configuration that was read anew take the numbers of those that run. 0,
 * ERROR_NO_MEMORY, or ERROR_LIMIT: there were too many different ones. */
int config_follow_realms(struct config *fresh, const struct config *running) MUST_USE;
/* How many there are, open and closed. */
unsigned config_realm_count(const struct config *c);

/* -v: lines of every type, -q: none, whatever the file says. */
void config_set_verbose(struct config *c);
void config_set_quiet(struct config *c);
/* --tls-keylog: for every listener with TLS. 0 or ERROR_NO_MEMORY. */
int config_set_key_log(struct config *c, const char *path) MUST_USE;
/* -p beside ports of the file is ignored with a notice, as by mosquitto, not an error. */
void config_ignore_stray_ports(struct config *c);
/* Once, after all of the above; ERROR_INVALID when any of them, or this, reported a mistake. */
int config_finish(struct config *c, struct config_report *report) MUST_USE;

#endif
