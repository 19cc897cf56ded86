// hookcast.php in a real WordPress, against a stand-in for the relay that checks every request.
import assert from 'node:assert/strict';
import { createHmac } from 'node:crypto';
import { once } from 'node:events';
import { readFile } from 'node:fs/promises';
import { spawn } from 'node:child_process';
import path from 'node:path';
import { until, within } from '../relay/support.mjs';
import { after, test } from '../suite.mjs';
import { StandIn, Visitor, claims, complaints, connection, decrypt, lab, wire } from './support.mjs';

const visitor = new Visitor();
const admin = await new Visitor().login('admin');

after(async () => {
	const log = await complaints();
	assert.ok(!/PHP (Notice|Warning|Deprecated|Fatal|Parse)/.test(log), `PHP complained:\n${log}`);
});

const credentials = async () => {
	const answer = await admin.token();
	assert.equal(answer.status, 200);
	return answer.json();
};

const screen = () => admin.text('/wp-admin/tools.php?page=hookcast');

test('one event: one signed request, encrypted, after the page', async (t) => {
	const relay = await StandIn.start(t);
	let release;
	const held = new Promise((resolve) => (release = resolve));
	relay.behave = () => held;
	// The relay does not answer, and the page is there all the same.
	assert.match(await visitor.text('/?lab=emit&n=1'), /emitted/);
	await until('the request', () => relay.requests.length === 1);
	release(null);
	await until('the event', () => relay.events.length === 1);
	const [request] = relay.requests;
	assert.deepEqual([request.path, request.method, request.right], ['/publish', 'POST', true]);
	assert.equal(request.headers['x-wp-signal-key'], relay.key);
	assert.ok(Math.abs(Date.now() - Number(request.headers['x-wp-signal-ts'])) < 60_000);
	assert.ok(!request.body.includes('lab.n'));
	const { key } = await credentials();
	assert.deepEqual(decrypt(key, relay.events[0]), { event: 'lab.n', data: { i: 0, pad: '' } });
	assert.equal(relay.events[0].channel, 'events');
});

test('many events: batches of at most a hundred, in order', async (t) => {
	const relay = await StandIn.start(t);
	await visitor.text('/?lab=emit&n=250');
	await until('all', () => relay.events.length === 250);
	assert.deepEqual(relay.requests.map(({ path, body }) => [path, JSON.parse(body).length]), [
		['/publish/batch', 100],
		['/publish/batch', 100],
		['/publish/batch', 50],
	]);
	const { key } = await credentials();
	assert.deepEqual(relay.events.map((event) => decrypt(key, event).data.i), Array.from({ length: 250 }, (_, i) => i));
});

test('large events: a batch stays below half a megabyte', async (t) => {
	const relay = await StandIn.start(t);
	await visitor.text('/?lab=emit&n=20&size=60000');
	await until('all', () => relay.events.length === 20);
	assert.ok(relay.requests.length > 2);
	relay.requests.forEach(({ body }) => assert.ok(body.length < 600_000));
});

test('a relay that knows no batches gets one at a time', async (t) => {
	const relay = await StandIn.start(t);
	relay.behave = ({ path }) => (path === '/publish/batch' ? [404, { error: 'not_found', message: 'no' }] : null);
	await visitor.text('/?lab=emit&n=5');
	await until('all', () => relay.events.length === 5);
	const { key } = await credentials();
	assert.deepEqual(relay.events.map((event) => decrypt(key, event).data.i), [0, 1, 2, 3, 4]);
	assert.equal(relay.paths('/publish/batch').length, 1);
});

test('what is over the rate is sent again, in order', async (t) => {
	const relay = await StandIn.start(t);
	let first = true;
	relay.behave = ({ path, body }) => {
		if (path !== '/publish/batch' || !first) return null;
		first = false;
		const items = JSON.parse(body);
		relay.events.push(...items.slice(0, 3));
		const results = items.map((_, i) => (i < 3 ? { ok: true } : { ok: false, error: 'rate_limited', message: 'slower' }));
		return [200, { ok: true, results }, { 'Retry-After': '1' }];
	};
	await visitor.text('/?lab=emit&n=10');
	await until('all', () => relay.events.length === 10);
	const { key } = await credentials();
	assert.deepEqual(relay.events.map((event) => decrypt(key, event).data.i), Array.from({ length: 10 }, (_, i) => i));
	assert.doesNotMatch(await screen(), /rate_limited/);
});

