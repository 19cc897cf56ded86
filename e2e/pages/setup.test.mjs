// From the first start to the first event, by what the pages say alone.
import assert from 'node:assert/strict';
import { after, before, test } from '../suite.mjs';
import { Desk, OWNER, Site, assertQuiet, picture, setupPath } from './support.mjs';

let desk;
before(async () => (desk = await Desk.open({ owner: false })));
after(() => desk?.close());

test('without an owner and without the link, the page says where the link is', async () => {
	const page = await desk.page('/dashboard/', { signedIn: false });
	await page.getByRole('heading', { name: 'This relay is not set up yet' }).waitFor();
	await page.getByText('hookcast admin create').waitFor();
});

test('from the one-time link to the first event', async () => {
	const link = await setupPath(desk.relay);
	const page = await desk.page(link, { signedIn: false });

	await page.getByLabel('Email').fill(OWNER.email);
	await page.getByLabel('Password', { exact: true }).fill(OWNER.password);
	await page.getByLabel('Password once more').fill('something else');
	await page.getByRole('button', { name: 'Create owner' }).click();
	await page.getByText('The two passwords differ.').first().waitFor();
	assert.equal(await page.getByLabel('Email').inputValue(), OWNER.email, 'what was typed stays');

	await page.getByLabel('Password once more').fill(OWNER.password);
	await page.getByRole('button', { name: 'Create owner' }).click();
	await page.getByRole('heading', { name: 'Your first event' }).waitFor();
	assert.ok(!page.url().includes('token='), 'the one-time token left the address bar');

	await page.getByLabel('Address').fill('not an address');
	await page.getByRole('button', { name: 'Add site' }).click();
	await page.locator('.field-error, [role=alert] .note').first().waitFor();
	assert.equal(await page.getByLabel('Address').inputValue(), 'not an address', 'what was typed stays');
	await page.getByLabel('Address').fill('https://shop.example');
	await page.getByRole('button', { name: 'Add site' }).click();
	await page.getByText("define( 'WPSignal").waitFor();
	await page.getByText('Waiting for the first publish').waitFor();

	const site = await page.evaluate(async (password) => {
		const { me } = await (await fetch('/api/state')).json();
		const { sites } = await (await fetch('/api/sites')).json();
		const headers = { 'content-type': 'application/json', 'x-hookcast-csrf': me.csrf };
		const answer = await fetch(`/api/sites/${sites[0].site_key}/credentials`, { method: 'POST', headers, body: JSON.stringify({ password }) });
		return answer.json();
	}, OWNER.password);
	const wordpress = new Site(site, desk.relay.url);
	await wordpress.publish('events', 'post.updated', { post_id: 42 });
	await page.getByText('WordPress has published.').waitFor();
	await page.getByText('Waiting for the first browser').waitFor();
	const visitor = await wordpress.socket(['events']);
	await page.getByText('A browser is connected.').waitFor();
	await page.getByText('It works. Events flow').waitFor();
	await picture(page, 'guide-done');

	await page.getByRole('link', { name: 'Watch the events' }).first().click();
	await page.getByRole('button', { name: /post\.updated/ }).waitFor();
	const before = await page.getByRole('button', { name: /order\.placed/ }).count();
	assert.equal(before, 0);
	await wordpress.publish('shop', 'order.placed', { id: 1 });
	await page.getByRole('button', { name: /order\.placed/ }).waitFor();
	visitor.terminate();
	assertQuiet(page, 'set-up', ['400']);

	const again = await desk.page(link, { signedIn: false });
	await again.getByRole('heading', { name: 'This relay is set up already' }).first().waitFor();
});

test('a wrong password is refused and what was typed stays; the right one leads to the page that was asked for', async () => {
	const page = await desk.page('/dashboard/settings/audit', { signedIn: false });
	await page.getByRole('heading', { name: 'Sign in to hookcast' }).waitFor();
	await page.getByLabel('Email').fill(OWNER.email);
	await page.getByLabel('Password', { exact: true }).fill('wrong, and long enough');
	await page.getByRole('button', { name: 'Sign in' }).click();
	await page.getByText('Email or password is wrong.').waitFor();
	assert.equal(await page.getByLabel('Email').inputValue(), OWNER.email);
	await page.getByLabel('Password', { exact: true }).fill(OWNER.password);
	await page.getByRole('button', { name: 'Sign in' }).click();
	await page.getByRole('cell', { name: /login/ }).first().waitFor();
	assert.ok(page.url().endsWith('/dashboard/settings/audit'));

	await page.getByRole('button', { name: 'Sign out' }).first().click();
	await page.getByRole('heading', { name: 'Sign in to hookcast' }).waitFor();
	assertQuiet(page, 'log-in', ['401']);
});

test('a browser that prefers German is spoken to in German', async () => {
	const page = await desk.page('/dashboard/', { signedIn: false, locale: 'de-AT' });
	await page.getByRole('heading', { name: 'Bei hookcast anmelden' }).waitFor();
	assert.equal(await page.locator('html').getAttribute('lang'), 'de');
	await page.getByRole('button', { name: 'English' }).click();
	await page.getByRole('heading', { name: 'Sign in to hookcast' }).waitFor();
});
