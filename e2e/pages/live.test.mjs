// What is live: the relay's end and return, the event log, connections.
import assert from 'node:assert/strict';
import { after, before, test } from '../suite.mjs';
import { Desk, assertQuiet, picture, until } from './support.mjs';

let desk, site;
before(async () => {
	// The flood is faster than a site may publish by default.
	desk = await Desk.open({ config: 'limits.publishes_per_second = 0\n' });
	site = await desk.addSite();
});
after(() => desk?.close());

test('the relay ends under an open page: the page says so, returns by itself, and misses nothing that happens then', async () => {
	const page = await desk.page('/dashboard/events');
	await page.getByText('Live', { exact: true }).first().waitFor();
	await desk.relay.stop();
	await page.getByText('The connection to the relay is lost').waitFor();
	await picture(page, 'stream-lost');
	await desk.relay.launch();
	await site.publish('events', 'first.after', {});
	await page.getByText('The connection to the relay is lost').waitFor({ state: 'hidden' });
	await page.getByRole('button', { name: /first\.after/ }).waitFor();
	await site.publish('events', 'second.after', {});
	await page.getByRole('button', { name: /second\.after/ }).waitFor();
});

test('the log filters, stands still when paused, opens a row, and clears', async () => {
	const page = await desk.page(`/dashboard/events?site=${site.key}`);
	await page.getByText('Live', { exact: true }).first().waitFor();
	await site.publish('posts', 'post.saved', { title: 'one' });
	await site.publish('shop', 'order.placed', { id: 5 });
	await page.getByRole('button', { name: /post\.saved/ }).waitFor();
	await page.getByLabel('Filter channel, event or text').fill('order');
	await page.getByRole('button', { name: /post\.saved/ }).waitFor({ state: 'hidden' });
	await page.getByRole('button', { name: /order\.placed/ }).waitFor();
	await page.getByLabel('Filter channel, event or text').fill('no such thing');
	await page.getByText('No event matches the filter').waitFor();
	await page.getByLabel('Filter channel, event or text').fill('');

	await page.getByRole('button', { name: 'Pause' }).click();
	await site.publish('posts', 'while.paused', {});
	await page.getByRole('button', { name: /1 new events/ }).waitFor();
	assert.equal(await page.getByRole('button', { name: /while\.paused/ }).count(), 0, 'a paused log stands still');
	await page.getByRole('button', { name: /1 new events/ }).click();
	await page.getByRole('button', { name: /while\.paused/ }).waitFor();

	const visitor = await site.socket(['posts']);
	await page.getByLabel('Show payloads').click();
	await page.getByText(/until \d/).waitFor();
	await site.publish('posts', 'with.payload', { title: 'Hello <b>world</b>' });
	await page.getByRole('button', { name: /with\.payload/ }).click();
	const dialog = page.getByRole('dialog', { name: 'Event' });
	await dialog.getByText('Hello <b>world</b>').waitFor();
	await dialog.getByText('WordPress').waitFor();
	await page.keyboard.press('Escape');
	visitor.terminate();

	await page.getByRole('button', { name: 'Clear' }).click();
	await page.getByText('Waiting for events').waitFor();
	assertQuiet(page, 'events');
});

test('publishing by hand says where JSON is wrong, then publishes', async () => {
	const page = await desk.page(`/dashboard/events?site=${site.key}`);
	await page.getByRole('button', { name: 'Publish' }).click();
	const dialog = page.getByRole('dialog', { name: 'Publish a message' });
	await dialog.getByLabel('Event').fill('by.hand');
	await dialog.getByLabel('Data (JSON)').fill('{\n  "a": 1,\n  b\n}');
	await dialog.getByText(/Line 3, column 3/).waitFor();
	await dialog.getByLabel('Data (JSON)').fill('{"a": 1}');
	await dialog.getByRole('button', { name: 'Publish' }).click();
	await page.getByText('Published on events').waitFor();
	await page.getByRole('button', { name: /by\.hand/ }).waitFor();
});

test('ten thousand events leave the page with a handful of rows, and it still answers', async () => {
	const page = await desk.page('/dashboard/events');
	await page.getByText('Live', { exact: true }).first().waitFor();
	const many = 10_000;
	for (let sent = 0; sent < many; sent += 50) {
		await Promise.all(Array.from({ length: 50 }, (_, nth) => site.publish('flood', `flood.${sent + nth}`, { nth })));
	}
	await page.getByLabel('Filter channel, event or text').fill(`flood.${many - 1}`);
	await page.getByRole('button', { name: new RegExp(`flood\\.${many - 1}`) }).waitFor();
	await page.getByLabel('Filter channel, event or text').fill('');
	assert.ok((await page.locator('.log-row').count()) < 40, 'rows are made for what can be seen');
	await page.locator('.log').evaluate((log) => (log.scrollTop = 4000));
	await until('rows from further down', () => page.locator('.log-row').evaluateAll((rows) => rows.some((row) => /flood\.9[78]\d\d/.test(row.textContent))));
	assertQuiet(page, 'flood');
});

test('connections are searched, sorted, opened and ended', async () => {
	const sockets = await Promise.all([site.socket(['events', 'only:here']), site.socket(['events'])]);
	const closed = new Promise((resolve) => sockets[0].once('close', resolve));
	const page = await desk.page('/dashboard/connections');
	await page.getByText('2 of 2').waitFor();
	await page.getByRole('button', { name: 'Channels' }).click();
	assert.equal(await page.getByRole('columnheader', { name: 'Channels' }).getAttribute('aria-sort'), 'descending');
	await page.getByLabel('Search user, address or channel').fill('nobody has this');
	await page.getByText('No connection matches').waitFor();
	await page.getByLabel('Search user, address or channel').fill('only:here');
	await page.getByText('1 of 2').waitFor();
	await page.getByRole('button', { name: 'User 7' }).click();
	const dialog = page.getByRole('dialog', { name: 'Connection' });
	await dialog.getByText('only:here').waitFor();
	await dialog.getByRole('button', { name: 'Disconnect' }).click();
	await closed;
	await page.getByText('0 of 1').waitFor();
	sockets[1].terminate();
	await page.getByText('Nobody is connected').waitFor();
});