test('an answer that is lost: the same signed bytes again', async (t) => {
	const relay = await StandIn.start(t);
	let lost = 0;
	relay.behave = async ({ path }) => {
		if (path !== '/publish' || lost++) return null;
		await new Promise((resolve) => setTimeout(resolve, 3500));
		return null;
	};
	await visitor.text('/?lab=emit&n=1');
	await until('the second try', () => relay.requests.length === 2);
	const [one, two] = relay.requests;
	assert.equal(one.body, two.body);
	assert.equal(one.headers['x-wp-signal-sign'], two.headers['x-wp-signal-sign']);
});

test('a relay that is down: pages work, administrators are told, and it is left alone for a while', async (t) => {
	const relay = await StandIn.start(t);
	await wire({ ...connection('http://127.0.0.1:9', relay), LAB_REFRESH_SECONDS: 3600 });
	assert.match(await visitor.text('/?lab=emit&n=3'), /emitted/);
	const notice = () => admin.text('/wp-admin/index.php');
	await until('the notice', async () => (await notice()).includes('hookcast-notice'));
	const editor = await new Visitor().login('editor');
	assert.ok(!(await editor.text('/wp-admin/index.php')).includes('hookcast-notice'));

	// Even where it is back, the next event comes too early, and the one after "Try again" does not.
	await wire({ ...connection(relay.url, relay), LAB_REFRESH_SECONDS: 3600 });
	await visitor.text('/?lab=emit&n=2');
	const page = await until('the count', async () => {
		const text = await screen();
		return /Events not sent since<\/th><td>5</.test(text) && text;
	});
	assert.equal(relay.requests.length, 0);
	const nonce = /value="hookcast_retry"><input type="hidden" id="_wpnonce" name="_wpnonce" value="(\w+)"/.exec(page)[1];
	const forged = await admin.fetch('/wp-admin/admin-post.php', { method: 'POST', body: new URLSearchParams({ action: 'hookcast_retry' }) });
	assert.equal(forged.status, 403);
	const body = new URLSearchParams({ action: 'hookcast_retry', _wpnonce: nonce });
	const answer = await admin.fetch('/wp-admin/admin-post.php', { method: 'POST', body });
	assert.equal(answer.status, 302);
	await visitor.text('/?lab=emit&n=1');
	await until('the event', () => relay.events.length === 1);
	await until('all to be well', async () => !(await notice()).includes('hookcast-notice'));
});

test('a refusal is shown with its reason', async (t) => {
	const relay = await StandIn.start(t);
	relay.behave = ({ path }) => (path === '/publish' ? [401, { error: 'unknown_site_key', message: 'no such site' }] : null);
	await visitor.text('/?lab=emit&n=1');
	await until('the reason', async () => /unknown_site_key: no such site/.test(await screen()));
});

test('where PHP can not go on after the page, a relay that hangs costs it two seconds once', async (t) => {
	const relay = await StandIn.start(t);
	relay.behave = ({ path }) => (path.startsWith('/publish') ? new Promise(() => {}) : null);
	const port = process.env.LAB_BUILTIN_PORT;
	const router = path.join(import.meta.dirname, 'lab/router.php');
	const php = spawn('php', ['-S', `127.0.0.1:${port}`, '-t', lab.root, router], {
		stdio: 'ignore',
		env: { ...process.env, LAB_URL: `http://127.0.0.1:${port}`, PHP_CLI_SERVER_WORKERS: '3' },
		detached: true,
	});
	t.after(() => process.kill(-php.pid));
	const builtin = new Visitor(`http://127.0.0.1:${port}`);
	await until('the server', () => builtin.fetch('/wp-login.php').then((answer) => answer.status === 200, () => false));
	const timed = async (path) => {
		const begun = performance.now();
		assert.match(await builtin.text(path), /emitted/);
		return performance.now() - begun;
	};
	const plain = await timed('/?lab=emit&n=0');
	const hanging = await timed('/?lab=emit&n=200');
	const after = await timed('/?lab=emit&n=200');
	t.diagnostic(`nothing to send ${plain.toFixed(0)} ms, hanging relay ${hanging.toFixed(0)} ms, next page ${after.toFixed(0)} ms`);
	assert.ok(hanging >= 900, 'it did try');
	assert.equal(relay.requests.filter(({ path }) => path.startsWith('/publish')).length, 1);
	// Its triggers come by a request to itself, which nobody waits for.
	await wire({ ...connection(relay.url, relay), LAB_REFRESH_SECONDS: 0 });
	await builtin.text('/?lab=reset');
	await builtin.text('/?lab=emit&n=0');
	await until('the triggers', () => relay.paths('/site/triggers').length > 0);
});

