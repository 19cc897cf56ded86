// A restart: streams come back by themselves with Last-Event-ID and learn that there was a gap; sockets are told 1012.
import assert from 'node:assert/strict';
import { once } from 'node:events';
import { connect, createServer } from 'node:net';
import { EventSource } from 'eventsource';
import { test } from '../suite.mjs';
import { Relay, within } from './support.mjs';

test('streams come back after a restart and miss nothing that they are not told of', async (t) => {
	const relay = await Relay.start({ config: 'server.drain_ms = 200\nsession.sse_retry_ms = 100\n' });
	const site = await relay.addSite('https://one.example');
	const streams = [1, 2].flatMap((version) => {
		return Array.from({ length: 5 }, () => {
			const seen = [];
			const stream = new EventSource(site.streamUrl(['events'], version));
			const take = (entry) => {
				seen.push(entry);
				stream.dispatchEvent(new Event('seen'));
			};
			if (version === 1) {
				stream.addEventListener('n', (event) => take(JSON.parse(event.data)));
				stream.addEventListener('wps.gap', (event) => take(`gap ${JSON.parse(event.data).channel}`));
			} else {
				stream.addEventListener('message', (event) => {
					const { event: name, channel, data } = JSON.parse(event.data);
					if (name === 'n') take(data);
					if (name === 'wps.gap') take(`gap ${channel}`);
				});
			}
			const sees = async (entry) => {
				while (!seen.includes(entry)) await within(`${entry} on a stream`, once(stream, 'seen'));
			};
			return { stream, seen, sees, opened: once(stream, 'open') };
		});
	});
	t.after(async () => {
		streams.forEach(({ stream }) => stream.close());
		await relay.close();
	});
	await Promise.all(streams.map(({ opened }) => within('a stream to open', opened)));
	await site.publish('events', 'n', 1);
	await Promise.all(streams.map(({ sees }) => sees(1)));
	const socket = await site.socket(['events']);
	const closed = once(socket, 'close');
	assert.equal(await relay.stop(), 0);
	assert.equal((await within('the close', closed))[0], 1012);

	await relay.launch();
	await site.publish('events', 'n', 2);
	await Promise.all(streams.map(({ sees }) => sees(2)));
	for (const { seen } of streams) {
		// One gap, for the run that is over; then everything, once. A stream that was back before the publish got it live.
		assert.deepEqual(seen, [1, 'gap events', 2]);
	}
});

test('streams that only lost their connection get exactly what they missed', async (t) => {
	const relay = await Relay.start({ config: 'session.sse_retry_ms = 50\n' });
	t.after(() => relay.close());
	const site = await relay.addSite('https://one.example');
	const seen = [];
	// In between, so that the connection can be cut under the stream as a phone that changes networks would.
	const [host, port] = relay.address.split(':');
	const open = new Set();
	const between = createServer((socket) => {
		const upstream = connect(Number(port), host);
		for (const end of [socket, upstream]) {
			open.add(end);
			end.on('error', () => {}).on('close', () => open.delete(end));
		}
		socket.pipe(upstream).pipe(socket);
	});
	const cut = () => open.forEach((end) => end.destroy());
	between.listen(0, '127.0.0.1');
	await once(between, 'listening');
	const url = site.streamUrl(['a', 'b'], 1).replace(relay.address, `127.0.0.1:${between.address().port}`);
	const stream = new EventSource(url);
	t.after(() => {
		stream.close();
		cut();
		between.close();
	});
	const numbers = (count) =>
		within(
			`${count} numbers`,
			new Promise((resolve) => {
				const check = () => seen.length >= count && resolve();
				stream.addEventListener('n', () => queueMicrotask(check));
				check();
			}),
		);
	stream.addEventListener('n', (event) => seen.push(JSON.parse(event.data)));
	await within('the stream to open', once(stream, 'open'));
	await site.publish('a', 'n', 0);
	await numbers(1);
	for (let round = 0; round < 5; round++) {
		const opened = once(stream, 'open');
		cut();
		for (let n = 0; n < 4; n++) await site.publish(n % 2 ? 'a' : 'b', 'n', round * 4 + n + 1);
		await within('the stream to come back', opened);
		await numbers(round * 4 + 5);
	}
	await site.publish('a', 'n', 21);
	await numbers(22);
	const odd = seen.filter((n) => n % 2 === 1);
	assert.deepEqual(seen.toSorted((x, y) => x - y), Array.from({ length: 22 }, (_, n) => n));
	assert.deepEqual(odd, odd.toSorted((x, y) => x - y), 'each channel in its order');
});
