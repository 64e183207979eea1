// SPDX-License-Identifier: Apache-2.0
// Drives MQTT.js against the broker at the port given: every subscribe option and every publish
// property of version 5; prints what came out as one JSON object for test_mqttjs.py to judge.
'use strict';

const mqtt = require('mqtt');

const port = Number(process.argv[2]);
const prefix = process.argv[3];
const DEADLINE_MS = 30000;

const properties = {
	payloadFormatIndicator: true,
	messageExpiryInterval: 600,
	responseTopic: `${prefix}/answer`,
	correlationData: Buffer.from([0, 1, 254, 255]),
	contentType: 'text/plain; charset=utf-8',
	userProperties: { first: 'one', many: ['a', 'b', 'c'], 'with space': 'ä€𝄞' },
};

function connect(options) {
	return new Promise((resolve, reject) => {
		const client = mqtt.connect(`mqtt://127.0.0.1:${port}`, {
			protocolVersion: 5,
			reconnectPeriod: 0,
			connectTimeout: DEADLINE_MS,
			...options,
		});
		client.once('connect', (connack) => resolve({ client, connack }));
		client.once('error', reject);
	});
}

// What a subscriber gets, up to the message with the topic `last`.
function collect(client, last) {
	return new Promise((resolve) => {
		const got = [];
		client.on('message', (topic, payload, packet) => {
			if (topic === last)
				resolve(got);
			else
				got.push(shown(topic, payload, packet));
		});
	});
}

function shown(topic, payload, packet) {
	const p = { ...packet.properties };
	if (p.correlationData)
		p.correlationData = [...p.correlationData];
	if (p.userProperties)
		p.userProperties = JSON.parse(JSON.stringify(p.userProperties));
	return { topic, payload: payload.toString(), qos: packet.qos, retain: packet.retain,
		properties: p };
}

async function publishProperties() {
	const { client: subscriber } = await connect({ clientId: `${prefix}-properties` });
	const { client: publisher } = await connect({ clientId: `${prefix}-publisher` });
	const done = collect(subscriber, `${prefix}/last`);
	const granted = await subscriber.subscribeAsync(`${prefix}/#`, {
		qos: 2, properties: { subscriptionIdentifier: 268435455, userProperties: { a: 'b' } },
	});
	for (const qos of [0, 1, 2]) {
		await publisher.publishAsync(`${prefix}/every/property`, `qos ${qos}`,
			{ qos, properties });
		// The same topic by its alias.
		for (const topic of [`${prefix}/alias`, ''])
			await publisher.publishAsync(topic, `alias ${qos}`,
				{ qos, properties: { topicAlias: 1 } });
	}
	await publisher.publishAsync(`${prefix}/last`, '', { qos: 2 });
	const messages = await done;
	await subscriber.endAsync();
	await publisher.endAsync();
	return { granted: granted.map((g) => g.qos), messages };
}

async function subscribeOptions() {
	const { client: publisher } = await connect({ clientId: `${prefix}-retainer` });
	await publisher.publishAsync(`${prefix}/kept`, 'kept', { qos: 1, retain: true });
	const out = [];
	for (const nl of [false, true]) {
		for (const rap of [false, true]) {
			for (const rh of [0, 1, 2])
				out.push(await oneOptions(publisher, { qos: 1, nl, rap, rh }));
		}
	}
	await publisher.publishAsync(`${prefix}/kept`, '', { qos: 1, retain: true });
	await publisher.endAsync();
	return out;
}

// Subscribes twice, publishes itself, lets the other publish retained.
async function oneOptions(publisher, options) {
	const { client } = await connect({ clientId: `${prefix}-options` });
	const done = collect(client, `${prefix}/options-last`);
	await client.subscribeAsync(`${prefix}/options-last`, { qos: 1 });
	await client.subscribeAsync(`${prefix}/kept`, options);
	await client.subscribeAsync(`${prefix}/kept`, options);
	await client.publishAsync(`${prefix}/kept`, 'own', { qos: 1 });
	await publisher.publishAsync(`${prefix}/kept`, 'kept', { qos: 1, retain: true });
	await publisher.publishAsync(`${prefix}/options-last`, '', { qos: 1 });
	const messages = await done;
	await client.endAsync();
	return { options, messages: messages.map((m) => [m.payload, m.retain]) };
}

async function connectProperties() {
	const { client: watcher } = await connect({ clientId: `${prefix}-watcher` });
	const done = collect(watcher, `${prefix}/will-last`);
	await watcher.subscribeAsync([`${prefix}/will`, `${prefix}/will-last`], { qos: 1 });
	const { client, connack } = await connect({
		clientId: '',
		clean: true,
		properties: {
			sessionExpiryInterval: 60, receiveMaximum: 5, maximumPacketSize: 10000,
			topicAliasMaximum: 10, requestResponseInformation: true,
			requestProblemInformation: true, userProperties: { who: 'mqtt.js' },
		},
		will: {
			topic: `${prefix}/will`, payload: Buffer.from('gone'), qos: 1, retain: false,
			properties: { ...properties, willDelayInterval: 0 },
		},
	});
	// 0x04: Disconnect with Will Message.
	await new Promise((resolve) => client.end(false, { reasonCode: 4 }, resolve));
	const { client: last } = await connect({ clientId: `${prefix}-last` });
	// Retained: it goes through the store, behind the will of a session that is kept there.
	await last.publishAsync(`${prefix}/will-last`, 'x', { qos: 1, retain: true });
	const messages = await done;
	await watcher.endAsync();
	await last.endAsync();
	return { assigned: connack.properties.assignedClientIdentifier, messages };
}

async function main() {
	const result = {
		publish: await publishProperties(),
		options: await subscribeOptions(),
		connect: await connectProperties(),
	};
	process.stdout.write(`${JSON.stringify(result)}\n`);
}

setTimeout(() => {
	process.stderr.write('nothing more happens\n');
	process.exit(2);
}, DEADLINE_MS).unref();
main().catch((error) => {
	process.stderr.write(`${error.stack}\n`);
	process.exit(1);
});
