// A browser on a relay's own pages. What it shows is read as a person or a screen reader would: by role and name.
import assert from 'node:assert/strict';
import { mkdir } from 'node:fs/promises';
import path from 'node:path';
import axe from 'axe-core';
import { Relay, Site, WAIT, until } from '../relay/support.mjs';
import { launch } from '../suite.mjs';

export { Relay, Site, WAIT, until };

const artifacts = path.resolve(import.meta.dirname, '../../artifacts/pages');
const WCAG = ['wcag2a', 'wcag2aa', 'wcag21a', 'wcag21aa', 'wcag22aa'];
export const OWNER = { email: 'ada@example.com', password: 'three quiet otters' };

/** The one-time link that the relay printed, as the path and query behind its address. */
export async function setupPath(relay) {
	const token = await until('the set-up link in the log', async () => /setup\?token=([\w-]+)/.exec(await relay.log())?.[1]);
	return `/dashboard/setup?token=${token}`;
}

/** A relay with a browser, and an owner unless told otherwise. */
export class Desk {
	static async open({ owner = true, config = '' } = {}) {
		const desk = new Desk();
		desk.relay = await Relay.start({ config: `server.drain_ms = 100\n${config}` });
		desk.browser = await launch();
		if (owner) await desk.makeOwner();
		return desk;
	}

	/** Through the API, as a script would: the page for it has a test of its own. */
	async makeOwner() {
		const token = (await setupPath(this.relay)).split('token=')[1];
		const { me, cookie } = await this.enter('setup', { token, ...OWNER });
		this.me = me;
		this.cookie = cookie;
	}

	async enter(way, body) {
		const headers = { 'content-type': 'application/json', 'x-hookcast-csrf': 'none', origin: this.relay.url };
		const answer = await fetch(`${this.relay.url}/api/${way}`, { method: 'POST', headers, body: JSON.stringify(body) });
		const me = await answer.json();
		assert.equal(answer.status, 200, JSON.stringify(me));
		return { me, cookie: answer.headers.get('set-cookie').split(';')[0] };
	}

	/** A request to the API as the owner. */
	async api(method, way, body) {
		const headers = { cookie: this.cookie, 'x-hookcast-csrf': this.me.csrf, origin: this.relay.url };
		if (body !== undefined) headers['content-type'] = 'application/json';
		const answer = await fetch(`${this.relay.url}/api/${way}`, { method, headers, body: body === undefined ? undefined : JSON.stringify(body) });
		const json = await answer.json();
		assert.ok(answer.ok, `${method} ${way}: ${answer.status} ${JSON.stringify(json)}`);
		return json;
	}

	/** A site added by the owner, with what it signs with. */
	async addSite(url = 'https://shop.example', name = 'Shop') {
		const { credentials } = await this.api('POST', 'sites', { url, name });
		return new Site(credentials, this.relay.url);
	}

	/** A page of its own, signed in as the owner unless told otherwise. `prepare` gets it before it goes anywhere. */
	async page(at = '/dashboard/', { signedIn = true, width = 1440, theme = 'light', locale = 'en-GB', prepare } = {}) {
		const viewport = { width, height: width < 500 ? 780 : 900 };
		const context = await this.browser.newContext({ viewport, colorScheme: theme, locale, reducedMotion: 'reduce', acceptDownloads: true });
		if (signedIn) {
			const [name, value] = this.cookie.split(/=(.*)/);
			await context.addCookies([{ name, value, url: this.relay.url, httpOnly: true, sameSite: 'Strict' }]);
		}
		const page = await context.newPage();
		page.setDefaultTimeout(WAIT);
		page.problems = [];
		page.on('pageerror', (error) => page.problems.push(String(error)));
		page.on('console', (message) => {
			if (message.type() === 'error') page.problems.push(`${message.text()} (${message.location().url})`);
		});
		await prepare?.(page);
		await page.goto(this.relay.url + at);
		// What the page shows before the app is there has gone, unless a test holds the app back.
		if (!prepare) {
			await page.locator('#start').waitFor({ state: 'detached' });
			await page.locator('h1').first().waitFor({ state: 'attached' });
		}
		return page;
	}

	async close() {
		await this.browser?.close();
		await this.relay?.close();
	}
}

/** Everything is there: nothing loads any more. */
export async function settled(page) {
	await page.waitForFunction(() => !document.querySelector('.skeleton, .start-mark, .button .spin'));
}

/** Keep a picture of the page for people to look at. */
export async function picture(page, name) {
	await mkdir(artifacts, { recursive: true });
	await page.screenshot({ path: path.join(artifacts, `${name}.png`), fullPage: true });
}

export async function assertAccessible(page, where) {
	await page.evaluate(axe.source);
	const found = await page.evaluate((tags) => window.axe.run(document, { runOnly: { type: 'tag', values: tags } }), WCAG);
	assert.ok(found.passes.length > 5, `${where}: axe looked at something`);
	const said = found.violations.map((one) => `${one.id}: ${one.help}\n    ${one.nodes.map((node) => `${node.html} ${node.failureSummary}`).join('\n    ')}`);
	assert.deepEqual(said, [], `${where}: axe finds\n${said.join('\n')}`);
}

export async function assertFits(page, where) {
	const wide = await page.evaluate(() => {
		const limit = document.documentElement.clientWidth;
		if (document.documentElement.scrollWidth <= limit) return [];
		const out = [...document.querySelectorAll('body *')].filter((one) => one.getBoundingClientRect().right > limit + 1);
		return [`${document.documentElement.scrollWidth} > ${limit}`, ...out.slice(0, 5).map((one) => `${one.tagName}.${one.className}`)];
	});
	assert.deepEqual(wide, [], `${where}: wider than the window`);
}

/** Nothing went wrong that the browser would write to its console, but for answers that the test provoked. */
export function assertQuiet(page, where, provoked = []) {
	const left = page.problems.filter((problem) => !provoked.some((one) => problem.includes(one)));
	assert.deepEqual(left, [], `${where}: the console`);
}
