// Documents that are edited at once, through dropped sockets, a slow reader and a restart of the relay, end up identical.
//
// YJS_SECONDS=60 edits for longer; YJS_SEED repeats a run.
import assert from 'node:assert/strict';
import { Relay, until } from '../relay/support.mjs';
import { test } from '../suite.mjs';
import { BareLink, Editor, PageLink, seeded } from './editor.mjs';

const SECONDS = Number(process.env.YJS_SECONDS ?? 5);
const pause = (ms) => new Promise((resolve) => setTimeout(resolve, ms));

async function open(t, Link, names, config = '') {
	const seed = Number(process.env.YJS_SEED ?? Math.floor(Math.random() * 2 ** 32));
	t.diagnostic(`YJS_SEED=${seed}`);
	const relay = await Relay.start({ config: `server.drain_ms = 100\n${config}` });
	t.after(() => relay.close());
	const site = await relay.addSite('https://one.example');
	const editors = names.map((name) => new Editor(name, new Link(site, site.qualified('yjs:postType/post:1'))));
	t.after(() => editors.forEach((editor) => editor.end()));
	await until('everybody to be there', () => editors.every(({ seen }) => seen.length === names.length));
	return { relay, site, editors, random: seeded(seed) };
}

/** Edit until the time is over, doing `events` (thunks) evenly spread over it. */
async function edit(editors, random, events = []) {
	const begun = Date.now();
	let edits = 0;
	let done = 0;
	while (Date.now() - begun < SECONDS * 1000) {
		editors[Math.floor(random() * editors.length)].edit(random);
		edits += 1;
		if (done < events.length && Date.now() - begun > (SECONDS * 1000 * (done + 1)) / (events.length + 1)) {
			await events[done++]();
		}
		if (edits % 4 === 0) await pause(5 + random() * 10);
	}
	for (; done < events.length; done += 1) await events[done]();
	return edits;
}

async function converged(t, editors, edits) {
	await until('identical documents', () => new Set(editors.map(({ content }) => content)).size === 1);
	const { text, blocks } = editors[0];
	t.diagnostic(`${edits} edits, ${text.length} characters, ${blocks.length} blocks, ${editors.map(({ link }) => link.drops)} interruptions`);
	assert.ok(text.length > 0 && blocks.length > 0, 'something was written');
	const names = editors.map(({ name }) => name).sort();
	await until('everybody to see everybody', () => editors.every(({ seen }) => String(seen) === String(names)));
}

test('two editors', async (t) => {
	const { editors, random } = await open(t, BareLink, ['a', 'b']);
	const edits = await edit(editors, random, editors.map(({ link }) => () => link.drop()));
	await converged(t, editors, edits);
});

test('five editors, two interruptions each, the relay restarts in between', async (t) => {
	const { relay, editors, random } = await open(t, BareLink, ['a', 'b', 'c', 'd', 'e']);
	const drops = [...editors, ...editors].map(({ link }) => () => link.drop());
	drops.splice(5, 0, async () => {
		await relay.stop();
		editors.forEach((editor) => editor.edit(random));
		await relay.launch();
	});
	const edits = await edit(editors, random, drops);
	assert.ok(editors.every(({ link }) => link.drops >= 2));
	await converged(t, editors, edits);
});

test('a slow editor falls behind, is let go of, and catches up', async (t) => {
	const { site, editors, random } = await open(t, BareLink, ['a', 'b', 'slow'], 'limits.outbox_bytes_max = 524288\nlimits.client_messages_per_second = 0\n');
	const slow = editors[2].link;
	slow.stall();
	// More than the relay and the kernel hold for one connection, however much that is here. What is deleted again leaves a
	// small document behind, which one frame brings back.
	const flood = () =>
		until('the relay to let go', async () => {
			for (let i = 0; i < 50; i += 1) {
				editors[0].text.insert(0, 'x'.repeat(20_000));
				editors[0].text.delete(0, 20_000);
				await pause(1);
			}
			return (await (await site.stats()).json()).active_connections < editors.length;
		});
	const edits = await edit(editors.slice(0, 2), random, [flood]);
	slow.resume();
	await until('the interruption', () => slow.drops > 0);
	await converged(t, editors, edits);
	assert.equal(editors[0].link.drops + editors[1].link.drops, 0, 'the others did not notice');
});

test('five editors by the browser client of the connector', async (t) => {
	const { relay, editors, random } = await open(t, PageLink, ['a', 'b', 'c', 'd', 'e']);
	const events = editors.map(({ link }) => () => link.drop());
	events.push(async () => {
		await relay.stop();
		await relay.launch();
	});
	const edits = await edit(editors, random, events);
	await converged(t, editors, edits);
});

test('awareness leaves with its socket', async (t) => {
	const { editors } = await open(t, BareLink, ['a', 'b', 'c']);
	const [a, b, c] = editors;
	b.link.ended = true;
	b.link.drop();
	await until('its leave', () => [a, c].every(({ seen }) => String(seen) === 'a,c'));
});
