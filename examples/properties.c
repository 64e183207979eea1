/* SPDX-License-Identifier: Apache-2.0 */
/*
 * A tour of MQTT 5.0's properties: what a message can say about itself, how a subscription marks
 * what comes through it, and what the server says about itself.
 *
 *	properties mqtt://localhost
 */
#include <nightjar/client.h>
#include <stdio.h>

static void print(const struct nj_property *p)
{
	if (p->id == NJ_USER_PROPERTY)
		printf("  %.*s = %.*s\n", (int)p->text.len, (const char *)p->text.ptr,
		       (int)p->value.len, (const char *)p->value.ptr);
	else if (p->text.len > 0)
		printf("  property 0x%02x: \"%.*s\"\n", p->id, (int)p->text.len,
		       (const char *)p->text.ptr);
	else
		printf("  property 0x%02x: %lu\n", p->id, (unsigned long)p->number);
}

static void print_all(const char *title, struct nj_bytes properties)
{
	struct nj_property p;
	puts(title);
	while (nj_property_next(&properties, &p))
		print(&p);
}

/* What the server allows: clients that ask for more are refused. */
static void on_connected(nj_client *client, void *context, const struct nj_connected *connected)
{
	(void)client;
	(void)context;
	print_all("the server says:", connected->properties);
}

static int subscribe(nj_client *client)
{
	struct nj_subscription subscription = {0};
	static const struct nj_property mark[] = {NJ_NUMBER(NJ_SUBSCRIPTION_IDENTIFIER, 7)};
	subscription.filter = "tour/#";
	subscription.qos = 1;
	subscription.retain_handling = 2; /* nothing that is retained */
	return nj_subscribe(client, &subscription, 1, mark, 1, NULL);
}

static int publish(nj_client *client)
{
	static const struct nj_property properties[] = {
		NJ_TEXT(NJ_CONTENT_TYPE, "application/json"),
		NJ_NUMBER(NJ_PAYLOAD_FORMAT_INDICATOR, 1), /* UTF-8 */
		NJ_NUMBER(NJ_MESSAGE_EXPIRY_INTERVAL, 60), /* worth nothing after a minute */
		NJ_USER("room", "kitchen"),
		NJ_USER("unit", "C"),
		NJ_USER("unit", "K"), /* a name may come more than once */
	};
	struct nj_message_out message = {0};
	message.topic = "tour/1";
	message.payload = "{\"t\": 21.5}";
	message.payload_len = 11;
	message.qos = 1;
	message.properties = properties;
	message.property_count = sizeof(properties) / sizeof(properties[0]);
	return nj_publish(client, &message, NULL);
}

static int receive(nj_client *client)
{
	struct nj_property unit;
	nj_message *message;
	int error = nj_receive(client, 10000, &message);
	if (error)
		return error;
	printf("%s: %s\n", nj_message_topic(message),
	       (const char *)nj_message_payload(message).ptr);
	print_all("with:", nj_message_properties(message));
	if (nj_property_find(nj_message_properties(message), NJ_MESSAGE_EXPIRY_INTERVAL, &unit))
		printf("good for %lu s more\n", (unsigned long)unit.number);
	nj_message_unref(message);
	return 0;
}

int main(int argc, char **argv)
{
	static const struct nj_property hello[] = {NJ_USER("program", "properties"),
						   NJ_NUMBER(NJ_TOPIC_ALIAS_MAXIMUM, 10)};
	struct nj_options options = NJ_OPTIONS_INIT;
	nj_client *client;
	char why[256];
	options.address = argc > 1 ? argv[1] : "mqtt://localhost";
	options.properties = hello;
	options.property_count = 2;
	options.callbacks.connected = on_connected;
	if (nj_new(&options, &client) != 0) {
		fprintf(stderr, "properties: %s\n", nj_options_problem(&options));
		return 1;
	}
	int error = nj_connect(client, 10000);
	if (error)
		fprintf(stderr, "properties: %s\n", nj_problem(client, why, sizeof(why)));
	if (!error)
		error = subscribe(client);
	if (!error)
		error = publish(client);
	if (!error)
		error = receive(client);
	nj_disconnect(client, 1000);
	nj_free(client);
	return error != 0;
}
