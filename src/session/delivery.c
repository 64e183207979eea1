/* SPDX-License-Identifier: Apache-2.0 */
#include "session/delivery.h"

const struct transition send_table[SEND_STATE_COUNT][SEND_EVENT_COUNT] = {
	[SEND_NONE] =
		{
			[SEND_EVENT_QOS_1] = {STEP_SEND_PUBLISH, SEND_WAIT_PUBACK},
			[SEND_EVENT_QOS_2] = {STEP_SEND_PUBLISH, SEND_WAIT_PUBREC},
			/* Answers to what we no longer know: a late one harms nobody, and a receiver that
		   waits for PUBREL must get one to be able to finish. */
			[SEND_EVENT_PUBACK] = {STEP_IGNORE, SEND_NONE},
			[SEND_EVENT_PUBREC] = {STEP_SEND_PUBREL_NOT_FOUND, SEND_NONE},
			[SEND_EVENT_PUBREC_ERROR] = {STEP_IGNORE, SEND_NONE},
			[SEND_EVENT_PUBCOMP] = {STEP_IGNORE, SEND_NONE},
			[SEND_EVENT_AGAIN] = {STEP_IGNORE, SEND_NONE},
		},
	/* [MQTT-4.3.2-3] */
	[SEND_WAIT_PUBACK] =
		{
			[SEND_EVENT_PUBACK] = {STEP_FORGET_MESSAGE | STEP_RELEASE_ID, SEND_NONE},
			[SEND_EVENT_AGAIN] = {STEP_SEND_PUBLISH_DUP, SEND_WAIT_PUBACK},
		},
	/* [MQTT-4.3.3-3, -4]; a refusal acknowledges as well [MQTT-4.4.0-2] */
	[SEND_WAIT_PUBREC] =
		{
			[SEND_EVENT_PUBREC] = {STEP_FORGET_MESSAGE | STEP_SEND_PUBREL,
					       SEND_WAIT_PUBCOMP},
			[SEND_EVENT_PUBREC_ERROR] = {STEP_FORGET_MESSAGE | STEP_RELEASE_ID,
						     SEND_NONE},
			[SEND_EVENT_AGAIN] = {STEP_SEND_PUBLISH_DUP, SEND_WAIT_PUBREC},
		},
	/* No PUBLISH from here on [MQTT-4.3.3-5, -6]. */
	[SEND_WAIT_PUBCOMP] =
		{
			/* A receiver that had our PUBLISH twice may answer twice. */
			[SEND_EVENT_PUBREC] = {STEP_SEND_PUBREL, SEND_WAIT_PUBCOMP},
			[SEND_EVENT_PUBCOMP] = {STEP_RELEASE_ID, SEND_NONE},
			[SEND_EVENT_AGAIN] = {STEP_SEND_PUBREL, SEND_WAIT_PUBCOMP},
		},
};

/* [MQTT-3.3.4-1] */
const struct transition receive_table[RECEIVE_STATE_COUNT][RECEIVE_EVENT_COUNT] = {
	[RECEIVE_NONE] =
		{
			[RECEIVE_EVENT_QOS_0] = {STEP_DELIVER, RECEIVE_NONE},
			/* DUP or not [MQTT-4.3.2-4, -5] */
			[RECEIVE_EVENT_QOS_1] = {STEP_DELIVER | STEP_SEND_PUBACK, RECEIVE_NONE},
			/* [MQTT-4.3.3-8] */
			[RECEIVE_EVENT_QOS_2] = {STEP_STORE_ID | STEP_DELIVER | STEP_SEND_PUBREC,
						 RECEIVE_WAIT_PUBREL},
			[RECEIVE_EVENT_REFUSED] = {STEP_IGNORE, RECEIVE_NONE},
			/* Unknown, perhaps released before a crash of the sender: it must be able to finish. */
			[RECEIVE_EVENT_PUBREL] = {STEP_SEND_PUBCOMP_NOT_FOUND, RECEIVE_NONE},
		},
	[RECEIVE_WAIT_PUBREL] =
		{
			[RECEIVE_EVENT_QOS_0] = {STEP_DELIVER, RECEIVE_WAIT_PUBREL},
			/* The id is in use by a QoS 2 message: a QoS 1 message may not have it. */
			[RECEIVE_EVENT_QOS_2] = {STEP_SEND_PUBREC,
						 RECEIVE_WAIT_PUBREL}, /* [MQTT-4.3.3-10] */
			[RECEIVE_EVENT_REFUSED] = {STEP_RELEASE_ID,
						   RECEIVE_NONE}, /* [MQTT-4.3.3-9] */
			/* [MQTT-4.3.3-11, -12] */
			[RECEIVE_EVENT_PUBREL] = {STEP_RELEASE_ID | STEP_SEND_PUBCOMP,
						  RECEIVE_NONE},
		},
};

static const char *const send_states[] = {"none", "wait for PUBACK", "wait for PUBREC",
					  "wait for PUBCOMP"};
static const char *const send_events[] = {"send QoS 1",     "send QoS 2", "PUBACK", "PUBREC",
					  "PUBREC (error)", "PUBCOMP",    "again"};
static const char *const receive_states[] = {"none", "wait for PUBREL"};
static const char *const receive_events[] = {"PUBLISH QoS 0", "PUBLISH QoS 1", "PUBLISH QoS 2",
					     "refused", "PUBREL"};
static const char *const step_names[] = {
	"ignore",
	"forget message",
	"release packet id",
	"send PUBLISH",
	"send PUBLISH with DUP",
	"send PUBREL",
	"send PUBREL (packet id not found)",
	"store packet id",
	"deliver",
	"send PUBACK",
	"send PUBREC",
	"send PUBCOMP",
	"send PUBCOMP (packet id not found)",
};

static const char *name_at(const char *const *names, size_t count, unsigned i)
{
	return i < count ? names[i] : "";
}

const char *send_state_name(unsigned state)
{
	return name_at(send_states, ARRAY_COUNT(send_states), state);
}

const char *send_event_name(unsigned event)
{
	return name_at(send_events, ARRAY_COUNT(send_events), event);
}

const char *receive_state_name(unsigned state)
{
	return name_at(receive_states, ARRAY_COUNT(receive_states), state);
}

const char *receive_event_name(unsigned event)
{
	return name_at(receive_events, ARRAY_COUNT(receive_events), event);
}

const char *delivery_step_name(unsigned steps)
{
	return steps ? name_at(step_names, ARRAY_COUNT(step_names), (unsigned)__builtin_ctz(steps))
		     : "";
}