test('the background request takes no orders from strangers', async (t) => {
	const relay = await StandIn.start(t);
	const body = new URLSearchParams({ action: 'hookcast_background', ts: String(Math.floor(Date.now() / 1000)), sign: 'x' });
	const answer = await visitor.fetch('/wp-admin/admin-ajax.php', { method: 'POST', body });
	assert.equal(answer.status, 403);
	assert.equal(relay.requests.length, 0);
});

test('tokens: for users, not for visitors, unless the site opens it to them', async (t) => {
	const relay = await StandIn.start(t);
	assert.equal((await visitor.token()).status, 401);
	assert.ok(!(await visitor.text('/')).includes('hookcastConfig'));

	const reader = await new Visitor().login('reader');
	const id = claims((await credentials()).token).site_id;
	const own = await (await reader.token()).json();
	const [head, body, sign] = own.token.split('.');
	assert.equal(createHmac('sha256', relay.jwtSecret).update(`${head}.${body}`).digest('base64url'), sign);
	const { iat, exp, user_id: user, ...rest } = claims(own.token);
	assert.equal(exp - iat, 300);
	assert.notEqual(user, '0');
	assert.deepEqual(rest.allowed_channel_prefixes, [`site:${id}:events`, `site:${id}:public`]);
	assert.deepEqual(rest.allowed_publish_prefixes, []);
	assert.equal(rest.v, 2);
	assert.ok(own.key && own.nonce);
	const page = await reader.text('/');
	assert.ok(page.includes('hookcastConfig') && page.includes('hookcast.js'));
	assert.ok(!page.includes(relay.publishSecret) && !page.includes(relay.jwtSecret));
	assert.ok(claims((await credentials()).token).allowed_publish_prefixes.includes(`site:${id}:yjs:`));

	await wire({ ...connection(relay.url, relay), HOOKCAST_VISITORS: true, LAB_REFRESH_SECONDS: 3600 });
	const open = claims((await (await visitor.token()).json()).token);
	assert.equal(open.user_id, '0');
	assert.deepEqual(open.allowed_channel_prefixes, [`site:${id}:public`]);
	assert.deepEqual(open.allowed_publish_prefixes, []);
	// A visitor's page may be kept by a cache: no token is in it.
	const cached = await visitor.text('/');
	assert.ok(cached.includes('hookcastConfig') && !cached.includes('"token"'));
});

test('triggers: fetched in the background, kept, asked for again by their ETag', async (t) => {
	const relay = await StandIn.start(t);
	await relay.setTriggers({ event: 'lab.one', source: { kind: 'action', hook: 'lab_one', priority: 5, args: 2 } });
	relay.requests.length = 0;
	await visitor.text(`/?lab=do&hook=lab_one&args=${encodeURIComponent('[{"a":1},"b","c"]')}`);
	await until('the event', () => relay.events.length === 1);
	const { key } = await credentials();
	assert.deepEqual(decrypt(key, relay.events[0]), { event: 'lab.one', data: [{ a: 1 }, 'b'] });
	assert.equal(relay.events[0].trigger, relay.triggers.triggers[0].id);
	assert.equal(relay.paths('/site/triggers').length, 0);

	await wire({ ...connection(relay.url, relay), LAB_REFRESH_SECONDS: 0 });
	await visitor.text('/?lab=emit&n=0');
	await until('the next look', () => relay.paths('/site/triggers').length > 0);
	assert.equal(relay.paths('/site/triggers')[0].headers['if-none-match'], '"2"');
	// Without the relay the known ones keep working.
	relay.behave = ({ path }) => (path === '/site/triggers' ? [500, {}] : null);
	await visitor.text('/?lab=emit&n=0');
	assert.match(await screen(), /lab\.one/);
});

