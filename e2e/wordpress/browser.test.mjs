// A real WordPress, a real relay, real browsers: from what somebody does in one to what another one's page shows.
import assert from 'node:assert/strict';
import { createHmac } from 'node:crypto';
import { Relay, WAIT, until } from '../relay/support.mjs';
import { after, before, launch, test } from '../suite.mjs';
import { Visitor, complaints, connection, lab, whole, wire } from './support.mjs';

let relay, site, key, browser, reader, writer;

before(async () => {
	relay = await Relay.start({ config: 'server.drain_ms = 100\n' });
	site = await relay.addSite(lab.url);
	({ api_key: key } = await relay.cli('apikey', 'create', '--name', 'e2e', '--scope', 'triggers', '--scope', 'secrets', '--scope', 'read'));
	await wire(constants());
	await new Visitor().text('/?lab=reset');
	browser = await launch();
	reader = await user('reader');
	writer = await user('admin');
});

after(async () => {
	await browser?.close();
	await relay?.close();
	const log = await complaints();
	assert.ok(!/PHP (Notice|Warning|Deprecated|Fatal|Parse)/.test(log), `PHP complained:\n${log}`);
});

const constants = (more = {}) => ({ ...connection(relay.url, site), LAB_REFRESH_SECONDS: 0, ...more });

/** A browser of its own, logged in. */
async function user(name) {
	const context = await browser.newContext();
	context.setDefaultTimeout(WAIT);
	const session = await new Visitor().login(name);
	const { hostname } = new URL(lab.url);
	await context.addCookies([...session.cookies].map(([name, value]) => ({ name, value: decodeURIComponent(value), domain: hostname, path: '/' })));
	return context;
}

/** The front page, connected, writing down what it hears and showing the titles of posts. */
async function listen(context, { prepare = () => {} } = {}) {
	const page = await context.newPage();
	await prepare(page);
	await page.goto(`${lab.url}/`);
	await page.waitForFunction(() => window.WPS?.connected);
	await page.evaluate(() => {
		window.heard = [];
		WPS.onMessage((event, data, channel) => window.heard.push({ event, data, channel, at: Date.now() }));
		document.addEventListener('wpsignal:post.updated', ({ detail }) => {
			const item = document.createElement('p');
			item.className = 'live';
			item.textContent = detail.data.post_title;
			document.body.prepend(item);
		});
	});
	return page;
}

const heard = (page, event) => page.evaluate((name) => window.heard.filter((message) => message.event === name), event);

async function hears(page, event, count = 1) {
	await page.waitForFunction(([name, n]) => window.heard.filter((message) => message.event === name).length >= n, [event, count]);
	return heard(page, event);
}

async function api(method, path, body) {
	const headers = { Authorization: `Bearer ${key}`, 'Content-Type': 'application/json' };
	const answer = await fetch(`${relay.url}/api/sites/${site.key}/triggers${path}`, { method, headers, body: JSON.stringify(body) });
	const json = await answer.json();
	assert.equal(answer.status, 200, JSON.stringify(json));
	return json;
}

/** Make a trigger in the relay, and wait until WordPress has it by itself: its pages are asked for, nothing else. */
async function addTrigger(trigger) {
	const { id, ...spec } = whole(trigger);
	const saved = await api('POST', '', spec);
	const admin = await new Visitor().login('admin');
	if (spec.source.kind !== 'webhook') {
		await until('WordPress to know the trigger', async () => (await admin.text('/wp-admin/tools.php?page=hookcast')).includes(`<td>${spec.event}</td>`));
	}
	return saved;
}

const path = (name) => ({ kind: 'path', path: name });

/** Save a post in the block editor, as its button does. */
async function savePost(title) {
	const page = await writer.newPage();
	await page.goto(`${lab.url}/wp-admin/post-new.php`);
	await page.waitForFunction(() => window.wp?.data?.select('core/editor')?.getCurrentPostId());
	const took = await page.evaluate(async (title) => {
		const begun = performance.now();
		const editor = wp.data.dispatch('core/editor');
		await editor.editPost({ title, status: 'publish' });
		await editor.savePost();
		if (!wp.data.select('core/editor').didPostSaveRequestSucceed()) throw new Error('the post was not saved');
		return performance.now() - begun;
	}, title);
	return { page, took, at: Date.now() };
}

test('a post saved in one browser appears on the page of another', async (t) => {
	const page = await listen(reader);
	const { at, took, page: editor } = await savePost('News of the day');
	await page.locator('p.live', { hasText: 'News of the day' }).waitFor();
	const [event] = await hears(page, 'post.updated');
	t.diagnostic(`saved in ${took.toFixed(0)} ms, heard ${event.at - at} ms after`);
	assert.equal(event.data.post_type, 'post');
	assert.ok(event.data.permalink.startsWith(lab.url));
	await editor.close();
	await page.close();
});

