// SPDX-License-Identifier: Apache-2.0
// MQTT.js over ws://, wss:// or mqtts:// (argument), trusting the authority in a file: small and large
// messages come back, with every QoS. Prints how many came and how many bytes they had.
const fs = require('fs');
const mqtt = require('mqtt');

const [url, authority] = process.argv.slice(2);
const client = mqtt.connect(url, {
  protocolVersion: 5, ca: authority ? [fs.readFileSync(authority)] : undefined,
});
const sizes = [0, 1, 125, 126, 65535, 65536, 300000];
let count = 0;
let bytes = 0;

client.on('error', (error) => {
  console.error(error.message);
  process.exit(1);
});
client.on('message', (topic, payload) => {
  count += 1;
  bytes += payload.length;
  if (count === sizes.length) client.end();
});
client.on('close', () => {
  console.log(`${count} ${bytes}`);
  process.exit(0);
});
client.on('connect', () => {
  client.subscribe('sizes/#', { qos: 2 }, () => {
    sizes.forEach((size, i) => client.publish(`sizes/${i}`, Buffer.alloc(size, i), { qos: i % 3 }));
  });
});
