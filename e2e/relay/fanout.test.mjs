// Every subscriber receives every message once and in order: sockets and streams, both token versions, both spellings, two
// sites that use the same names, while other clients stall, are killed, join and leave.
//
// `RELAY_TEST_FULL=1` takes the full numbers: 1,000 sockets, 200 streams, 50 publishes a second for a minute.
import assert from 'node:assert/strict';
import { EventSource } from 'eventsource';
import { test } from '../suite.mjs';
import { Relay, within } from './support.mjs';

const full = process.env.RELAY_TEST_FULL === '1';
const SOCKETS = full ? 1000 : 200;
const STREAMS = full ? 200 : 40;
const PER_SECOND = 50;
const SECONDS = full ? 60 : 6;
const TOTAL = PER_SECOND * SECONDS;
// As long as publishing takes, and the wait for the last ones.
const LIMIT = SECONDS * 1000 * 4 + 60_000;

/** Counts one subscriber's messages; anything out of order is kept as the reason why it failed. */
class Subscriber {
	next = [0, 0];
	wrong = null;

	constructor(name, onDone) {
		this.name = name;
		this.onDone = onDone;
	}

	take({ publisher, number, site }, ownSite) {
		if (this.wrong) return;
		if (site !== ownSite) this.wrong = `got a message of site ${site}`;
		else if (number !== this.next[publisher]) {
			this.wrong = `publisher ${publisher}: got ${number} where ${this.next[publisher]} was due`;
		}
		this.next[publisher] = number + 1;
		if (this.wrong || this.next[0] + this.next[1] === TOTAL) this.onDone(this);
	}
}

test('every subscriber receives every message once and in order', { timeout: LIMIT }, async (t) => {
	const relay = await Relay.start({ workers: 2, config: 'limits.publishes_per_second = 0\n' });
	const open = [];
	t.after(async () => {
		for (const connection of open) connection.terminate?.() ?? connection.close();
		await relay.close();
	});
	const sites = [await relay.addSite('https://one.example'), await relay.addSite('https://two.example')];
	let left = SOCKETS + STREAMS;
	let finish;
	const finished = new Promise((resolve) => (finish = resolve));
	const subscribers = [];
	const subscriber = (name) => {
		const created = new Subscriber(name, () => --left === 0 && finish());
		subscribers.push(created);
		return created;
	};

	for (let n = 0; n < SOCKETS; n++) {
		const [index, version] = [n % 2, n % 4 < 2 ? 1 : 2];
		const site = sites[index];
		const name = n % 3 === 0 ? site.qualified('events') : 'events';
		const me = subscriber(`socket ${n}, version ${version}, ${name}`);
		const onMessage = (message) => message.event === 'n' && me.take(message.data, index);
		open.push(await site.socket([name], { version, onMessage }));
	}
	for (let n = 0; n < STREAMS; n++) {
		const [index, version] = [n % 2, n % 4 < 2 ? 1 : 2];
		const site = sites[index];
		const name = n % 3 === 0 ? site.qualified('events') : 'events';
		const me = subscriber(`stream ${n}, version ${version}, ${name}`);
		const stream = new EventSource(site.streamUrl([name], version));
		open.push(stream);
		if (version === 1) stream.addEventListener('n', (event) => me.take(JSON.parse(event.data), index));
		else {
			stream.addEventListener('message', (event) => {
				const message = JSON.parse(event.data);
				if (message.event === 'n') me.take(message.data, index);
			});
		}
		await within('the stream to open', new Promise((resolve) => stream.addEventListener('open', resolve)));
	}

	const stalled = await sites[0].socket(['events']);
	stalled.pause();
	open.push(stalled);
	const victims = [await sites[0].socket(['events']), await sites[1].socket(['events'])];
	open.push(...victims);
	const members = [];
	for (let n = 0; n < TOTAL; n++) {
		const due = performance.now() + 1000 / PER_SECOND;
		// Two connections: fetch keeps one alive for each publish that is under way.
		await Promise.all(
			sites.map((site, index) => {
				const publisher = n % 2;
				const data = { site: index, publisher, number: Math.floor(n / 2), text: 'x'.repeat(200) };
				return site.publish(n % 5 === 0 ? site.qualified('events') : 'events', 'n', data);
			}),
		);
		if (n === Math.floor(TOTAL / 2)) victims.forEach((victim) => victim.terminate());
		if (n % 20 === 0) {
			const member = await sites[0].socket([], { version: 1 });
			member.send(JSON.stringify({ type: 'presence', channel: 'events', state: { n } }));
			members.push(member);
			open.push(member);
			if (members.length > 3) members.shift().terminate();
		}
		const wait = due - performance.now();
		if (wait > 0) await new Promise((resolve) => setTimeout(resolve, wait));
	}
	await within('the last message at every subscriber', finished, LIMIT).catch((error) => {
		const short = subscribers.filter((one) => one.next[0] + one.next[1] < TOTAL);
		throw new Error(`${error.message}; short: ${short.slice(0, 5).map((one) => `${one.name} at ${one.next}`)}`);
	});
	const wrong = subscribers.filter((one) => one.wrong).map((one) => `${one.name}: ${one.wrong}`);
	assert.deepEqual(wrong, []);
	t.diagnostic(`${subscribers.length} subscribers × ${TOTAL} messages of their site`);
});
