/* SPDX-License-Identifier: Apache-2.0 */
/* What a device publishes, and when. */
#include "cli/simulate_device.h"

bool simulate_render(struct simulate_device *d, const struct template *t, struct buffer *out)
{
	struct simulate_field *f = d->field;
	uint64_t run_ms = f->now_ms - f->start_ms;
	struct template_device filler = {.id = d->id,
					 .name = d->kind->name,
					 .cells = d->cells,
					 .random = &d->random,
					 .run_ms = run_ms,
					 .wall_ms = f->wall_ms + run_ms};
	out->start = out->end = 0;
	if (template_render(t, &filler, out) == 0)
		return true;
	f->is_out_of_memory = true;
	return false;
}

uint64_t simulate_jitter(struct simulate_device *d, uint64_t ms, uint32_t percent)
{
	double share = percent / 100.0 * (2 * simulate_random_fraction(&d->chance) - 1);
	double value = (double)ms * (1 + share);
	return value < 1 ? 1 : (uint64_t)value;
}

/* The time of publication travels as the engine's token: its lower half, in microseconds, wraps
 * after 71 minutes, longer than any acknowledgement takes. */
static void publish(struct simulate_device *d, const struct simulate_message *m)
{
	struct simulate_field *f = d->field;
	if (!simulate_render(d, &m->topic, &f->topic) ||
	    !simulate_render(d, &m->payload, &f->payload))
		return;
	struct publish p = {.qos = m->qos,
			    .retain = m->retain,
			    .topic = buffer_content(&f->topic),
			    .payload = buffer_content(&f->payload)};
	if (m->expiry > 0) {
		p.properties.present = UINT64_C(1) << PROPERTY_MESSAGE_EXPIRY_INTERVAL;
		p.properties.message_expiry_interval = m->expiry;
	}
	f->count.unfinished += m->qos > 0;
	f->count.published[m->qos]++;
	int error = engine_publish(d->engine, &p, (uint32_t)simulate_now_us());
	if (!error)
		return;
	f->count.unfinished -= m->qos > 0;
	f->count.published[m->qos]--;
	f->count.refused += error != ERROR_NO_MEMORY;
	f->is_out_of_memory |= error == ERROR_NO_MEMORY;
}

/* Devices that start together do not publish together: the first time is anywhere in an
 * interval. */
void simulate_publish_first(struct simulate_device *d)
{
	const struct simulate_kind *k = d->kind;
	if (d->field->is_ending)
		return;
	if (k->has_birth)
		publish(d, &k->birth);
	for (uint32_t i = 0; i < k->flow_count; i++)
		if (d->due_ms[i] == 0)
			d->due_ms[i] = d->field->now_ms +
				       simulate_random(&d->chance) % k->flows[i].every_ms;
}

void simulate_publish_due(struct simulate_device *d)
{
	uint64_t now_ms = d->field->now_ms;
	for (uint32_t i = 0; !d->field->is_ending && i < d->kind->flow_count; i++) {
		const struct simulate_message *m = &d->kind->flows[i];
		if (d->due_ms[i] > now_ms)
			continue;
		publish(d, m);
		d->due_ms[i] += simulate_jitter(d, m->every_ms, m->jitter);
		/* what was missed while there was no connection is not made up for */
		if (d->due_ms[i] <= now_ms)
			d->due_ms[i] = now_ms + simulate_jitter(d, m->every_ms, m->jitter);
	}
}

uint64_t simulate_publish_next(const struct simulate_device *d)
{
	uint64_t next = UINT64_MAX;
	for (uint32_t i = 0; !d->field->is_ending && i < d->kind->flow_count; i++)
		if (d->due_ms[i] > 0 && d->due_ms[i] < next)
			next = d->due_ms[i];
	return next;
}
