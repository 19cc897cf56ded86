// A real browser: its WebSocket and its EventSource, from a page of another origin.
import assert from 'node:assert/strict';
import { createServer } from 'node:http';
import { once } from 'node:events';
import { after, before, launch, test } from '../suite.mjs';
import { Relay } from './support.mjs';

let relay, site, browser, pages;

before(async () => {
	relay = await Relay.start({ config: 'session.sse_retry_ms = 100\nserver.drain_ms = 100\n' });
	site = await relay.addSite('https://one.example');
	pages = createServer((_, answer) => answer.setHeader('Content-Type', 'text/html').end('<!doctype html><title>t</title>'));
	pages.listen(0, '127.0.0.1');
	await once(pages, 'listening');
	browser = await launch();
});

after(async () => {
	await browser?.close();
	pages?.close();
	await relay?.close();
});

async function page() {
	const page = await browser.newPage();
	await page.goto(`http://127.0.0.1:${pages.address().port}/`);
	return page;
}

test('EventSource gets both forms, across origins', async () => {
	const tab = await page();
	await tab.evaluate(
		async ([old, fresh]) => {
			window.seen = [];
			const open = (stream) => new Promise((resolve) => (stream.onopen = resolve));
			const v1 = new EventSource(old);
			v1.addEventListener('post.updated', (event) => window.seen.push(['v1', event.data, event.lastEventId !== '']));
			const v2 = new EventSource(fresh);
			v2.onmessage = (event) => window.seen.push(['v2', event.data]);
			await Promise.all([open(v1), open(v2)]);
		},
		[site.streamUrl(['events'], 1), site.streamUrl(['events'], 2)],
	);
	await site.publish('events', 'post.updated', { post_id: 42 });
	await tab.waitForFunction(() => window.seen.length === 3);
	const seen = await tab.evaluate(() => window.seen.map(([version, data]) => `${version} ${data}`).sort());
	assert.deepEqual(seen, [
		'v1 {"post_id":42}',
		'v2 {"event":"post.updated","channel":"events","data":{"post_id":42}}',
		'v2 {"event":"wps.presence","channel":"events","data":{"action":"sync","members":[]}}',
	]);
	await tab.close();
});

test('a socket speaks text and binary, and reads its close code', async () => {
	const tab = await page();
	const base = `${relay.url.replace('http', 'ws')}/ws?token=`;
	const result = await tab.evaluate(async ([good, bad]) => {
		const socket = new WebSocket(good);
		socket.binaryType = 'arraybuffer';
		await new Promise((resolve) => (socket.onopen = resolve));
		const next = () =>
			new Promise((resolve) => {
				socket.onmessage = ({ data }) => resolve(typeof data === 'string' ? JSON.parse(data) : [...new Uint8Array(data)]);
			});
		const answers = [];
		let answer = next();
		socket.send('{"type":"subscribe","channels":["doc"]}');
		answers.push(await answer);
		answer = next();
		socket.send(new Uint8Array([0, 3, 100, 111, 99, 7, 0, 255]));
		answers.push(await answer);
		const code = await new Promise((resolve) => (new WebSocket(bad).onclose = ({ code }) => resolve(code)));
		return { answers, code };
	}, [`${base}${site.token({}, 1)}`, `${base}nonsense`]);
	assert.deepEqual(result, {
		answers: [{ type: 'subscribed', channels: ['doc'] }, [0, 3, 100, 111, 99, 7, 0, 255]],
		code: 4001,
	});
	await tab.close();
});

test('EventSource comes back after a restart with its Last-Event-ID', async () => {
	const tab = await page();
	await tab.evaluate(async (url) => {
		window.seen = [];
		const stream = new EventSource(url);
		stream.addEventListener('n', (event) => window.seen.push(event.data));
		stream.addEventListener('wps.gap', (event) => window.seen.push(`gap ${event.data}`));
		await new Promise((resolve) => (stream.onopen = resolve));
	}, site.streamUrl(['numbers'], 1));
	await site.publish('numbers', 'n', 1);
	await tab.waitForFunction(() => window.seen.includes('1'));
	assert.equal(await relay.stop(), 0);
	await relay.launch();
	await site.publish('numbers', 'n', 2);
	await tab.waitForFunction(() => window.seen.includes('2'));
	assert.deepEqual(await tab.evaluate(() => window.seen), ['1', 'gap {"channel":"numbers"}', '2']);
	await tab.close();
});