test('triggers: conditions, fields, options, posts', async (t) => {
	const relay = await StandIn.start(t);
	const path = (name) => ({ kind: 'path', path: name });
	await relay.setTriggers(
		{
			event: 'lab.some',
			channel: 'shop',
			source: { kind: 'action', hook: 'lab_two', priority: 10, args: 1 },
			conditions: { mode: 'any', rules: [{ path: '0.total', comparison: 'at_least', value: 100 }, { path: '0.vip', comparison: 'exists' }] },
			data: {
				kind: 'fields',
				fields: [
					{ name: 'sku', value: path('0.items.1.sku') },
					{ name: 'absent', value: path('0.nothing.there') },
					{ name: 'secret', value: path('0.api_key') },
					{ name: 'kind', value: { kind: 'constant', value: ['x', 1] } },
				],
			},
		},
		{ event: 'lab.title', source: { kind: 'option', option: 'blogname' } },
		{ event: 'lab.page', source: { kind: 'post_type', post_type: 'page' }, data: { kind: 'fields', fields: [{ name: 'what', value: path('action') }, { name: 'title', value: path('post.post_title') }] } },
		{ event: 'lab.user', source: { kind: 'action', hook: 'lab_user', priority: 10, args: 1 } },
	);
	const { key } = await credentials();
	const events = () => relay.events.map((event) => [event.channel, decrypt(key, event)]);
	const act = (hook, ...args) => visitor.text(`/?lab=do&hook=${hook}&args=${encodeURIComponent(JSON.stringify(args))}`);
	await act('lab_two', { total: 99.5 });
	await act('lab_two', { total: '100', items: [{ sku: 'a' }, { sku: 'b' }], api_key: 'k' });
	await until('the event', () => relay.events.length === 1);
	assert.deepEqual(events()[0], ['shop', { event: 'lab.some', data: { sku: 'b', kind: ['x', 1] } }]);

	const nonce = await admin.text('/wp-admin/admin-ajax.php?action=rest-nonce');
	const rest = (method, route, json) =>
		admin.fetch(`/wp-json/wp/v2/${route}`, { method, headers: { 'X-WP-Nonce': nonce, 'Content-Type': 'application/json' }, body: JSON.stringify(json) }).then((answer) => answer.json());
	relay.events.length = 0;
	await rest('POST', 'settings', { title: 'hookcast lab 2' });
	await until('the option', () => relay.events.length === 1);
	assert.deepEqual(events()[0][1], { event: 'lab.title', data: { option: 'blogname', old: 'hookcast lab', new: 'hookcast lab 2' } });
	await rest('POST', 'settings', { title: 'hookcast lab' });
	await until('the option', () => relay.events.length === 2);

	relay.events.length = 0;
	const page = await rest('POST', 'pages', { title: 'Draft', status: 'draft' });
	await rest('POST', `pages/${page.id}`, { title: 'One', status: 'publish' });
	await rest('POST', `pages/${page.id}`, { title: 'Two' });
	await rest('DELETE', `pages/${page.id}`);
	await rest('DELETE', `pages/${page.id}?force=true`);
	await until('four events', () => relay.events.length === 4);
	assert.deepEqual(events().map(([, { event, data }]) => [event, data.what, data.title]), [
		['lab.page', 'published', 'One'],
		['lab.page', 'updated', 'Two'],
		['lab.page', 'trashed', 'Two'],
		['lab.page', 'deleted', 'Two'],
	]);

	// No trigger covers posts: the built-in event stands in. A user's password never leaves.
	relay.events.length = 0;
	const post = await rest('POST', 'posts', { title: 'Hello', status: 'publish' });
	await until('the built-in event', () => relay.events.length === 1);
	assert.deepEqual(events()[0][1].event, 'post.updated');
	assert.deepEqual(events()[0][1].data.post_id, post.id);
	relay.events.length = 0;
	await visitor.text('/?lab=users');
	await until('the user', () => relay.events.length === 1);
	const [, { data }] = events()[0];
	assert.equal(data[0].user_login, 'admin');
	assert.deepEqual(Object.keys(data[0]).filter((name) => /pass|key/.test(name)), []);
});

