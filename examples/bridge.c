/* SPDX-License-Identifier: Apache-2.0 */
/*
 * A bridge between two brokers: what comes from the one is acknowledged when the other has
 * acknowledged it. So nothing is lost, whoever crashes; after a crash a message may come twice.
 *
 *	bridge mqtt://localhost:1883 mqtt://localhost:1884 'site/#'
 */
#include <nightjar/client.h>
#include <stdio.h>

static nj_client *from, *to;

/* From the source: kept until the target has it. Its tag is the message that it was. */
static void on_message(nj_client *client, void *context, nj_message *message)
{
	struct nj_message_out out = {0};
	(void)client;
	(void)context;
	out.topic = nj_message_topic(message);
	out.payload = nj_message_payload(message).ptr;
	out.payload_len = nj_message_payload(message).len;
	out.qos = nj_message_qos(message);
	out.retain = nj_message_retain(message);
	out.tag = message;
	nj_message_ref(message);
	if (nj_publish(to, &out, NULL) != 0)
		nj_message_unref(message); /* not acknowledged: the source keeps it */
}

/* From the target: the other client may be used here, from this thread. */
static void on_published(nj_client *client, void *context, const struct nj_published *published)
{
	nj_message *message = published->tag;
	(void)client;
	(void)context;
	if (published->outcome == NJ_ACKNOWLEDGED)
		nj_ack(message);
	else if (published->outcome == NJ_REFUSED)
		nj_refuse(message, published->reason_code);
	nj_message_unref(message);
}

int main(int argc, char **argv)
{
	struct nj_options source = NJ_OPTIONS_INIT, target = NJ_OPTIONS_INIT;
	struct nj_subscription all = {0};
	if (argc != 4) {
		fprintf(stderr, "usage: bridge FROM TO FILTER\n");
		return 2;
	}
	source.address = argv[1];
	source.client_id = "bridge"; /* a session that outlives us: what comes meanwhile waits */
	source.clean_start = false;
	source.session_expiry = 86400;
	source.manual_ack = true;
	source.receive_maximum = 100; /* so many are on their way: less than `to` takes */
	source.callbacks.message = on_message;
	target.address = argv[2];
	target.callbacks.published = on_published;
	if (nj_new(&target, &to) != 0 || nj_new(&source, &from) != 0 || nj_start(to) != 0) {
		fprintf(stderr, "bridge: the addresses cannot be used\n");
		return 1;
	}
	all.filter = argv[3];
	all.qos = 2;
	all.no_local = true;            /* what we published there ourselves is no news */
	all.retain_as_published = true; /* else RETAIN would be lost on the way */
	nj_connect(to, 0);
	nj_connect(from, 0);
	nj_subscribe(from, &all, 1, NULL, 0, NULL);
	return nj_run(from, -1) != 0;
}
