// Every page, in both themes, on a wide window and on a phone: nothing overflows, nothing is said on the console, axe finds nothing.
import assert from 'node:assert/strict';
import { after, before, test } from '../suite.mjs';
import { Desk, assertAccessible, assertFits, assertQuiet, picture, settled } from './support.mjs';

let desk, site, sockets, trigger, traffic;

before(async () => {
	desk = await Desk.open();
	site = await desk.addSite();
	await desk.addSite('https://magazine.example/a-rather-long-path', 'A magazine with a rather long name that has to fit somewhere');
	const spec = {
		name: 'Post published',
		enabled: true,
		source: { kind: 'action', hook: 'save_post', priority: 10, args: 3 },
		channel: 'posts',
		event: 'post.saved',
		data: { kind: 'fields', fields: [{ name: 'id', value: { kind: 'path', path: '1.ID' } }] },
		conditions: { mode: 'all', rules: [{ path: '1.post_status', comparison: 'equals', value: 'publish' }] },
	};
	({ trigger } = await desk.api('POST', `sites/${site.key}/triggers`, spec));
	await desk.api('POST', `sites/${site.key}/triggers`, { ...spec, name: 'Order webhook', source: { kind: 'webhook', verify: 'bearer' } });
	sockets = await Promise.all([1, 2, 3, 4, 5, 6, 7, 8].map((nth) => site.socket(['events', `room:${nth}`])));
	sockets[0].send(JSON.stringify({ type: 'presence', channel: 'events', state: { name: 'Ada' } }));
	for (let nth = 0; nth < 20; nth++) await site.publish(nth % 2 ? 'events' : 'shop', `thing.${nth}`, { nth });
	await fetch(`${desk.relay.url}/sse?token=nonsense`);
	// The pages are looked at while something happens, as they are in life.
	const kinds = [['shop', 'order.placed'], ['events', 'post.updated'], ['events', 'stock.changed']];
	let sent = 0;
	traffic = setInterval(() => {
		const [channel, event] = kinds[sent++ % kinds.length];
		for (let burst = 0; burst < 1 + Math.round(3 + 3 * Math.sin(sent / 9)); burst++) site.publish(channel, event, { sent, burst }).catch(() => {});
	}, 250);
});

after(async () => {
	clearInterval(traffic);
	for (const socket of sockets ?? []) socket.terminate();
	await desk?.close();
});

/** Each address, and what tells that its content is there. */
const pages = () => ({
	overview: ['/dashboard/', 'text=Busiest sites'],
	guide: ['/dashboard/guide', "text=define( 'WPSignal"],
	sites: ['/dashboard/sites', 'text=https://shop.example'],
	site: [`/dashboard/sites/${site.key}`, 'text=About this site'],
	'site-credentials': [`/dashboard/sites/${site.key}/credentials`, 'text=Show secrets'],
	'site-connections': [`/dashboard/sites/${site.key}/connections`, 'text=User 7'],
	'site-channels': [`/dashboard/sites/${site.key}/channels`, 'text=room:1'],
	'site-triggers': [`/dashboard/sites/${site.key}/triggers`, 'text=Post published'],
	'site-events': [`/dashboard/sites/${site.key}/events`, 'text=order.placed'],
	'site-refusals': [`/dashboard/sites/${site.key}/refusals`, 'text=the first place to look'],
	'site-settings': [`/dashboard/sites/${site.key}/settings`, 'text=Danger zone'],
	triggers: [`/dashboard/triggers?site=${site.key}`, 'text=Order webhook'],
	'trigger-new': [`/dashboard/triggers/${site.key}/new`, 'text=Create trigger'],
	trigger: [`/dashboard/triggers/${site.key}/${trigger.id}`, 'text=Run test'],
	events: ['/dashboard/events', 'text=order.placed'],
	connections: ['/dashboard/connections', 'text=User 7'],
	tokens: ['/dashboard/tokens', 'text=Mint token'],
	settings: ['/dashboard/settings', 'text=This one'],
	'settings-users': ['/dashboard/settings/users', 'text=Add user'],
	'settings-keys': ['/dashboard/settings/keys', 'text=No API keys'],
	'settings-config': ['/dashboard/settings/config', 'text=server.listen'],
	'settings-doctor': ['/dashboard/settings/doctor', 'text=Run the checks'],
	'settings-audit': ['/dashboard/settings/audit', 'text=site.added'],
	unknown: ['/dashboard/no/such/page', 'text=There is nothing here'],
});

for (const theme of ['light', 'dark']) {
	for (const width of [1440, 360]) {
		test(`every page, ${theme}, ${width} px`, async (t) => {
			for (const [name, [at, shows]] of Object.entries(pages())) {
				await t.test(name, async () => {
					const page = await desk.page(at, { theme, width });
					const where = `${name} (${theme}, ${width} px)`;
					await page.locator(`#main >> ${shows}`).first().waitFor();
					await settled(page);
					await assertFits(page, where);
					await assertAccessible(page, where);
					assertQuiet(page, where);
					await picture(page, `${name}-${theme}-${width}`);
					await page.context().close();
				});
			}
		});
	}
}

for (const [name, at] of [['login', '/dashboard/'], ['connect-refused', '/dashboard/connect?state=s&callback_url=https://evil.example/&site_url=https://shop.example']]) {
	test(`${name}, outside the frame`, async () => {
		for (const theme of ['light', 'dark']) {
			for (const width of [1440, 360]) {
				const page = await desk.page(at, { theme, width, signedIn: name !== 'login' });
				await settled(page);
				await assertFits(page, name);
				await assertAccessible(page, name);
				assertQuiet(page, name, ['40']);
				await picture(page, `${name}-${theme}-${width}`);
				await page.context().close();
			}
		}
	});
}

test('dialogs and the sheet of a phone are accessible too', async () => {
	const page = await desk.page(`/dashboard/events`, { width: 360, theme: 'dark' });
	await page.getByRole('button', { name: 'Publish' }).click();
	await page.getByRole('dialog', { name: 'Publish a message' }).waitFor();
	await assertAccessible(page, 'publish dialog');
	await picture(page, 'dialog-publish-dark-360');
	await page.keyboard.press('Escape');
	await page.getByRole('dialog').waitFor({ state: 'hidden' });
	await page.getByRole('button', { name: 'More' }).click();
	await page.getByRole('dialog', { name: 'More' }).waitFor();
	await assertAccessible(page, 'the sheet');
	await page.getByRole('dialog').getByRole('link', { name: 'Tokens' }).click();
	await page.getByRole('heading', { name: 'Tokens', exact: true }).waitFor();
	assert.equal(await page.getByRole('dialog').count(), 0, 'going somewhere closes the sheet');
});

test('the keyboard alone leads from the top to a page and opens it', async () => {
	const page = await desk.page('/dashboard/');
	await page.keyboard.press('Tab');
	assert.equal(await page.evaluate(() => document.activeElement.textContent), 'Skip to content');
	await page.keyboard.press('Enter');
	assert.equal(await page.evaluate(() => document.activeElement.id), 'main');
	await page.getByRole('link', { name: 'Sites' }).first().focus();
	await page.keyboard.press('Enter');
	await page.getByRole('heading', { name: 'Sites', exact: true }).waitFor();
});
