// What an operator does: sites, triggers, tokens, settings, connecting a WordPress. Each main path with its main failure.
import assert from 'node:assert/strict';
import { once } from 'node:events';
import { createServer } from 'node:http';
import { after, before, test } from '../suite.mjs';
import { Desk, OWNER, assertQuiet } from './support.mjs';

let desk, site;
before(async () => {
	desk = await Desk.open();
	site = await desk.addSite();
});
after(() => desk?.close());

test('a site is added, its secrets are shown after the password only, and it is archived by its name', async () => {
	const page = await desk.page('/dashboard/sites');
	await page.getByRole('button', { name: 'Add site' }).click();
	const adding = page.getByRole('dialog', { name: 'Add site' });
	await adding.getByLabel('Address').fill('https://forum.example');
	await adding.getByLabel('Name').fill('Forum');
	await adding.getByRole('button', { name: 'Add site' }).click();
	const added = page.getByRole('dialog', { name: 'Site added' });
	await added.getByText("define( 'WPSignal").waitFor();
	await added.getByRole('link', { name: 'Open the site' }).click();
	await page.getByRole('heading', { name: 'Forum' }).waitFor();

	await page.getByRole('link', { name: 'Credentials' }).click();
	await page.getByRole('button', { name: 'Show secrets' }).click();
	const asking = page.getByRole('dialog', { name: 'Show secrets' });
	await asking.getByLabel('Your password').fill('not this one');
	await asking.getByRole('button', { name: 'Show secrets' }).click();
	await asking.getByText('The password is wrong.').first().waitFor();
	await asking.getByLabel('Your password').fill(OWNER.password);
	await asking.getByRole('button', { name: 'Show secrets' }).click();
	await page.locator('code').filter({ hasText: /^[0-9a-f]{64}$/ }).first().waitFor();

	await page.getByRole('link', { name: 'Settings' }).last().click();
	await page.getByLabel('Connections at once').fill('many');
	await page.getByRole('button', { name: 'Save' }).nth(1).click();
	await page.getByText('Type a whole number').first().waitFor();
	await page.getByLabel('Connections at once').fill('50');
	await page.getByRole('button', { name: 'Save' }).nth(1).click();
	await page.getByText('Saved', { exact: true }).first().waitFor();

	await page.getByRole('button', { name: 'Archive the site' }).click();
	const archiving = page.getByRole('dialog', { name: 'Archive the site' });
	await archiving.getByRole('textbox').fill('Something else');
	await archiving.getByRole('button', { name: 'Archive the site' }).click();
	await archiving.locator('.note.bad, .field-error').first().waitFor();
	await archiving.getByRole('textbox').fill('Forum');
	await archiving.getByRole('button', { name: 'Archive the site' }).click();
	await page.getByText('This site is archived').waitFor();
	await page.getByRole('button', { name: 'Restore the site' }).click();
	await page.getByText('The site is back').waitFor();
	assertQuiet(page, 'sites', ['40']);
});

test('a trigger is built from the catalogue, refused while something is missing, saved, tried and deleted', async () => {
	const page = await desk.page(`/dashboard/triggers?site=${site.key}`);
	await page.getByText('No triggers yet').waitFor();
	await page.getByRole('link', { name: 'New trigger' }).click();
	await page.getByLabel('Common events').selectOption('woocommerce_order_status_changed');
	assert.equal(await page.getByLabel('Action hook').inputValue(), 'woocommerce_order_status_changed');
	await page.getByLabel('Preview', { exact: true }).getByText('"49.90"').waitFor();
	await page.getByLabel('Event', { exact: true }).fill('');
	await page.getByRole('button', { name: 'Create trigger' }).click();
	await page.locator('.field-error').first().waitFor();
	await page.getByLabel('Event', { exact: true }).fill('order.status');
	await page.getByRole('button', { name: 'Create trigger' }).click();
	await page.getByText('Trigger created').waitFor();
	await page.getByRole('button', { name: 'Run test' }).click();
	await page.getByText('The conditions hold').waitFor();
	await page.getByRole('link', { name: 'Triggers' }).last().click();
	await page.getByText('woocommerce_order_status_changed').waitFor();
	await page.getByRole('button', { name: /^Delete/ }).click();
	await page.getByRole('dialog').getByRole('button', { name: 'Delete' }).click();
	await page.getByText('No triggers yet').waitFor();
	assertQuiet(page, 'triggers', ['400']);
});

test('a webhook shows its address and secret, and a request to it becomes an event', async () => {
	const page = await desk.page(`/dashboard/triggers/${site.key}/new`);
	await page.getByRole('button', { name: 'Webhook' }).click();
	await page.getByLabel('The sender proves itself by').selectOption('bearer');
	await page.getByLabel('Name').fill('Orders');
	await page.getByLabel('Event', { exact: true }).fill('order.hooked');
	await page.getByRole('button', { name: 'Create trigger' }).click();
	const values = page.locator('.secret code');
	await values.nth(1).waitFor();
	const [address, secret] = await values.allTextContents();
	await page.goto(`${desk.relay.url}/dashboard/events`);
	await page.getByText('Live', { exact: true }).first().waitFor();
	const answer = await fetch(desk.relay.url + new URL(address).pathname, {
		method: 'POST',
		headers: { 'content-type': 'application/json', authorization: `Bearer ${secret}` },
		body: JSON.stringify({ id: 7, status: 'paid', total: '1.00' }),
	});
	assert.equal(answer.status, 200);
	await page.getByRole('button', { name: /order\.hooked/ }).waitFor();
});