test('triggers: a hostile list does nothing', async (t) => {
	const relay = await StandIn.start(t);
	const action = { kind: 'action', hook: 'lab_bad', priority: 10, args: 1 };
	const deep = { path: Array(50).fill('a').join('.') };
	await relay.setTriggers(
		{ event: 'bad.0', hostile: true, source: { ...action, hook: 'x'.repeat(500) }, name: '<script>alert(1)</script>' },
		{ event: 'good', name: '<script>alert(1)</script>', source: action, data: { kind: 'fields', fields: [{ name: 'deep', value: { kind: 'path', ...deep } }] } },
		{ event: 'bad.1', hostile: true, source: action, conditions: { mode: 'all', rules: [{ path: 7 }] } },
		{ event: 'bad.2', hostile: true, source: action, data: { kind: 'eval', code: 'phpinfo()' } },
		{ event: 'bad.3', hostile: true, source: { kind: 'shell' } },
	);
	const page = await screen();
	assert.ok(page.includes('&lt;script&gt;alert(1)') && !page.includes('<script>alert(1)'));
	await visitor.text(`/?lab=do&hook=lab_bad&args=${encodeURIComponent('[{"a":{}}]')}`);
	await until('the good one', () => relay.events.length > 0);
	const { key } = await credentials();
	assert.deepEqual(relay.events.map((event) => decrypt(key, event)), [{ event: 'good', data: {} }]);
});

test('with WordSocket active its publisher is used, pointed here', async (t) => {
	const relay = await StandIn.start(t);
	await relay.setTriggers(
		{ event: 'lab.ws', source: { kind: 'action', hook: 'lab_ws', priority: 10, args: 1 }, conditions: { mode: 'all', rules: [{ path: '0', comparison: 'equals', value: 'yes' }] } },
		{ event: 'lab.post', source: { kind: 'post_type', post_type: 'post' } },
	);
	await wire({ ...connection(relay.url, relay), LAB_WORDSOCKET: true, LAB_REFRESH_SECONDS: 3600 });
	relay.requests.length = 0;
	await visitor.text(`/?lab=do&hook=lab_ws&args=${encodeURIComponent('["no"]')}`);
	await visitor.text(`/?lab=do&hook=lab_ws&args=${encodeURIComponent('["yes"]')}`);
	const written = await until('the publish', () => readFile(`${lab.log}.wordsocket`, 'utf8').catch(() => ''));
	assert.deepEqual(written.trim().split('\n').map((line) => JSON.parse(line)), [[relay.url, 'events', 'lab.ws', ['yes'], ['post']]]);
	assert.equal(relay.requests.length, 0);
	assert.ok(!(await admin.text('/')).includes('hookcastConfig'));
	assert.match(await screen(), /by WordSocket/);
});

test('the screen, its doctor, and who may see them', async (t) => {
	const relay = await StandIn.start(t);
	const page = await screen();
	assert.match(page, /by hookcast itself/);
	assert.ok(!page.includes(relay.publishSecret) && !page.includes(relay.jwtSecret));
	const ask = /id="hookcast-ask" href="([^"]+)"/.exec(page)[1].replaceAll('&#038;', '&').replaceAll('&amp;', '&');
	const states = (html) => [...html.matchAll(/data-state="(\w+)"/g)].map(([, state]) => state);
	assert.deepEqual(states(await admin.text(ask)), Array(7).fill('ok'));
	relay.behave = ({ path }) => (path === '/site/stats' ? [401, { error: 'invalid_signature', message: 'wrong' }] : null);
	assert.ok(states(await admin.text(ask)).includes('failed'));
	relay.behave = ({ path }) => (path === '/healthz' ? [200, {}, { Date: 'Thu, 01 Jan 2026 00:00:00 GMT' }] : null);
	assert.match(await admin.text(ask), /clock is \d+ seconds off/);
	const editor = await new Visitor().login('editor');
	assert.equal((await editor.fetch('/wp-admin/tools.php?page=hookcast')).status, 403);
	await wire({});
	assert.match(await screen(), /address or credentials are missing/);
	assert.match(await visitor.text('/'), /<html/);
});

test('paths and comparisons', async () => {
	const php = spawn('php', [path.join(import.meta.dirname, 'lab/values.php'), lab.root]);
	const out = [];
	php.stdout.on('data', (chunk) => out.push(chunk));
	php.stderr.on('data', (chunk) => out.push(chunk));
	const [code] = await within('PHP', once(php, 'exit'));
	assert.equal(code, 0, Buffer.concat(out).toString());
});
