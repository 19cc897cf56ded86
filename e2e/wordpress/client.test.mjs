// hookcast.js against a scripted relay: what it sends, and what it does when things go wrong.
import assert from 'node:assert/strict';
import { createCipheriv, randomBytes, webcrypto } from 'node:crypto';
import { once } from 'node:events';
import { readFile } from 'node:fs/promises';
import { createServer } from 'node:http';
import path from 'node:path';
import vm from 'node:vm';
import { EventSource } from 'eventsource';
import WebSocket, { WebSocketServer } from 'ws';
import { until, within } from '../relay/support.mjs';
import { test } from '../suite.mjs';

const source = await readFile(path.join(import.meta.dirname, '../../wordpress/hookcast.js'), 'utf8');
const siteId = 'a'.repeat(64);
const qualified = (channel) => `site:${siteId}:${channel}`;
const key = randomBytes(32);

/** The client's pauses are made this much shorter. */
const HASTE = 50;

/** A browser's socket ends with a close event where Node's also throws. */
class BrowserSocket extends WebSocket {
	constructor(url) {
		super(url);
		this.on('error', () => {});
	}
}

/** The client's own world has an Array of its own, which is not the test's. */
const plain = (value) => JSON.parse(JSON.stringify(value));

/** Speaks just enough of both sides, WordPress' token route and the relay, and does what a test tells it to. */
class Script {
	static async start(t) {
		const script = new Script();
		script.sockets = [];
		script.streams = [];
		script.tokens = 0;
		script.tokenStatus = () => 200;
		script.upgrade = true;
		script.life = 300;
		script.http = createServer((request, answer) => script.answer(request, answer));
		script.ws = new WebSocketServer({ noServer: true });
		script.http.on('upgrade', (request, socket, head) => {
			if (!script.upgrade) return socket.destroy();
			script.ws.handleUpgrade(request, socket, head, (ws) => script.adopt(ws, request));
		});
		script.http.listen(0, '127.0.0.1');
		await once(script.http, 'listening');
		script.url = `http://127.0.0.1:${script.http.address().port}`;
		t.after(() => {
			script.client?.halt('unknown-error', 'the test is over');
			script.http.closeAllConnections();
			script.http.close();
			script.sockets.forEach(({ ws }) => ws.terminate());
		});
		return script;
	}

	answer(request, answer) {
		const url = new URL(request.url, this.url);
		if (url.pathname === '/token') {
			this.tokens += 1;
			const status = this.tokenStatus(request.headers['x-wp-nonce']);
			answer.writeHead(status, { 'Content-Type': 'application/json' });
			return answer.end(JSON.stringify(status === 200 ? this.credentials() : {}));
		}
		if (url.pathname === '/nonce') return answer.end('second');
		if (url.pathname === '/sse') {
			answer.writeHead(200, { 'Content-Type': 'text/event-stream' });
			answer.write(':\n\n');
			return this.streams.push({ answer, query: Object.fromEntries(url.searchParams) });
		}
		answer.writeHead(404).end();
	}

	credentials() {
		const now = Math.floor(Date.now() / 1000);
		const token = `token-${this.tokens}`;
		return { token, iat: now, exp: now + this.life, channels: [qualified('events')], key: key.toString('base64'), nonce: 'first' };
	}

	adopt(ws, request) {
		const query = Object.fromEntries(new URL(request.url, this.url).searchParams);
		const socket = { ws, query, frames: [], binary: [] };
		socket.say = (frame) => ws.send(JSON.stringify(frame));
		ws.on('message', (bytes, binary) => {
			if (binary) return socket.binary.push(bytes);
			const frame = JSON.parse(bytes.toString());
			socket.frames.push(frame);
			if (frame.type === 'subscribe' && !this.mute) socket.say({ type: 'subscribed', channels: frame.channels });
			if (frame.type === 'auth') socket.say({ type: 'auth_ok', exp: 0 });
		});
		this.sockets.push(socket);
		this.welcome?.(socket);
	}

