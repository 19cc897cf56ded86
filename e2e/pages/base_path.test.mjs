// The relay on a path of somebody's domain, as a proxy passes it on without taking the prefix off: every link, request and
// cookie has to stay below it.
import assert from 'node:assert/strict';
import { after, before, test } from '../suite.mjs';
import { Desk, OWNER, Site, assertQuiet, setupPath } from './support.mjs';

const PREFIX = '/relay';

let desk;
before(async () => (desk = await Desk.open({ owner: false, config: `server.base_path = "${PREFIX}"\n` })));
after(() => desk?.close());

test('below a path: set-up, every link of the navigation, a reload, the live log', async () => {
	const page = await desk.page(PREFIX + (await setupPath(desk.relay)), { signedIn: false });
	const strays = [];
	page.on('request', (request) => {
		const { pathname } = new URL(request.url());
		if (!pathname.startsWith(`${PREFIX}/`)) strays.push(pathname);
	});
	await page.getByLabel('Email').fill(OWNER.email);
	await page.getByLabel('Password', { exact: true }).fill(OWNER.password);
	await page.getByLabel('Password once more').fill(OWNER.password);
	await page.getByRole('button', { name: 'Create owner' }).click();
	await page.getByRole('heading', { name: 'Your first event' }).waitFor();
	await page.getByLabel('Address').fill('https://shop.example');
	await page.getByRole('button', { name: 'Add site' }).click();
	await page.getByText(`${PREFIX}'`).first().waitFor();

	const links = page.getByRole('navigation').first().getByRole('link');
	const names = await links.allInnerTexts();
	assert.ok(names.length >= 5, `${names}`);
	for (const name of names) {
		await page.getByRole('navigation').first().getByRole('link', { name: name.trim() }).click();
		await page.locator('#main h1').first().waitFor();
		assert.ok(new URL(page.url()).pathname.startsWith(`${PREFIX}/dashboard`), page.url());
	}

	await page.goto(`${desk.relay.url}${PREFIX}/dashboard/events`);
	const site = await page.evaluate(async ([prefix, password]) => {
		const { me } = await (await fetch(`${prefix}/api/state`)).json();
		const { sites } = await (await fetch(`${prefix}/api/sites`)).json();
		const headers = { 'content-type': 'application/json', 'x-hookcast-csrf': me.csrf };
		const answer = await fetch(`${prefix}/api/sites/${sites[0].site_key}/credentials`, { method: 'POST', headers, body: JSON.stringify({ password }) });
		return answer.json();
	}, [PREFIX, OWNER.password]);
	await new Site(site, desk.relay.url + PREFIX).publish('events', 'post.updated', { post_id: 42 });
	await page.getByRole('button', { name: /post\.updated/ }).waitFor();
	await page.reload();
	await page.locator('#main h1').first().waitFor();
	assert.deepEqual(strays, []);
	assertQuiet(page, 'below a path');
});
