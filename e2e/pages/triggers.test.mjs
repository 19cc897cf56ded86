// A site's triggers as a list: their order, on and off, and as a file.
import assert from 'node:assert/strict';
import { readFile } from 'node:fs/promises';
import { after, before, test } from '../suite.mjs';
import { Desk, assertQuiet, until } from './support.mjs';

const spec = (name) => ({
	name,
	enabled: true,
	source: { kind: 'action', hook: 'save_post', priority: 10, args: 3 },
	channel: 'posts',
	event: `${name.toLowerCase()}.happened`,
	data: { kind: 'fields', fields: [{ name: 'id', value: { kind: 'path', path: '1.ID' } }] },
	conditions: { mode: 'all', rules: [{ path: '1.post_status', comparison: 'equals', value: 'publish' }] },
});

let desk;
before(async () => (desk = await Desk.open()));
after(() => desk?.close());

const triggersOf = async (site) => (await desk.api('GET', `sites/${site.key}/triggers`)).triggers;
const names = (page) => page.locator('tbody .cell-main').allTextContents();
const shows = (page, wanted) => until(`the order ${wanted}`, async () => (await names(page)).join() === wanted.join());

async function withTriggers(...all) {
	const site = await desk.addSite(`https://${all.join('-').toLowerCase()}.example`, all.join(' and '));
	for (const name of all) await desk.api('POST', `sites/${site.key}/triggers`, spec(name));
	return site;
}

test('triggers are moved, switched off and on, and copied; the relay has the same order', async () => {
	const site = await withTriggers('One', 'Two', 'Three');
	const page = await desk.page(`/dashboard/triggers?site=${site.key}`);
	await shows(page, ['One', 'Two', 'Three']);
	await page.getByRole('button', { name: 'Move Three up' }).click();
	await shows(page, ['One', 'Three', 'Two']);
	await page.getByRole('button', { name: 'Move One down' }).click();
	await shows(page, ['Three', 'One', 'Two']);
	await page.getByRole('button', { name: 'Move Three up' }).click();
	assert.deepEqual((await triggersOf(site)).map((one) => one.spec.name), ['Three', 'One', 'Two'], 'the first cannot go further up');

	// What is switched is hidden by its label's picture: it takes the keyboard as well as a pointer.
	await page.getByRole('switch', { name: 'One enabled' }).press('Space');
	await until('the trigger to be off', async () => (await triggersOf(site))[1].spec.enabled === false);
	await until('the switch to show it', async () => !(await page.getByRole('switch', { name: 'One enabled' }).isChecked()));
	await page.getByRole('switch', { name: 'One enabled' }).press('Space');
	await until('the trigger to be on', async () => (await triggersOf(site))[1].spec.enabled);

	await page.getByRole('button', { name: 'Duplicate: Two' }).click();
	await shows(page, ['Three', 'One', 'Two', 'Two (copy)']);
	assert.equal(await page.getByRole('switch', { name: 'Two (copy) enabled' }).isChecked(), false, 'a copy begins switched off');
	assertQuiet(page, 'trigger order');
});

test('a site’s triggers leave as a file and enter another site; a file that is none is refused with the reason', async () => {
	const from = await withTriggers('Alpha', 'Beta');
	const page = await desk.page(`/dashboard/triggers?site=${from.key}`);
	await shows(page, ['Alpha', 'Beta']);
	const [download] = await Promise.all([page.waitForEvent('download'), page.getByRole('button', { name: 'Export' }).click()]);
	assert.equal(download.suggestedFilename(), 'hookcast-triggers.json');
	const file = await download.path();
	const document = JSON.parse(await readFile(file, 'utf8'));
	assert.deepEqual(document, { format: 'hookcast-triggers-1', triggers: [spec('Alpha'), spec('Beta')] });

	const to = await withTriggers('Old');
	await page.goto(`${desk.relay.url}/dashboard/triggers?site=${to.key}`);
	await shows(page, ['Old']);
	await page.getByRole('button', { name: 'Import' }).click();
	const dialog = page.getByRole('dialog', { name: 'Import triggers' });
	const text = dialog.getByRole('textbox');
	const send = dialog.getByRole('button', { name: 'Import' });
	await text.fill('{"format": "hookcast-triggers-1", "trigers": []}');
	await send.click();
	await dialog.getByText(/This is not an exported file: .*trigers/).waitFor();
	await text.fill(JSON.stringify({ ...document, format: 'something-else-1' }));
	await send.click();
	await dialog.locator('.note.bad, .field-error').first().waitFor();
	assert.equal((await triggersOf(to)).length, 1, 'nothing of a refused file is kept');

	await dialog.getByLabel('File', { exact: true }).setInputFiles(file);
	await until('the file’s content in the field', async () => (await text.inputValue()).includes('"Beta"'));
	await send.click();
	await page.getByText('3 triggers are there now').waitFor();
	await shows(page, ['Old', 'Alpha', 'Beta']);

	await page.getByRole('button', { name: 'Import' }).click();
	await text.fill(JSON.stringify(document));
	await dialog.getByLabel('Replace the site').check();
	await send.click();
	await page.getByText('2 triggers are there now').waitFor();
	await shows(page, ['Alpha', 'Beta']);
	assert.deepEqual((await triggersOf(to)).map((one) => one.spec), document.triggers);
	assertQuiet(page, 'triggers as a file', ['400']);
});
