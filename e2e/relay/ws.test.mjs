// Node's `ws`: another codec, with compression asked for and not granted.
import assert from 'node:assert/strict';
import { once } from 'node:events';
import WebSocket from 'ws';
import { test } from '../suite.mjs';
import { Relay, until, within } from './support.mjs';

test('messages, binary frames and pings', async (t) => {
	const relay = await Relay.start();
	t.after(() => relay.close());
	const site = await relay.addSite('https://one.example');
	const seen = [];
	const socket = await site.socket(['events'], { version: 1, onMessage: (message) => seen.push(message) });
	assert.equal(socket.extensions, '');
	await site.publish('events', 'hello', { a: 1 });
	const frame = Buffer.concat([Buffer.from([0, 6]), Buffer.from('events'), Buffer.from([0, 1, 254, 255])]);
	socket.send(frame);
	await until('both', () => seen.length === 2);
	assert.deepEqual(seen[0], { type: 'message', channel: 'events', event: 'hello', data: { a: 1 } });
	assert.deepEqual(seen[1], frame);
	socket.ping('are you there');
	const [payload] = await within('the pong', once(socket, 'pong'));
	assert.equal(payload.toString(), 'are you there');
	socket.close(3000, 'enough');
	const [code] = await within('the close', once(socket, 'close'));
	assert.equal(code, 3000);
});

test('refusals are close codes', async (t) => {
	const relay = await Relay.start({ config: 'limits.connections_per_site_max = 1\n' });
	t.after(() => relay.close());
	const site = await relay.addSite('https://one.example');
	const code = async (token) => {
		const socket = new WebSocket(`${relay.url.replace('http', 'ws')}/ws?token=${token}`);
		// Both may come in one packet: the close is listened for before the upgrade is there.
		const close = once(socket, 'close');
		await within('the upgrade', once(socket, 'open'));
		const [closed, reason] = await within('the close', close);
		assert.notEqual(reason.toString(), '');
		return closed;
	};
	assert.equal(await code('nonsense'), 4001);
	assert.equal(await code(site.token({ exp: Math.floor(Date.now() / 1000) - 100 })), 4001);
	assert.equal(await code(site.token({ site_id: '0'.repeat(64) })), 4003);
	const first = await site.socket(['events']);
	assert.equal(await code(site.token()), 4029);
	const close = once(first, 'close');
	await relay.cli('site', 'archive', site.key);
	const [closed] = await within('the close', close);
	assert.equal(closed, 4003);
});

test('two hundred joins and leaves are followed by presence and by the count', async (t) => {
	const relay = await Relay.start();
	t.after(() => relay.close());
	const site = await relay.addSite('https://one.example');
	const members = new Map();
	let count;
	const watcher = await site.socket(['room', 'wps:connections'], {
		onMessage: ({ event, data }) => {
			if (event === 'wps.connections') count = data;
			else if (data.action === 'sync') data.members.forEach(({ id, state }) => members.set(id, state));
			else if (data.action === 'join') members.set(data.id, data.state);
			else assert.ok(members.delete(data.id), 'a leave of a stranger');
		},
	});
	const sockets = [];
	for (let n = 0; n < 200; n++) {
		const socket = await site.socket([], { version: 1 + (n % 2) });
		socket.send(JSON.stringify({ type: 'presence', channel: 'room', state: { n } }));
		sockets.push(socket);
		if (n % 4 === 3) sockets.shift().terminate();
	}
	// The last 150 to join are left, and nobody else.
	await until('the last to join', () => [...members.values()].some(({ n }) => n === 199));
	await until('the members', () => members.size === 150);
	assert.deepEqual([...members.values()].map(({ n }) => n).toSorted((x, y) => x - y), Array.from({ length: 150 }, (_, n) => n + 50));
	await until('the count', () => count?.active_connections === 151);
	sockets.forEach((socket) => socket.close());
	await until('nobody', () => members.size === 0);
	await until('the count', () => count.active_connections === 1);
	watcher.close();
});