	/** Load the client as a page would. */
	load(config = {}) {
		const document = new EventTarget();
		const heard = [];
		const errors = [];
		document.addEventListener('hookcast:error', (event) => errors.push(event.detail));
		const sandbox = {
			document, WebSocket: BrowserSocket, EventSource, fetch, TextEncoder, TextDecoder, atob, clearTimeout,
			crypto: webcrypto,
			CustomEvent,
			setTimeout: (action, ms = 0) => setTimeout(action, ms / HASTE),
			setInterval: (action, ms) => setInterval(action, ms / HASTE).unref(),
			hookcastConfig: {
				url: this.url, tokenUrl: `${this.url}/token`, nonceUrl: `${this.url}/nonce`, nonce: 'first', ...config,
			},
		};
		sandbox.window = sandbox;
		vm.runInNewContext(source, sandbox, { filename: 'hookcast.js' });
		this.client = sandbox.WPS;
		this.client.onMessage((event, data, channel) => heard.push([event, data, channel]));
		return { WPS: sandbox.WPS, document, heard, errors };
	}

	async socket(index = 0) {
		await until(`socket ${index}`, () => this.sockets[index]?.frames.some((frame) => frame.type === 'subscribe'));
		return this.sockets[index];
	}

	async stream(index = 0) {
		await until(`stream ${index}`, () => this.streams[index]);
		return this.streams[index];
	}
}

const message = (event, data, id) => ({ type: 'message', channel: 'events', event, data, ...(id ? { id } : {}) });

function encrypted(event, data, id) {
	const iv = randomBytes(12);
	const cipher = createCipheriv('aes-256-gcm', key, iv);
	const text = Buffer.concat([cipher.update(JSON.stringify({ event, data })), cipher.final()]);
	return message('encrypted', { v: 1, p: Buffer.concat([iv, text, cipher.getAuthTag()]).toString('base64') }, id);
}

test('it subscribes with ids, tells pages in every way, and answers pings', async (t) => {
	const script = await Script.start(t);
	const { WPS, document, heard } = script.load();
	const onDocument = [];
	const byName = [];
	document.addEventListener('wpsignal:post.updated', (event) => onDocument.push(event.detail));
	const off = WPS.on('post.updated', (data, channel) => byName.push([data, channel]));
	const socket = await script.socket();
	assert.equal(socket.query.ids, '1');
	assert.equal(socket.query.token, 'token-1');
	assert.deepEqual(socket.frames[0], { type: 'subscribe', channels: [qualified('events')] });
	await until('the connection', () => WPS.connected);
	assert.equal(WPS.transport, 'ws');

	socket.say(message('post.updated', { post_id: 1 }));
	await until('the message', () => heard.length === 1);
	off();
	socket.say(message('post.updated', { post_id: 2 }));
	socket.say({ type: 'ping' });
	await until('the pong', () => socket.frames.some((frame) => frame.type === 'pong'));
	assert.deepEqual(heard.map(([, data]) => data.post_id), [1, 2]);
	assert.deepEqual(plain(byName), [[{ post_id: 1 }, 'events']]);
	assert.equal(onDocument[0].channel, 'events');
	assert.equal(onDocument.length, 2);
});

test('a handler that throws does not keep the others from hearing', async (t) => {
	const script = await Script.start(t);
	const { WPS, heard } = script.load();
	// The error belongs to the page: it is thrown on its own, where window.onerror finds it.
	const thrown = [];
	const listener = (error) => thrown.push(error.message);
	const others = process.listeners('uncaughtException');
	process.removeAllListeners('uncaughtException');
	process.on('uncaughtException', listener);
	t.after(() => {
		process.off('uncaughtException', listener);
		others.forEach((other) => process.on('uncaughtException', other));
	});
	WPS.on('bad', () => {
		throw new Error('a page of its own making');
	});
	const after = [];
	WPS.on('bad', () => after.push('heard'));
	(await script.socket()).say(message('bad', null));
	await until('the others', () => after.length === 1 && heard.length === 1 && thrown.length === 1);
});