test('a comment that is approved, by a trigger made in the relay', async (t) => {
	await addTrigger({
		event: 'comment.approved',
		source: { kind: 'action', hook: 'transition_comment_status', priority: 10, args: 3 },
		conditions: { mode: 'all', rules: [{ path: '0', comparison: 'equals', value: 'approved' }] },
		data: { kind: 'fields', fields: [{ name: 'id', value: path('2.comment_ID') }, { name: 'author', value: path('2.comment_author') }] },
	});
	const author = `Passer-by ${Date.now()}`;
	const body = new URLSearchParams({ comment_post_ID: '1', author, email: 'p@example.test', comment: `${author} says hello` });
	const posted = await new Visitor().fetch('/wp-comments-post.php', { method: 'POST', body });
	assert.equal(posted.status, 302);
	const page = await listen(reader);
	const moderation = await writer.newPage();
	await moderation.goto(`${lab.url}/wp-admin/edit-comments.php?comment_status=moderated`);
	const row = moderation.locator('tr', { hasText: author });
	await row.hover();
	await row.locator('.approve a').click();
	const [event] = await hears(page, 'comment.approved');
	t.diagnostic(`comment ${event.data.id}`);
	assert.equal(event.data.author, author);
	await moderation.close();
	await page.close();
});

test('an option that is changed on its form', async () => {
	await addTrigger({ event: 'tagline.changed', source: { kind: 'option', option: 'blogdescription' }, data: { kind: 'fields', fields: [{ name: 'now', value: path('new') }] } });
	const page = await listen(reader);
	const form = await writer.newPage();
	await form.goto(`${lab.url}/wp-admin/options-general.php`);
	await form.fill('#blogdescription', `Changed at ${Date.now()}`);
	const wanted = await form.inputValue('#blogdescription');
	await form.click('#submit');
	const [event] = await hears(page, 'tagline.changed');
	assert.equal(event.data.now, wanted);
	// The event comes before the form's own answer: a tab is not closed on the way to its next page.
	await form.locator('#setting-error-settings_updated').waitFor();
	await form.close();
	await page.close();
});

test('a webhook with a right signature is heard, one with a wrong signature is refused', async () => {
	const { trigger, webhook_secret: secret } = await addTrigger({
		event: 'order.created',
		source: { kind: 'webhook', verify: 'woocommerce' },
		data: { kind: 'fields', fields: [{ name: 'total', value: path('total') }] },
	});
	const page = await listen(reader);
	const body = JSON.stringify({ id: 9, total: '19.90', billing: { email: 'a@example.test' } });
	const send = (signature) =>
		fetch(`${relay.url}/hooks/${trigger.id}`, { method: 'POST', headers: { 'Content-Type': 'application/json', 'X-WC-Webhook-Signature': signature }, body });
	assert.equal((await send(Buffer.alloc(32).toString('base64'))).status, 401);
	const right = await send(createHmac('sha256', secret).update(body).digest('base64'));
	assert.ok(right.ok, `${right.status}`);
	assert.deepEqual((await hears(page, 'order.created')).map(({ data }) => data), [{ total: '19.90' }]);
	await page.close();
});

test('the Tools screen tells that this browser is connected', async () => {
	const page = await writer.newPage();
	await page.goto(`${lab.url}/wp-admin/tools.php?page=hookcast`);
	await page.locator('#hookcast-browser', { hasText: 'connected by WebSocket' }).waitFor();
	await page.click('#hookcast-ask');
	await page.locator('#hookcast-doctor').waitFor();
	assert.deepEqual(await page.locator('#hookcast-doctor tr:not([data-state=ok])').allTextContents(), []);
	await page.close();
});

test('a connection that breaks misses nothing', async () => {
	const page = await listen(reader);
	const emit = (n) => new Visitor().text(`/?lab=emit&n=${n}`);
	await emit(1);
	await hears(page, 'lab.n');
	await page.evaluate(() => WPS.link.socket.close());
	await page.waitForFunction(() => !WPS.connected);
	await emit(20);
	await page.waitForFunction(() => WPS.connected);
	const events = await hears(page, 'lab.n', 21);
	assert.deepEqual(events.map(({ data }) => data.i), [0, ...Array.from({ length: 20 }, (_, i) => i)]);
	assert.deepEqual(await heard(page, 'wps.gap'), []);
	await page.close();
});

