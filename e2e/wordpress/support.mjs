// The lab's WordPress as the suite drives it, and a stand-in for the relay that checks what the connector sends.
import { createDecipheriv, createHash, createHmac } from 'node:crypto';
import { once } from 'node:events';
import { readFile, writeFile } from 'node:fs/promises';
import { createServer } from 'node:http';
import { until } from '../relay/support.mjs';

export const lab = {
	url: process.env.LAB_URL,
	root: process.env.LAB_ROOT,
	constants: process.env.LAB_CONSTANTS,
	log: process.env.LAB_LOG,
};

/** Define these constants in the next requests' wp-config.php. */
export const wire = (constants) => writeFile(lab.constants, JSON.stringify(constants));

export const connection = (url, site) => ({
	HOOKCAST_URL: url,
	HOOKCAST_SITE_KEY: site.key,
	HOOKCAST_PUBLISH_SECRET: site.publishSecret,
	HOOKCAST_JWT_SECRET: site.jwtSecret,
});

/** What PHP complained about since `mark`, which `complaints()` returns the length of. */
export const complaints = () => readFile(lab.log, 'utf8').catch(() => '');

/** A visitor, or a user after `login`: cookies are kept, redirects are not followed. */
export class Visitor {
	constructor(base = lab.url) {
		this.base = base;
		this.cookies = new Map();
	}

	async fetch(path, options = {}) {
		const headers = { ...options.headers, Cookie: [...this.cookies].map((pair) => pair.join('=')).join('; ') };
		const answer = await fetch(new URL(path, this.base), { redirect: 'manual', ...options, headers });
		for (const cookie of answer.headers.getSetCookie()) {
			const [, name, value] = /^([^=]+)=([^;]*)/.exec(cookie);
			this.cookies.set(name, value);
		}
		return answer;
	}

	async text(path) {
		const answer = await this.fetch(path);
		return answer.text();
	}

	async login(name) {
		await this.fetch('/wp-login.php');
		const body = new URLSearchParams({ log: name, pwd: name, testcookie: '1' });
		const answer = await this.fetch('/wp-login.php', { method: 'POST', body });
		if (answer.status !== 302) throw new Error(`log-in as ${name}: ${answer.status}`);
		return this;
	}

	async token() {
		const headers = {};
		if (this.cookies.size) headers['X-WP-Nonce'] = await this.text('/wp-admin/admin-ajax.php?action=rest-nonce');
		return this.fetch('/wp-json/hookcast/v1/token', { method: 'POST', headers });
	}
}

/** A relay that takes, checks and keeps; `behave` changes an answer. */
export class StandIn {
	static async start(t) {
		const relay = new StandIn();
		relay.key = 'ab'.repeat(16);
		relay.publishSecret = '12'.repeat(32);
		relay.jwtSecret = '34'.repeat(32);
		relay.requests = [];
		relay.events = [];
		relay.triggers = { version: 1, triggers: [] };
		relay.behave = () => null;
		relay.server = createServer((request, answer) => relay.take(request, answer));
		relay.server.listen(0, '127.0.0.1');
		await once(relay.server, 'listening');
		relay.url = `http://127.0.0.1:${relay.server.address().port}`;
		t.after(() => {
			relay.server.closeAllConnections();
			relay.server.close();
		});
		await wire({ ...connection(relay.url, relay), LAB_REFRESH_SECONDS: 3600 });
		await new Visitor().text('/?lab=reset');
		// The reset's own request asks for triggers when it is done.
		await until('the first look at the triggers', () => relay.paths('/site/triggers').length);
		relay.requests.length = 0;
		return relay;
	}

	paths(path) {
		return this.requests.filter((request) => request.path === path);
	}

	async take(request, answer) {
		const chunks = [];
		for await (const chunk of request) chunks.push(chunk);
		const body = Buffer.concat(chunks);
		const { 'x-wp-signal-ts': ts, 'x-wp-signal-sign': sign } = request.headers;
		const right = createHmac('sha256', this.publishSecret).update(body).update(`.${ts}`).digest('hex') === sign;
		const entry = { path: request.url, method: request.method, headers: request.headers, body: body.toString(), right };
		this.requests.push(entry);
		const [status, json, headers] = (await this.behave(entry)) ?? this.usual(entry);
		answer.writeHead(status, { 'Content-Type': 'application/json', ...headers });
		answer.end(status === 304 ? undefined : JSON.stringify(json));
	}

	usual({ path, body, headers, right }) {
		if (path === '/healthz') return [200, { status: 'ok' }];
		if (!right) return [401, { error: 'invalid_signature', message: 'the signature does not match' }];
		if (path === '/publish') {
			this.events.push(JSON.parse(body));
			return [200, { ok: true }];
		}
		if (path === '/publish/batch') {
			const items = JSON.parse(body);
			this.events.push(...items);
			return [200, { ok: true, results: items.map(() => ({ ok: true })) }];
		}
		if (path === '/site/stats') return [200, { active_connections: 3, max_connections: 0 }];
		if (path === '/site/triggers') {
			const etag = `"${this.triggers.version}"`;
			return headers['if-none-match'] === etag ? [304, null, { ETag: etag }] : [200, this.triggers, { ETag: etag }];
		}
		return [404, { error: 'not_found', message: 'nothing here' }];
	}

	/** Use these triggers, and wait until WordPress does; of a `hostile` one it shall make nothing. */
	async setTriggers(...triggers) {
		this.triggers = { version: this.triggers.version + 1, triggers: triggers.map(whole) };
		await wire({ ...connection(this.url, this), LAB_REFRESH_SECONDS: 0 });
		const before = this.paths('/site/triggers').length;
		await new Visitor().text('/?lab=emit&n=0');
		await until('the triggers to be fetched', () => this.paths('/site/triggers').length > before);
		await wire({ ...connection(this.url, this), LAB_REFRESH_SECONDS: 3600 });
		await until('WordPress to use them', async () => {
			const admin = await new Visitor().login('admin');
			const page = await admin.text('/wp-admin/tools.php?page=hookcast');
			return triggers.every(({ event, hostile }) => hostile || page.includes(`<td>${event}</td>`));
		});
	}
}

/** A trigger as the relay sends it, from what a test says of it. */
export const whole = (trigger) => ({
	id: createHash('sha256').update(trigger.event).digest('hex').slice(0, 16),
	name: trigger.event,
	enabled: true,
	channel: 'events',
	data: { kind: 'whole', path: '' },
	conditions: { mode: 'all', rules: [] },
	...trigger,
});

export function decrypt(key, { event, data }) {
	if (event !== 'encrypted') throw new Error(`${event} is not encrypted`);
	const bytes = Buffer.from(data.p, 'base64');
	const cipher = createDecipheriv('aes-256-gcm', Buffer.from(key, 'base64'), bytes.subarray(0, 12));
	cipher.setAuthTag(bytes.subarray(-16));
	return JSON.parse(Buffer.concat([cipher.update(bytes.subarray(12, -16)), cipher.final()]).toString());
}

export const claims = (token) => JSON.parse(Buffer.from(token.split('.')[1], 'base64url').toString());
