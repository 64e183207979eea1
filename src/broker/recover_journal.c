/* SPDX-License-Identifier: Apache-2.0 */
/* What a journal finds at a start, given to the broker. */
#include "broker/recover.h"
#include "journal/journal.h"

#include <stdio.h>

_Static_assert(RECOVER_REASON_MAX == JOURNAL_REASON_MAX, "the journal's reason fits");

struct recovering {
	struct broker *broker;
	struct journal *journal;
};

static int take_image(void *context, uint64_t position, struct span image)
{
	struct recovering *r = context;
	return recover_image(r->broker, position, image);
}

static int take_record(void *context, uint64_t position, struct span body)
{
	struct recovering *r = context;
	return recover_record(r->broker, position, body);
}

static int take_damage(void *context, const struct journal_damage *damage)
{
	struct recovering *r = context;
	return recover_damage(r->broker, damage);
}

static int read_record(void *context, uint64_t position, struct span *body_out)
{
	struct recovering *r = context;
	return journal_recover_read(r->journal, position, body_out);
}

int recover_journal_unended(struct broker *b, struct journal *j, char reason[RECOVER_REASON_MAX])
{
	struct recovering recovering = {.broker = b, .journal = j};
	struct recovery_source source = {.context = &recovering, .read = read_record};
	struct journal_recovery recovery = {
		.context = &recovering,
		.image = take_image,
		.record = take_record,
		.damage = take_damage,
	};
	reason[0] = '\0';
	int error = recover_begin(b, &source);
	return error ? error : journal_recover(j, &recovery, reason);
}

int recover_journal(struct broker *b, struct journal *j, struct moment now,
		    struct recovery_report *report, char reason[RECOVER_REASON_MAX])
{
	int error = recover_journal_unended(b, j, reason);
	if (error == 0)
		error = recover_end(b, now, report);
	if (error != 0 && reason[0] == '\0')
		snprintf(reason, RECOVER_REASON_MAX, "what is stored cannot be restored: %s",
			 error_text(error));
	return error;
}
