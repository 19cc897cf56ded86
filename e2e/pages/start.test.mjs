// Before the app is there: the page shows something of use, in the reader's language, and what is typed then is not lost.
import assert from 'node:assert/strict';
import { after, before, test } from '../suite.mjs';
import { Desk, OWNER, assertAccessible, assertFits, assertQuiet, picture } from './support.mjs';

let desk;
before(async () => (desk = await Desk.open()));
after(() => desk?.close());

/** A page whose WebAssembly comes only when it is let through. */
async function slowPage(at, options) {
	let letThrough;
	const held = new Promise((resolve) => (letThrough = resolve));
	const page = await desk.page(at, {
		...options,
		prepare: (page) =>
			page.route('**/*.wasm', async (route) => {
				await held;
				await route.continue();
			}),
	});
	return { page, letThrough };
}

test('the log-in form is there before the app, and goes on with what was typed', async () => {
	for (const [locale, heading, email] of [['en-GB', 'Sign in to hookcast', 'Email'], ['de-AT', 'Bei hookcast anmelden', 'E-Mail']]) {
		const { page, letThrough } = await slowPage('/dashboard/', { signedIn: false, locale });
		await page.getByRole('heading', { name: heading }).waitFor();
		assert.equal(await page.getByRole('heading').count(), 1, 'in one language');
		await assertFits(page, 'start');
		await assertAccessible(page, `start, ${locale}`);
		await picture(page, `start-login-${locale}`);
		await page.getByLabel(email).fill(OWNER.email);
		await page.locator('#start-password').fill(OWNER.password);
		assert.ok(await page.locator('#start button').isDisabled(), 'nothing can be sent before the app is there');
		letThrough();
		await page.locator('#start').waitFor({ state: 'detached' });
		assert.equal(await page.getByLabel(email).inputValue(), OWNER.email);
		const password = page.locator('input[type=password]');
		assert.equal(await password.inputValue(), OWNER.password);
		assert.ok(await password.evaluate((field) => field === document.activeElement), 'the cursor stays in its field');
		await page.keyboard.press('Enter');
		await page.locator('.shell nav').first().waitFor();
		assertQuiet(page, 'start');

		// Next time the frame of the inside is what comes first.
		await page.unroute('**/*.wasm');
		await page.route('**/*.wasm', () => {});
		await page.goto(`${desk.relay.url}/dashboard/events`, { waitUntil: 'commit' });
		await page.locator('#start .start-inside').waitFor();
		assert.equal(await page.locator('#start .start-login').isVisible(), false);
		await page.context().close();
	}
});

test('an app that cannot be loaded says so', async () => {
	const page = await desk.page('/dashboard/', { signedIn: false, prepare: (page) => page.route('**/*.wasm', (route) => route.abort()) });
	await page.getByText('The web app could not be loaded').waitFor();
});
