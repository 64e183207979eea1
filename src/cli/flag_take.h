/* SPDX-License-Identifier: Apache-2.0 */
/* What the options of the tools do with their values, by the table of options. Each takes a value
 * (NULL where there is none) and returns false when it is no good, which it has said on stderr. */
#ifndef NIGHTJAR_CLI_FLAG_TAKE_H
#define NIGHTJAR_CLI_FLAG_TAKE_H

#include "cli/options.h"

bool take_port(struct options *o, const char *value);
bool take_fallback(struct options *o, const char *value);
bool take_id(struct options *o, const char *value);
bool take_id_prefix(struct options *o, const char *value);
bool take_keep_alive(struct options *o, const char *value);
bool take_version(struct options *o, const char *value);
bool take_session_expiry(struct options *o, const char *value);
bool take_inflight_max(struct options *o, const char *value);
bool take_will_topic(struct options *o, const char *value);
bool take_will_qos(struct options *o, const char *value);
bool take_qos(struct options *o, const char *value);
bool take_topic(struct options *o, const char *value);
bool take_filtered_out(struct options *o, const char *value);
bool take_unsubscribed(struct options *o, const char *value);
bool take_message(struct options *o, const char *value);
bool take_file(struct options *o, const char *value);
bool take_null(struct options *o, const char *value);
bool take_stdin(struct options *o, const char *value);
bool take_lines(struct options *o, const char *value);
bool take_repeat(struct options *o, const char *value);
bool take_repeat_delay(struct options *o, const char *value);
bool take_format(struct options *o, const char *value);
bool take_message_count(struct options *o, const char *value);
bool take_timeout(struct options *o, const char *value);
bool take_url(struct options *o, const char *value);
bool take_json_lines(struct options *o, const char *value);
bool take_rate(struct options *o, const char *value);
bool take_until(struct options *o, const char *value);
bool take_request_count(struct options *o, const char *value);
bool take_interval(struct options *o, const char *value);
bool take_ack_command(struct options *o, const char *value);
bool take_json(struct options *o, const char *value);
bool take_random_filter(struct options *o, const char *value);
bool take_retain_handling(struct options *o, const char *value);
bool take_response_topic(struct options *o, const char *value);

#endif