test('what is encrypted is decrypted, and order is kept around it', async (t) => {
	const script = await Script.start(t);
	const { heard, errors } = script.load();
	const socket = await script.socket();
	for (let i = 0; i < 30; i += 1) socket.say(i % 3 ? encrypted('n', i) : message('n', i));
	socket.say(message('encrypted', { v: 1, p: Buffer.alloc(40).toString('base64') }));
	socket.say(message('n', 30));
	await until('all', () => heard.length === 31);
	assert.deepEqual(heard.map(([, data]) => data), Array.from({ length: 31 }, (_, i) => i));
	assert.equal(errors[0].code, 'undecryptable');
});

test('after an interruption it asks for what it missed, and tells of a gap', async (t) => {
	const script = await Script.start(t);
	const { WPS, heard } = script.load();
	const states = [];
	WPS.onStateChange((state) => states.push(state));
	WPS.subscribe(['shop', 'gone']);
	WPS.unsubscribe('gone');
	const first = await script.socket();
	await until('the connection', () => WPS.connected);
	first.say(message('n', 1, 'id-1'));
	first.say({ ...message('n', 2, 'id-2'), channel: qualified('events') });
	await until('both', () => heard.length === 2);
	first.ws.close(1012, 'restarting');
	const second = await script.socket(1);
	const subscribe = second.frames.find((frame) => frame.type === 'subscribe');
	assert.deepEqual(subscribe.channels, ['shop', qualified('events')]);
	assert.deepEqual(subscribe.since, { [qualified('events')]: 'id-2' });
	second.say({ type: 'gap', channel: 'events' });
	await until('the gap', () => heard.length === 3);
	assert.deepEqual(plain(heard[2]), ['wps.gap', {}, 'events']);
	assert.ok(states.some((state) => !state.connected && state.retryInMs > 0 && state.error));
	assert.ok(states.at(-1).connected && !states.at(-1).error && states.at(-1).failures === 0);
});

test('the token is renewed on the open socket', async (t) => {
	const script = await Script.start(t);
	script.life = 20;
	const { WPS } = script.load();
	const socket = await script.socket();
	await until('the renewal', () => socket.frames.some((frame) => frame.type === 'auth'));
	assert.equal(socket.frames.find((frame) => frame.type === 'auth').token, 'token-2');
	assert.equal(script.sockets.length, 1);
	assert.ok(WPS.connected);
});

test('a refused token is fetched anew once, then slowly', async (t) => {
	const script = await Script.start(t);
	script.welcome = ({ ws }) => ws.close(4001, 'the token is malformed');
	const { WPS } = script.load();
	await until('the second try', () => script.sockets.length === 2);
	await until('the verdict', () => WPS.state.error?.code === 'authentication-failed');
	assert.equal(WPS.state.error.message, 'the token is malformed');
	assert.ok(WPS.state.retryInMs >= 300_000);
	assert.equal(script.tokens, 2);
});

test('a user who gets no token is left alone, one with an old nonce is not', async (t) => {
	const script = await Script.start(t);
	script.tokenStatus = (nonce) => (nonce === 'second' ? 200 : 403);
	script.load();
	await script.socket();
	script.tokenStatus = () => 401;
	const before = script.tokens;
	const { WPS } = script.load();
	await until('the verdict', () => WPS.state.error?.code === 'authentication-failed');
	assert.equal(script.tokens, before + 1);
	assert.equal(script.sockets.length, 1);
});

test('without sockets it listens to a stream, and carries on where it was', async (t) => {
	const script = await Script.start(t);
	script.upgrade = false;
	script.life = 20;
	const { WPS, heard } = script.load();
	const first = await script.stream();
	await until('the connection', () => WPS.connected);
	assert.equal(WPS.transport, 'sse');
	assert.equal(WPS.publish('events', 'n', {}), false);
	const { type, ...frame } = encrypted('n', 1);
	first.answer.write(`id: cursor-1\ndata: ${JSON.stringify(frame)}\n\n`);
	await until('the message', () => heard.length === 1);
	assert.deepEqual(plain(heard[0]), ['n', 1, 'events']);
	// A token of 20 s is renewed, in hasty time, at once: the stream is opened anew from the cursor.
	const second = await script.stream(1);
	assert.equal(second.query.last_event_id, 'cursor-1');
	assert.notEqual(second.query.token, first.query.token);
	assert.ok(WPS.connected);
});

