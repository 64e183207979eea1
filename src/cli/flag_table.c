/* SPDX-License-Identifier: Apache-2.0 */
#include "cli/flag_table.h"

#include "cli/flag_take.h"

#define ALL (TOOL_PUB | TOOL_SUB | TOOL_RR)
#define SENDERS (TOOL_PUB | TOOL_RR)
#define RECEIVERS (TOOL_SUB | TOOL_RR)
#define HEADING(tools, text)                                                                       \
	{                                                                                          \
		NULL, NULL, (tools), FLAG_HEADING, 0, NULL, NULL, (text)                           \
	}
#define FIELD(name) offsetof(struct options, name)

const struct flag_row flag_table[] = {
	HEADING(ALL, "Connection"),
	{"-h", "--host", ALL, FLAG_TEXT, FIELD(host), "host", NULL,
	 "the broker's name or address; localhost if not given"},
	{"-p", "--port", ALL, FLAG_VALUE, 0, "port", take_port,
	 "the broker's port; 1883 if not given"},
	{NULL, "--unix", ALL, FLAG_TEXT, FIELD(unix_path), "socket path", NULL,
	 "connect through this local socket instead"},
	{NULL, "--ws", ALL, FLAG_ON, FIELD(has_websocket), NULL, NULL,
	 "connect by WebSocket, to the path /mqtt"},
	{"-L", "--url", ALL, FLAG_VALUE, 0, "URL", take_url,
	 "all at once: mqtt://[user[:password]@]host[:port]/topic; or mqtts, ws, wss"},
	{NULL, "--fallback", ALL, FLAG_VALUE, 0, "address", take_fallback,
	 "another broker's host[:port] or URL, tried when the others fail; may be repeated"},
	{"-A", NULL, ALL, FLAG_TEXT, FIELD(bind_address), "address", NULL,
	 "connect from this address of this machine"},
	{NULL, "--nodelay", ALL, FLAG_ON, FIELD(has_no_delay), NULL, NULL,
	 "send small packets at once (TCP_NODELAY)"},
	{"-i", "--id", ALL, FLAG_VALUE, 0, "id", take_id,
	 "the client id; if not given, the broker chooses one"},
	{"-I", "--id-prefix", ALL, FLAG_VALUE, 0, "id prefix", take_id_prefix,
	 "the client id is this followed by the process id"},
	{"-u", "--username", ALL, FLAG_TEXT, FIELD(user_name), "username", NULL, "user name"},
	{"-P", "--pw", ALL, FLAG_TEXT, FIELD(password), "password", NULL, "password"},
	{NULL, "--scram", ALL, FLAG_ON, FIELD(has_scram), NULL, NULL,
	 "prove the password by SCRAM-SHA-256 and have the broker prove itself (v5)"},
	{"-k", "--keepalive", ALL, FLAG_VALUE, 0, "keepalive", take_keep_alive,
	 "seconds of silence after which the broker is pinged; 60 if not given"},
	{"-V", "--protocol-version", ALL, FLAG_VALUE, 0, "version", take_version,
	 "mqttv31, mqttv311 or mqttv5; if not given mqttv311, for rr mqttv5"},
	{"-c", "--disable-clean-session", ALL, FLAG_ON, FIELD(keeps_session), NULL, NULL,
	 "keep the session beyond this connection; needs -i"},
	{"-x", NULL, ALL, FLAG_VALUE, 0, "session expiry interval", take_session_expiry,
	 "seconds the session outlives the connection (v5); -1: for ever"},
	{"-M", NULL, ALL, FLAG_VALUE, 0, "max_inflight", take_inflight_max,
	 "QoS 1 and 2 messages under way at a time; 20 if not given"},
	{NULL, "--will-topic", ALL, FLAG_VALUE, 0, "will topic", take_will_topic,
	 "the broker publishes to this topic when we are cut off"},
	{NULL, "--will-payload", ALL, FLAG_TEXT, FIELD(will_payload), "will payload", NULL,
	 "what it publishes; nothing if not given"},
	{NULL, "--will-qos", ALL, FLAG_VALUE, 0, "will QoS", take_will_qos, "at this QoS"},
	{NULL, "--will-retain", ALL, FLAG_ON, FIELD(will_retain), NULL, NULL, "and retains it"},
	{"-D", "--property", ALL, FLAG_PROPERTY, 0, NULL, NULL,
	 "command property value: adds a property (v5) to that packet"},

	HEADING(SENDERS, "What to publish"),
	HEADING(TOOL_SUB, "What to subscribe to"),
	{"-q", "--qos", ALL, FLAG_VALUE, 0, "QoS", take_qos, "0 (if not given), 1 or 2"},
	{"-t", "--topic", ALL, FLAG_VALUE, 0, "topic", take_topic,
	 "the topic; sub: a filter, may be repeated"},
	{"-e", NULL, TOOL_RR, FLAG_VALUE, 0, "response topic", take_response_topic,
	 "the topic on which the response is to come"},
	{"-m", "--message", SENDERS, FLAG_VALUE, 0, "message", take_message, "publish this text"},
	{"-n", "--null-message", SENDERS, FLAG_SWITCH, 0, NULL, take_null,
	 "publish an empty message"},
	{"-f", "--file", SENDERS, FLAG_VALUE, 0, "file", take_file,
	 "publish the content of this file"},
	{"-s", "--stdin-file", SENDERS, FLAG_SWITCH, 0, NULL, take_stdin,
	 "publish all of the standard input as one message"},
	{"-l", "--stdin-line", TOOL_PUB, FLAG_SWITCH, 0, NULL, take_lines,
	 "publish each line of the standard input"},
	{NULL, "--json-lines", TOOL_PUB, FLAG_SWITCH, 0, NULL, take_json_lines,
	 "publish each line of the standard input, a JSON object: topic, payload, qos, ..."},
	{NULL, "--rate", TOOL_PUB, FLAG_VALUE, 0, "rate", take_rate,
	 "publish no more than so many messages a second"},
	{NULL, "--outbox", TOOL_PUB, FLAG_TEXT, FIELD(outbox), "directory", NULL,
	 "keep messages here until the broker has them; sends those of earlier runs too"},
	{"-r", "--retain", TOOL_PUB, FLAG_ON, FIELD(retain), NULL, NULL,
	 "have the broker retain the message"},
	{NULL, "--repeat", TOOL_PUB, FLAG_VALUE, 0, "count", take_repeat,
	 "publish the message this many times"},
	{NULL, "--repeat-delay", TOOL_PUB, FLAG_VALUE, 0, "time", take_repeat_delay,
	 "seconds between the repetitions"},

	{"-U", "--unsubscribe", TOOL_SUB, FLAG_VALUE, 0, "unsubscribe topic", take_unsubscribed,
	 "unsubscribe from this filter"},
	{NULL, "--retain-as-published", TOOL_SUB, FLAG_ON, FIELD(retains_as_published), NULL, NULL,
	 "see the retain flag as the publisher set it (v5)"},
	{NULL, "--retain-handling", TOOL_SUB, FLAG_VALUE, 0, "retain handling",
	 take_retain_handling,
	 "retained messages: always (if not given), never, or new subscriptions only (v5)"},

	HEADING(TOOL_RR, "What to measure"),
	{NULL, "--count", TOOL_RR, FLAG_VALUE, 0, "count", take_request_count,
	 "ask so many times, one after the other, and print the latencies"},
	{NULL, "--interval", TOOL_RR, FLAG_VALUE, 0, "interval", take_interval,
	 "seconds between the requests"},
	{NULL, "--latency", TOOL_RR, FLAG_ON, FIELD(shows_latency), NULL, NULL,
	 "print how long the response took"},

	HEADING(RECEIVERS, "What to print"),
	{"-v", "--verbose", RECEIVERS, FLAG_ON, FIELD(is_verbose), NULL, NULL,
	 "print the topic in front of each message"},
	{"-F", NULL, RECEIVERS, FLAG_VALUE, 0, "format", take_format,
	 "print each message in this format: %t topic, %p payload, ..."},
	{NULL, "--json", RECEIVERS, FLAG_SWITCH, 0, NULL, take_json,
	 "print each message as a line of JSON, as -F %j; pub --json-lines reads it"},
	{NULL, "--pretty", RECEIVERS, FLAG_ON, FIELD(is_pretty), NULL, NULL,
	 "with %j and %J: a line for each member"},
	{"-N", NULL, RECEIVERS, FLAG_ON, FIELD(has_no_newline), NULL, NULL,
	 "print no end of line behind a message"},
	{"-w", "--watch", TOOL_SUB, FLAG_ON, FIELD(is_watching), NULL, NULL,
	 "on a terminal: a line for each topic, drawn anew in its place"},
	{"-T", "--filter-out", TOOL_SUB, FLAG_VALUE, 0, "topic filter", take_filtered_out,
	 "print no messages whose topic matches this filter"},
	{NULL, "--random-filter", TOOL_SUB, FLAG_VALUE, 0, "chance", take_random_filter,
	 "print only so many percent of the messages, 0.1 to 100, by chance"},
	{"-R", NULL, RECEIVERS, FLAG_ON, FIELD(skips_retained), NULL, NULL,
	 "print no retained messages"},

	HEADING(TOOL_SUB, "What to do with messages"),
	{NULL, "--manual-ack", TOOL_SUB, FLAG_EXEC, 0, "exec command", take_ack_command,
	 "run it for each message, acknowledge when it succeeds"},
	{NULL, "--assert", TOOL_SUB, FLAG_ON, FIELD(asserts_sequence), NULL, NULL,
	 "payloads begin with numbers: check count, order, duplicates; status 1 if wrong"},
	{NULL, "--remove-retained", TOOL_SUB, FLAG_ON, FIELD(removes_retained), NULL, NULL,
	 "have the broker drop the retained messages that come"},

	HEADING(RECEIVERS, "When to end"),
	{"-C", NULL, TOOL_SUB, FLAG_VALUE, 0, "count", take_message_count,
	 "end after this many messages"},
	{NULL, "--until", TOOL_SUB, FLAG_VALUE, 0, "count", take_until,
	 "end when so many different messages are dealt with: printed, or acknowledged"},
	{NULL, "--retained-only", TOOL_SUB, FLAG_ON, FIELD(wants_retained_only), NULL, NULL,
	 "print retained messages only, end at the first other one"},
	{"-W", NULL, RECEIVERS, FLAG_VALUE, 0, "timeout", take_timeout,
	 "end after this many seconds, with status 27"},
	{"-E", NULL, TOOL_SUB, FLAG_ON, FIELD(exits_after_suback), NULL, NULL,
	 "end as soon as the subscriptions are made"},

	HEADING(ALL, "Encryption (TLS)"),
	{NULL, "--cafile", ALL, FLAG_TEXT, FIELD(tls.ca_file), "file", NULL,
	 "encrypt (TLS), and trust what the certificates of this file have signed"},
	{NULL, "--capath", ALL, FLAG_TEXT, FIELD(tls.ca_path), "directory", NULL,
	 "the same with a folder of certificates (openssl rehash)"},
	{NULL, "--tls-use-os-certs", ALL, FLAG_ON, FIELD(tls.uses_system_certs), NULL, NULL,
	 "trust the certificates that this system trusts"},
	{NULL, "--cert", ALL, FLAG_TEXT, FIELD(tls.cert_file), "file", NULL,
	 "our own certificate, for a broker that asks for one"},
	{NULL, "--key", ALL, FLAG_TEXT, FIELD(tls.key_file), "file", NULL, "and its key"},
	{NULL, "--keyform", ALL, FLAG_TEXT, FIELD(tls.key_form), "keyform", NULL,
	 "the form of that file; only pem is known"},
	{NULL, "--ciphers", ALL, FLAG_TEXT, FIELD(tls.ciphers), "ciphers", NULL,
	 "ciphers that may be used, as in openssl-ciphers(1)"},
	{NULL, "--tls-version", ALL, FLAG_TEXT, FIELD(tls.version), "version", NULL,
	 "the least version of TLS: tlsv1.3 or tlsv1.2"},
	{NULL, "--tls-alpn", ALL, FLAG_TEXT, FIELD(tls.alpn), "protocol", NULL,
	 "the protocol that is asked for where a port serves several"},
	{NULL, "--insecure", ALL, FLAG_ON, FIELD(tls.is_insecure), NULL, NULL,
	 "do not compare the broker's name with its certificate's; for tests"},
	{NULL, "--psk", ALL, FLAG_TEXT, FIELD(tls.psk), "key", NULL,
	 "encrypt with this shared key, in hexadecimal"},
	{NULL, "--psk-identity", ALL, FLAG_TEXT, FIELD(tls.psk_identity), "identity", NULL,
	 "whose key it is"},
	{NULL, "--tls-keylog", ALL, FLAG_TEXT, FIELD(tls.key_log), "file", NULL,
	 "append the session's keys to this file, for Wireshark"},
	{NULL, "--no-tls", ALL, FLAG_ON, FIELD(tls.is_refused), NULL, NULL,
	 "do not encrypt, whatever the port"},

	HEADING(ALL, "Other"),
	{"-o", NULL, ALL, FLAG_TEXT, FIELD(file), "file", NULL,
	 "take default options from this file, one a line"},
	{"-d", "--debug", ALL, FLAG_ON, FIELD(is_debug), NULL, NULL, "print every packet"},
	{NULL, "--quiet", ALL, FLAG_ON, FIELD(is_quiet), NULL, NULL,
	 "print no errors of the connection"},
	{NULL, "--version", ALL, FLAG_VERSION, 0, NULL, NULL, "print the version"},
	{NULL, "--help", ALL, FLAG_HELP, 0, NULL, NULL, "print this"},

	{NULL, "--proxy", ALL, FLAG_REFUSED_VALUE, 0, "proxy url", NULL,
	 "nightjar's clients speak to a broker directly. Forward a local port through the proxy "
	 "(ssh -L, socat) and connect to that."},
	{NULL, "--tls-engine", ALL, FLAG_REFUSED_VALUE, 0, "engine_id", NULL,
	 "OpenSSL has given up engines. Use a key file (--key)."},
	{NULL, "--tls-engine-kpass-sha1", ALL, FLAG_REFUSED_VALUE, 0, "kpass sha1", NULL,
	 "OpenSSL has given up engines. Use a key file (--key)."},
	{"-S", NULL, ALL, FLAG_REFUSED, 0, NULL, NULL,
	 "names are not looked up as SRV records. Name the broker itself (-h, -p)."},
};
const size_t flag_table_count = ARRAY_COUNT(flag_table);

bool flag_is_refused(const struct flag_row *row)
{
	return row->kind == FLAG_REFUSED || row->kind == FLAG_REFUSED_VALUE;
}

bool flag_takes_value(const struct flag_row *row)
{
	return row->kind == FLAG_TEXT || row->kind == FLAG_VALUE || row->kind == FLAG_REFUSED_VALUE;
}

static bool is_name(const char *name, const char *word)
{
	return name && strcmp(name, word) == 0;
}

const struct flag_row *flag_find(enum tool tool, const char *word)
{
	for (size_t i = 0; i < flag_table_count; i++) {
		const struct flag_row *row = &flag_table[i];
		if (row->tools & tool &&
		    (is_name(row->short_name, word) || is_name(row->long_name, word)))
			return row;
	}
	return NULL;
}
