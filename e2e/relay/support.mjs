// The real binary, and credentials made by Node's own crypto: nothing here shares code with the relay.
import { spawn, execFile } from 'node:child_process';
import { createHash, createHmac } from 'node:crypto';
import { once } from 'node:events';
import { mkdtemp, rm, open, readFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import path from 'node:path';
import { promisify } from 'node:util';
import WebSocket from 'ws';

const root = path.resolve(import.meta.dirname, '../..');
const binary = process.env.RELAY_TEST_BINARY ?? path.join(root, 'target/debug/hookcast');
const run = promisify(execFile);

/** How long any single thing is waited for: a slow machine makes a test slower, not red. */
export const WAIT = 30_000;

export const sha256 = (text) => createHash('sha256').update(text).digest('hex');

/** Settle with `promise`, or fail with what was waited for. */
export async function within(what, promise, limit = WAIT) {
	let timer;
	const late = new Promise((_, reject) => {
		timer = setTimeout(() => reject(new Error(`waited ${limit / 1000} s for ${what}`)), limit);
	});
	try {
		return await Promise.race([promise, late]);
	} finally {
		clearTimeout(timer);
	}
}

/** Ask again until `probe` gives something. For what announces itself in no other way. */
export async function until(what, probe) {
	const deadline = Date.now() + WAIT;
	for (;;) {
		const value = await probe();
		if (value) return value;
		if (Date.now() > deadline) throw new Error(`waited ${WAIT / 1000} s for ${what}`);
		await new Promise((resolve) => setTimeout(resolve, 20));
	}
}

let nextPort = 40_000;

/** An address of 127.0.0.0/8 that no other process uses: SO_REUSEPORT would hide a port that is used twice. */
function freeAddress() {
	const host = ((process.pid << 1) | 1) & 0xffffff;
	return `127.${host >> 16}.${(host >> 8) & 255}.${host & 255}:${nextPort++}`;
}

export class Relay {
	static async start({ config = '', workers = 2 } = {}) {
		const relay = new Relay();
		relay.directory = await mkdtemp(path.join(tmpdir(), 'hookcast-e2e-'));
		relay.address = freeAddress();
		relay.url = `http://${relay.address}`;
		relay.workers = workers;
		const file = await open(path.join(relay.directory, 'hookcast.toml'), 'w');
		await file.writeFile(config);
		await file.close();
		await relay.launch();
		return relay;
	}

	get data() {
		return path.join(this.directory, 'data');
	}

	async launch() {
		const log = await open(path.join(this.directory, 'log'), 'a');
		const words = ['serve', '--config', path.join(this.directory, 'hookcast.toml'), '--listen', this.address];
		words.push('--data-dir', this.data, '--workers', String(this.workers));
		this.child = spawn(binary, words, { stdio: ['ignore', log.fd, log.fd] });
		await log.close();
		let ended = false;
		this.ended = once(this.child, 'exit').then((exit) => {
			ended = true;
			return exit;
		});
		await until('the relay to be ready', async () => {
			if (ended) throw new Error(`the relay ended at once:\n${await this.log()}`);
			return fetch(`${this.url}/readyz`).then((answer) => answer.ok, () => false);
		});
	}

	log() {
		return readFile(path.join(this.directory, 'log'), 'utf8');
	}

	/** SIGTERM, and its exit code. */
	async stop() {
		this.child.kill('SIGTERM');
		const [code] = await within('the relay to end', this.ended);
		return code;
	}

	async close() {
		this.child.kill('SIGKILL');
		await this.ended;
		await rm(this.directory, { recursive: true, force: true });
	}

	async cli(...words) {
		const { stdout } = await run(binary, [...words, '--json', '--data-dir', this.data]);
		return JSON.parse(stdout);
	}

	/** Add a site while the relay runs, and wait until the relay knows it. */
	async addSite(url) {
		const site = new Site(await this.cli('site', 'add', '--url', url), this.url);
		await until('the relay to take up the site', async () => (await site.stats()).status === 200);
		return site;
	}
}

let lastStamp = 0;

export class Site {
	constructor(json, relayUrl) {
		this.key = json.site_key;
		this.publishSecret = json.publish_secret;
		this.jwtSecret = json.jwt_secret;
		this.id = sha256(`site:${this.key}`);
		this.tenantId = sha256(`tenant:${this.key}`);
		this.relayUrl = relayUrl;
	}

	qualified(channel) {
		return `site:${this.id}:${channel}`;
	}

	/** Two requests never get the same timestamp: the second of two equal ones would be a repetition. */
	headers(body) {
		lastStamp = Math.max(Date.now(), lastStamp + 1);
		const ts = String(lastStamp);
		const sign = createHmac('sha256', this.publishSecret).update(`${body}.${ts}`).digest('hex');
		return { 'X-WP-Signal-Key': this.key, 'X-WP-Signal-Ts': ts, 'X-WP-Signal-Sign': sign };
	}

	async publish(channel, event, data) {
		const body = JSON.stringify({ channel, event, data });
		const headers = { ...this.headers(body), 'Content-Type': 'application/json' };
		const answer = await fetch(`${this.relayUrl}/publish`, { method: 'POST', headers, body });
		const json = await answer.json();
		if (answer.status !== 200) throw new Error(`publish: ${answer.status} ${JSON.stringify(json)}`);
		return json;
	}

	stats() {
		return fetch(`${this.relayUrl}/site/stats`, { headers: this.headers('') });
	}

	/** A token that may do everything on the site; `claims` change it. Version 1 has no `v`. */
	token(claims = {}, version = 2) {
		const now = Math.floor(Date.now() / 1000);
		const all = {
			tenant_id: this.tenantId,
			site_id: this.id,
			user_id: '7',
			allowed_channel_prefixes: [this.qualified('')],
			iat: now,
			exp: now + 600,
			...(version === 2 ? { v: 2, allowed_publish_prefixes: [this.qualified('')] } : {}),
			...claims,
		};
		const part = (value) => Buffer.from(JSON.stringify(value)).toString('base64url');
		const message = `${part({ alg: 'HS256', typ: 'JWT' })}.${part(all)}`;
		return `${message}.${createHmac('sha256', this.jwtSecret).update(message).digest('base64url')}`;
	}

	streamUrl(channels, version = 2) {
		const query = channels.map(encodeURIComponent).join(',');
		return `${this.relayUrl}/sse?token=${this.token({}, version)}&channels=${query}`;
	}

	/** A socket that is open and subscribed, and hands every message but pings to `onMessage`. */
	async socket(channels, { version = 2, onMessage = () => {}, query = '' } = {}) {
		const url = `${this.relayUrl.replace('http', 'ws')}/ws?token=${this.token({}, version)}${query}`;
		const socket = new WebSocket(url, { perMessageDeflate: true });
		let subscribed;
		const done = new Promise((resolve, reject) => {
			subscribed = resolve;
			socket.once('error', reject);
			socket.once('close', (code) => reject(new Error(`closed with ${code}`)));
		});
		socket.on('message', (bytes, binary) => {
			if (binary) return onMessage(bytes, true);
			const message = JSON.parse(bytes.toString());
			if (message.type === 'ping') return socket.send('{"type":"pong"}');
			if (message.type === 'subscribed') subscribed(message);
			else onMessage(message, false);
		});
		socket.once('open', () => socket.send(JSON.stringify({ type: 'subscribe', channels })));
		const answer = await within('the subscription', done);
		if (answer.channels.length !== channels.length) throw new Error(`subscribed only ${answer.channels}`);
		return socket;
	}
}
