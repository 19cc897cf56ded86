// What proves who one is: a site's secrets and dispatch token, one's own password and sessions.
import assert from 'node:assert/strict';
import { after, before, test } from '../suite.mjs';
import { Desk, OWNER, Site, assertQuiet, until } from './support.mjs';

let desk, site;
before(async () => {
	desk = await Desk.open();
	site = await desk.addSite();
});
after(() => desk?.close());

test('secrets are rotated after the password only, and the old ones work for the overlap that was chosen', async () => {
	const page = await desk.page(`/dashboard/sites/${site.key}/credentials`);
	const rotate = async (overlap, password) => {
		await page.getByRole('button', { name: 'Rotate secrets' }).click();
		const dialog = page.getByRole('dialog', { name: 'Rotate secrets' });
		await dialog.getByLabel('Overlap').selectOption({ label: overlap });
		await dialog.getByLabel('Your password').fill(password);
		await dialog.getByRole('button', { name: 'Rotate secrets' }).click();
		return dialog;
	};
	const made = async (dialog) => {
		await dialog.getByText('The site has new secrets').waitFor();
		const [publish_secret, jwt_secret] = await dialog.locator('.secret code').allTextContents();
		await dialog.getByRole('button', { name: 'Close' }).last().click();
		await dialog.waitFor({ state: 'detached' });
		return new Site({ site_key: site.key, publish_secret, jwt_secret }, desk.relay.url);
	};

	const dialog = await rotate('1 day', 'not this one');
	await dialog.getByText('The password is wrong.').first().waitFor();
	assert.equal((await site.stats()).status, 200, 'a refused rotation changes nothing');
	await dialog.getByLabel('Your password').fill(OWNER.password);
	await dialog.getByRole('button', { name: 'Rotate secrets' }).click();
	const second = await made(dialog);
	assert.notEqual(second.publishSecret, site.publishSecret);
	await second.publish('events', 'with.new.secret', {});
	await site.publish('events', 'with.old.secret', {});
	await page.getByRole('link', { name: 'Overview' }).last().click();
	await page.getByText('Old secrets work until').waitFor();
	await page.getByRole('link', { name: 'Credentials' }).click();

	const third = await made(await rotate('None: old secrets end now', OWNER.password));
	await third.publish('events', 'with.newest.secret', {});
	await assert.rejects(site.publish('events', 'with.first.secret', {}), /401|403/);
	await assert.rejects(second.publish('events', 'with.second.secret', {}), /401|403/);
	site = third;
	assertQuiet(page, 'rotation', ['40']);
});

test('dispatch is switched on, gets a token, is opened with a warning, and is switched off', async () => {
	const dispatch = (token) =>
		fetch(`${desk.relay.url}/dispatch`, {
			method: 'POST',
			headers: { 'content-type': 'application/json', ...(token && { authorization: `Bearer ${token}` }) },
			body: JSON.stringify({ event: 'by.script', data: { n: 1 }, timestamp: Date.now() }),
		});
	const state = () => desk.api('GET', `sites/${site.key}/dispatch`);
	const page = await desk.page(`/dashboard/sites/${site.key}/credentials`);
	const accept = page.getByRole('switch', { name: 'Accept dispatches' });
	const open = page.getByRole('switch', { name: 'Open to this machine without a token' });
	await accept.waitFor();
	assert.equal(await accept.isChecked(), false);
	await accept.press('Space');
	await until('dispatch to be on', async () => (await state()).enabled);
	await until('the switch to show it', () => accept.isChecked());

	await page.getByRole('button', { name: 'Make a new token' }).click();
	const dialog = page.getByRole('dialog', { name: 'New dispatch token' });
	const token = await dialog.locator('.secret code').first().textContent();
	await dialog.getByText('wp_remote_post').waitFor();
	await page.keyboard.press('Escape');
	await dialog.waitFor({ state: 'detached' });
	assert.equal((await dispatch(token)).status, 200);
	assert.notEqual((await dispatch('0'.repeat(64))).status, 200);
	assert.equal(await open.isChecked(), false);

	await open.press('Space');
	await page.getByText('This site’s dispatch is open').or(page.getByText("This site's dispatch is open")).first().waitFor();
	assert.equal((await state()).open, true);
	await open.press('Space');
	await until('dispatch to need its token again', async () => (await state()).open === false);
	await accept.press('Space');
	await until('dispatch to be off', async () => (await state()).enabled === false);
	assert.notEqual((await dispatch(token)).status, 200);
	assertQuiet(page, 'dispatch');
});

test('sessions are listed and ended, one by one and all others at once', async () => {
	const { cookie: phone } = await desk.enter('login', OWNER);
	const lives = async (cookie) => (await (await fetch(`${desk.relay.url}/api/state`, { headers: { cookie } })).json()).me != null;
	const page = await desk.page('/dashboard/settings');
	const rows = page.locator('tr').filter({ hasText: '127.' });
	await page.getByText('This one').waitFor();
	assert.equal(await rows.count(), 2);
	assert.ok(await lives(phone));
	await page.getByRole('button', { name: 'End', exact: true }).click();
	await page.getByText('Session ended').waitFor();
	await until('one row', async () => (await rows.count()) === 1);
	assert.equal(await lives(phone), false);

	const others = [await desk.enter('login', OWNER), await desk.enter('login', OWNER)];
	await page.reload();
	await until('three rows', async () => (await rows.count()) === 3);
	await page.getByRole('button', { name: 'End all others' }).click();
	await until('one row', async () => (await rows.count()) === 1);
	for (const { cookie } of others) assert.equal(await lives(cookie), false);
	assert.ok(await lives(desk.cookie), 'the session that asks goes on');
	assertQuiet(page, 'sessions');
});

test('the password is changed: refused while the two differ or the old one is wrong; other sessions end, this one goes on', async () => {
	const { cookie: other } = await desk.enter('login', OWNER);
	const page = await desk.page('/dashboard/settings');
	const change = page.getByRole('button', { name: 'Change password' });
	const changed = 'five curious badgers';
	await page.getByLabel('Your password').fill('not this one');
	await page.getByLabel('New password').fill(changed);
	await page.getByLabel('Password once more').fill('five curious weasels');
	await change.click();
	await page.getByText('The two passwords differ.').first().waitFor();
	await page.getByLabel('Password once more').fill(changed);
	await change.click();
	await page.getByText('The password is wrong.').first().waitFor();
	assert.equal(await page.getByLabel('New password').inputValue(), changed, 'what was typed stays');
	await page.getByLabel('Your password').fill(OWNER.password);
	await change.click();
	await page.getByText('Password changed').waitFor();
	assert.equal(await page.getByLabel('New password').inputValue(), '');

	const state = await (await fetch(`${desk.relay.url}/api/state`, { headers: { cookie: other } })).json();
	assert.equal(state.me ?? null, null, 'the other session has ended');
	await page.getByRole('link', { name: 'Audit log' }).click();
	await page.getByRole('cell', { name: /password/ }).first().waitFor();
	await desk.enter('login', { email: OWNER.email, password: changed });
	await assert.rejects(desk.enter('login', OWNER));
	assertQuiet(page, 'password', ['40']);
});