test('a token that makes no sense is refused with its reason; a minted one is accepted and opens a connection', async () => {
	const page = await desk.page('/dashboard/tokens');
	await page.getByLabel('Token', { exact: true }).fill('nonsense');
	await page.getByRole('button', { name: 'Inspect' }).click();
	await page.getByText('The relay would refuse this token').waitFor();
	await page.getByText('4001').first().waitFor();
	await page.getByRole('button', { name: 'Mint token' }).click();
	await page.getByText('The relay would accept this token').waitFor();
	await page.getByRole('button', { name: 'Open connection' }).click();
	await page.getByText('"type":"subscribed"').waitFor();
	await site.publish('events', 'for.the.page', { n: 1 });
	await page.getByText('for.the.page').waitFor();
	await page.getByRole('button', { name: 'Close connection' }).click();
	await page.getByRole('button', { name: 'Open connection' }).waitFor();
	assertQuiet(page, 'tokens', ['400']);
});

test('a user is added, sees as a viewer, and is refused what a viewer may not', async () => {
	const page = await desk.page('/dashboard/settings/users');
	await page.getByRole('button', { name: 'Add user' }).click();
	const dialog = page.getByRole('dialog', { name: 'Add user' });
	await dialog.getByLabel('Email').fill('grace@example.com');
	await dialog.getByLabel('Password').fill('short');
	await dialog.getByRole('button', { name: 'Add user' }).click();
	await dialog.locator('.field-error, .note.bad').first().waitFor();
	assert.equal(await dialog.getByLabel('Email').inputValue(), 'grace@example.com');
	await dialog.getByLabel('Password').fill('four patient herons');
	await dialog.getByRole('button', { name: 'Add user' }).click();
	await page.getByRole('cell', { name: 'grace@example.com', exact: true }).waitFor();

	const owner = desk.cookie;
	try {
		desk.cookie = (await desk.enter('login', { email: 'grace@example.com', password: 'four patient herons' })).cookie;
		const viewer = await desk.page(`/dashboard/sites/${site.key}/credentials`);
		await viewer.getByText('You are signed in as a viewer').waitFor();
		await viewer.getByRole('link', { name: 'Sites' }).first().click();
		await viewer.getByText('https://shop.example').waitFor();
		assert.equal(await viewer.getByRole('button', { name: 'Add site' }).count(), 0);
	} finally {
		desk.cookie = owner;
	}
	assertQuiet(page, 'users', ['400']);
});

test('an API key is shown once', async () => {
	const page = await desk.page('/dashboard/settings/keys');
	await page.getByRole('button', { name: 'New key' }).click();
	const dialog = page.getByRole('dialog', { name: 'New key' });
	await dialog.getByLabel('Name').fill('backup script');
	await dialog.getByRole('button', { name: 'New key' }).click();
	await dialog.locator('code').filter({ hasText: /^[0-9a-f]{64}$/ }).waitFor();
	await dialog.getByRole('button', { name: 'Close' }).last().click();
	await page.getByText('backup script').waitFor();
	await page.getByRole('button', { name: 'Revoke' }).click();
	await page.getByRole('dialog').getByRole('button', { name: 'Revoke' }).click();
	await page.getByText('No API keys').waitFor();
});

test('a WordPress is connected: the code goes back by a form; a request that leads elsewhere is not followed', async () => {
	const posted = [];
	const wordpress = createServer((request, answer) => {
		let body = '';
		request.on('data', (data) => (body += data));
		request.on('end', () => {
			posted.push({ method: request.method, url: request.url, body });
			answer.setHeader('content-type', 'text/html').end('<!doctype html><h1>WordPress</h1>');
		});
	});
	wordpress.listen(0, '127.0.0.1');
	await once(wordpress, 'listening');
	try {
		const base = `http://127.0.0.1:${wordpress.address().port}`;
		const ask = (callback) => {
			const query = new URLSearchParams({ state: 'abc123', callback_url: callback, site_url: base, site_name: 'A blog' });
			return `/dashboard/connect?${query}`;
		};
		const callback = `${base}/wp-admin/admin-post.php?action=wpsignal_oauth_callback`;
		const page = await desk.page(ask(callback));
		await page.getByText('A blog').waitFor();
		await page.getByRole('button', { name: 'Authorize' }).click();
		await page.getByRole('heading', { name: 'WordPress' }).waitFor();
		const form = posted.find((one) => one.method === 'POST');
		const fields = new URLSearchParams(form.body);
		assert.equal(fields.get('wps_state'), 'abc123');
		const exchanged = await fetch(`${desk.relay.url}/api/connect/exchange`, {
			method: 'POST',
			headers: { 'content-type': 'application/json' },
			body: JSON.stringify({ code: fields.get('wps_code') }),
		});
		assert.equal(exchanged.status, 200);
		assert.match((await exchanged.json()).site_key, /^[0-9a-f]{32}$/);

		const cancelled = await desk.page(ask(callback));
		await cancelled.getByRole('button', { name: 'Cancel' }).click();
		await cancelled.getByRole('heading', { name: 'WordPress' }).waitFor();
		assert.ok(cancelled.url().includes('wps_error=cancelled'));

		const foreign = await desk.page(ask('https://evil.example/wp-admin/admin-post.php?action=wpsignal_oauth_callback'));
		await foreign.getByText('This request cannot be answered').waitFor();
		assert.ok(foreign.url().startsWith(desk.relay.url));
	} finally {
		wordpress.close();
	}
});
