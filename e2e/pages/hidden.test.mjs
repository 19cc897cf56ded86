// A tab in the background gives its connection back: a browser has six for one host, and an operator has many tabs.
import { after, before, test } from '../suite.mjs';
import { Desk, assertQuiet } from './support.mjs';

let desk, site;
before(async () => {
	desk = await Desk.open();
	site = await desk.addSite();
});
after(() => desk?.close());

const turn = (page, state) =>
	page.evaluate((state) => {
		Object.defineProperty(document, 'visibilityState', { value: state, configurable: true });
		document.dispatchEvent(new Event('visibilitychange'));
	}, state);

test('a tab that nobody looks at hangs up, and misses nothing when somebody does', async () => {
	const page = await desk.page('/dashboard/events');
	await site.publish('events', 'seen.before', {});
	await page.getByRole('button', { name: /seen\.before/ }).waitFor();

	const hungUp = page.waitForEvent('requestfailed', (request) => request.url().includes('/api/stream'));
	await turn(page, 'hidden');
	await hungUp;
	await site.publish('events', 'while.hidden', {});
	await turn(page, 'visible');
	await page.getByRole('button', { name: /while\.hidden/ }).waitFor();
	await site.publish('events', 'seen.after', {});
	await page.getByRole('button', { name: /seen\.after/ }).waitFor();
	assertQuiet(page, 'hidden and seen again');
});
