// The doctor's page: it examines the relay that serves it, and says so where it cannot reach an address.
import assert from 'node:assert/strict';
import { after, before, test } from '../suite.mjs';
import { Desk, assertAccessible, assertFits, assertQuiet, picture } from './support.mjs';

let desk;
before(async () => (desk = await Desk.open()));
after(() => desk?.close());

test('the doctor examines the relay, names each check, and tells what an unreachable address means', async () => {
	const page = await desk.page('/dashboard/settings/doctor');
	const url = page.getByLabel('Public address to check');
	const run = page.getByRole('button', { name: 'Run the checks' });
	await url.fill('not an address');
	await run.click();
	await page.locator('.field-error, .note.bad').first().waitFor();
	assert.equal(await url.inputValue(), 'not an address', 'what was typed stays');

	await url.fill(desk.relay.url);
	await run.click();
	const rows = page.locator('tbody tr');
	await rows.first().waitFor();
	const checks = await rows.locator('.mono').allTextContents();
	assert.ok(checks.length > 5, `a handful of checks: ${checks}`);
	assert.equal(new Set(checks).size, checks.length, 'each once');
	const words = await rows.locator('.pill').allTextContents();
	assert.ok(words.includes('ok'), `${words}`);
	await assertFits(page, 'doctor');
	await assertAccessible(page, 'doctor');
	await picture(page, 'doctor-report');

	// Nobody listens at port 1 of this machine.
	await url.fill('http://127.0.0.1:1');
	await run.click();
	await rows.filter({ hasText: 'failed' }).first().waitFor();
	await page.getByText(/[1-9]\d* failed, \d+ warnings/).waitFor();
	assertQuiet(page, 'doctor', ['400']);
});