test('a change of transport is told as a gap, and a relay that is away is no reason for one', async (t) => {
	const script = await Script.start(t);
	const { WPS, heard } = script.load();
	const socket = await script.socket();
	await until('the connection', () => WPS.connected);
	socket.say(message('n', 1, 'id-1'));
	await until('the message', () => heard.length === 1);
	script.upgrade = false;
	socket.ws.terminate();
	// Three tries of a socket, and only then a stream.
	const stream = await script.stream();
	assert.equal(script.tokens, 5);
	await until('the gap', () => heard.length === 2);
	assert.deepEqual(plain(heard[1]), ['wps.gap', {}, qualified('events')]);
	stream.answer.write(`id: c1\ndata: ${JSON.stringify({ event: 'n', channel: 'events', data: 2 })}\n\n`);
	await until('the message', () => heard.length === 3);
	script.upgrade = true;
	stream.answer.end();
	const second = await script.socket(1);
	assert.equal(second.frames[0].since, undefined);
	await until('the gap', () => heard.length === 4);
	assert.deepEqual(plain(heard[3]), ['wps.gap', {}, qualified('events')]);
});

test('presence and binary frames', async (t) => {
	const script = await Script.start(t);
	const { WPS } = script.load();
	const first = await script.socket();
	await until('the connection', () => WPS.connected);
	assert.equal(WPS.setPresence('room', { name: 'a' }), true);
	WPS.setPresence('other', { name: 'a' });
	WPS.setPresence('other', null);
	assert.equal(WPS.publish('room', 'hello', { to: 'all' }), true);
	WPS.publishBinary('röom', new Uint8Array([1, 2, 255]));
	await until('the frame', () => first.binary.length === 1);
	assert.deepEqual([...first.binary[0]], [0, 5, ...Buffer.from('röom'), 1, 2, 255]);
	assert.deepEqual(first.frames.slice(1), [
		{ type: 'presence', channel: 'room', state: { name: 'a' } },
		{ type: 'presence', channel: 'other', state: { name: 'a' } },
		{ type: 'presence', channel: 'other', state: null },
		{ type: 'message', channel: 'room', event: 'hello', data: { to: 'all' } },
	]);
	const got = [];
	WPS.onBinaryMessage((channel, data) => got.push([channel, [...data]]));
	first.ws.send(Buffer.from([0, 200, 1]));
	first.ws.send(first.binary[0]);
	await until('its echo', () => got.length === 1);
	assert.deepEqual(plain(got[0]), ['röom', [1, 2, 255]]);
	first.ws.terminate();
	const second = await script.socket(1);
	await until('the presence', () => second.frames.length === 2);
	assert.deepEqual(second.frames[1], { type: 'presence', channel: 'room', state: { name: 'a' } });
});

test('a silent socket is thrown away', async (t) => {
	const script = await Script.start(t);
	const { WPS } = script.load();
	const first = await script.socket();
	await until('the connection', () => WPS.connected);
	// Not heard of for a minute, as after a sleep of the device.
	WPS.link.heardAt -= 60_000;
	await within('its end', once(first.ws, 'close'));
	await script.socket(1);
	await until('the connection', () => WPS.connected);
});

test('the relay that is away is tried again and again, with growing pauses', async (t) => {
	const script = await Script.start(t);
	const { WPS } = script.load({ url: 'http://127.0.0.1:9', credentials: script.credentials() });
	const pauses = [];
	WPS.onStateChange((state) => state.retryInMs && pauses.push(state.retryInMs));
	await until('four pauses', () => pauses.length >= 4);
	pauses.slice(0, 4).forEach((pause, n) => assert.ok(pause >= 500 * 2 ** n && pause <= 1000 * 2 ** n, `${pauses}`));
	assert.ok(script.tokens >= 3);
});