test('the relay restarts: the page comes back by itself, and is told that it may have missed something', async () => {
	// No request of WordPress meets the relay while it is away: the connector would leave it alone for a while.
	await wire(constants({ LAB_REFRESH_SECONDS: 3600 }));
	const page = await listen(reader);
	await new Visitor().text('/?lab=emit&n=1');
	await hears(page, 'lab.n');
	await relay.stop();
	await page.waitForFunction(() => !WPS.connected);
	await relay.launch();
	await page.waitForFunction(() => WPS.connected);
	await hears(page, 'wps.gap');
	await new Visitor().text('/?lab=emit&n=2');
	await hears(page, 'lab.n', 3);
	await wire(constants());
	await page.close();
});

test('with sockets blocked the page listens to a stream', async (t) => {
	const blocked = async (page) => {
		const devtools = await page.context().newCDPSession(page);
		await devtools.send('Network.enable');
		await devtools.send('Network.setBlockedURLs', { urls: ['ws://*/*', 'wss://*/*'] });
		// Where the browser lets sockets pass that list, they fail as a proxy makes them fail.
		await page.addInitScript(() => {
			window.WebSocket = class extends EventTarget {
				constructor() {
					super();
					this.readyState = 0;
					setTimeout(() => this.onclose?.({ code: 1006, reason: '' }));
				}
				close() {}
			};
		});
	};
	const page = await listen(reader, { prepare: blocked });
	assert.equal(await page.evaluate(() => WPS.transport), 'sse');
	await new Visitor().text('/?lab=emit&n=5');
	const events = await hears(page, 'lab.n', 5);
	assert.deepEqual(events.map(({ data }) => data.i), [0, 1, 2, 3, 4]);
	// The stream is cut: it carries on from where it was.
	await page.evaluate(() => WPS.openStream());
	await new Visitor().text('/?lab=emit&n=3');
	assert.equal((await hears(page, 'lab.n', 8)).length, 8);
	t.diagnostic(`as ${await page.evaluate(() => WPS.transport)}`);
	await page.close();
});

test('a visitor hears nothing, and what is public where the site opens it', async () => {
	const context = await browser.newContext();
	const page = await context.newPage();
	await page.goto(`${lab.url}/`);
	assert.equal(await page.evaluate(() => typeof window.WPS), 'undefined');
	await wire(constants({ HOOKCAST_VISITORS: true }));
	const open = await listen(context);
	const admin = await new Visitor().login('admin');
	await admin.text('/?lab=emit&n=1');
	await new Visitor().text(`/?lab=do&hook=hookcast_publish&args=${encodeURIComponent(JSON.stringify(['public', 'sale', { percent: 20 }]))}`);
	assert.deepEqual((await hears(open, 'sale')).map(({ data }) => data), [{ percent: 20 }]);
	assert.deepEqual(await heard(open, 'lab.n'), []);
	await wire(constants());
	await context.close();
});

test('a thousand events of one page arrive in order, and the page does not wait for them', async (t) => {
	const page = await listen(reader);
	const timed = async (n) => {
		const begun = performance.now();
		assert.match(await new Visitor().text(`/?lab=emit&n=${n}`), /emitted/);
		return performance.now() - begun;
	};
	const ten = await timed(10);
	await hears(page, 'lab.n', 10);
	const begun = performance.now();
	const thousand = await timed(1000);
	const events = await hears(page, 'lab.n', 1010);
	const arrived = performance.now() - begun;
	t.diagnostic(`page with 10: ${ten.toFixed(0)} ms, with 1,000: ${thousand.toFixed(0)} ms; all there after ${arrived.toFixed(0)} ms`);
	assert.deepEqual(events.slice(10).map(({ data }) => data.i), Array.from({ length: 1000 }, (_, i) => i));
	// The site's rate makes them take seconds: the page was not there for that.
	assert.ok(thousand < arrived / 2);
	await page.close();
});

test('with the relay down a post is saved as ever, and the administrator is told', async (t) => {
	const before = await savePost('Before');
	await before.page.close();
	await relay.stop();
	const { page, took } = await savePost('While it is down');
	t.diagnostic(`saved in ${took.toFixed(0)} ms, ${before.took.toFixed(0)} ms with the relay`);
	await until('the notice', async () => {
		await page.goto(`${lab.url}/wp-admin/index.php`);
		return page.locator('.hookcast-notice').count();
	});
	await relay.launch();
	await page.goto(`${lab.url}/wp-admin/tools.php?page=hookcast`);
	await page.click('text=Try again now');
	await page.waitForFunction(() => document.querySelector('#hookcast-status').textContent.includes('connected by WebSocket'));
	await page.close();
});
