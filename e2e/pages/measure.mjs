// Measures what the web app costs, for server/ARCHITECTURE.md: the first paint of a cold load over a slow link, and the CPU of the live pages.
// No test: it depends on the machine. `node e2e/pages/measure.mjs [paint] [cpu]`, after `cargo xtask ui` and a build of the relay.
import { Desk } from './support.mjs';

/** 1.6 Mbit/s down, 750 kbit/s up, 150 ms there and back: what Lighthouse calls a throttled mobile link ("fast 3G"). */
const LINK = { offline: false, latency: 150, downloadThroughput: 1.6e6 / 8, uploadThroughput: 750e3 / 8 };
const EVENTS_PER_SECOND = 100;
const SECONDS = 15;
const ROUNDS = 5;

const wanted = process.argv.slice(2);
const middle = (values) => values.toSorted((a, b) => a - b)[Math.floor(values.length / 2)];
const desk = await Desk.open({ config: 'limits.publishes_per_second = 0\n' });
const site = await desk.addSite();

async function paint(name, options, inside) {
	const rounds = [];
	for (let round = 0; round < ROUNDS; round++) {
		const page = await desk.page('/dashboard/', {
			...options,
			prepare: async (page) => {
				if (inside) await page.addInitScript(() => localStorage.setItem('hookcast.inside', '1'));
				const session = await page.context().newCDPSession(page);
				await session.send('Network.enable');
				await session.send('Network.emulateNetworkConditions', LINK);
				await page.addInitScript(() => {
					new MutationObserver((_, observer) => {
						if (!document.body || document.getElementById('start') || !document.querySelector('h1')) return;
						window.appThere = performance.now();
						observer.disconnect();
					}).observe(document, { childList: true, subtree: true });
				});
			},
		});
		await page.waitForFunction(() => window.appThere);
		rounds.push(await page.evaluate(() => ({
			first: performance.getEntriesByName('first-contentful-paint')[0].startTime,
			app: window.appThere,
			bytes: performance.getEntriesByType('resource').reduce((sum, one) => sum + one.transferSize, performance.getEntriesByType('navigation')[0].transferSize),
		})));
		await page.context().close();
	}
	const of = (key) => Math.round(middle(rounds.map((one) => one[key])));
	console.log(`${name}: first contentful paint ${of('first')} ms, app there ${of('app')} ms, ${of('bytes')} bytes (median of ${ROUNDS})`);
}

async function cpu(name, at) {
	const page = await desk.page(at);
	const session = await page.context().newCDPSession(page);
	const browser = await desk.browser.newBrowserCDPSession();
	await session.send('Performance.enable', { timeDomain: 'threadTicks' });
	const task = async () => (await session.send('Performance.getMetrics')).metrics.find((one) => one.name === 'TaskDuration').value;
	const renderers = async () => {
		const { processInfo } = await browser.send('SystemInfo.getProcessInfo');
		return processInfo.filter((one) => one.type === 'renderer').reduce((sum, one) => sum + one.cpuTime, 0);
	};
	await page.waitForTimeout(2000);
	for (const [load, perSecond] of [['idle', 0], [`${EVENTS_PER_SECOND} events/s`, EVENTS_PER_SECOND]]) {
		const [tasks, process, from] = [await task(), await renderers(), performance.now()];
		let sent = 0;
		while (performance.now() - from < SECONDS * 1000) {
			const due = Math.floor(((performance.now() - from) / 1000) * perSecond);
			for (; sent < due; sent++) site.publish('events', 'load.event', { sent }).catch((error) => console.error(error.message));
			await new Promise((resolve) => setTimeout(resolve, 20));
		}
		const share = (after, before) => `${((100 * 1000 * (after - before)) / (performance.now() - from)).toFixed(2)} %`;
		console.log(`${name}, ${load}: page's thread ${share(await task(), tasks)}, all renderer threads ${share(await renderers(), process)} of a core (${sent} events)`);
	}
	await page.context().close();
}

try {
	if (!wanted.length || wanted.includes('paint')) {
		await paint('log-in, cold', { signedIn: false }, false);
		await paint('overview, cold', { signedIn: true }, true);
	}
	if (!wanted.length || wanted.includes('cpu')) {
		const sockets = await Promise.all(Array.from({ length: 20 }, () => site.socket(['events'])));
		await cpu('overview', '/dashboard/');
		await cpu('events', '/dashboard/events');
		for (const socket of sockets) socket.terminate();
	}
} finally {
	await desk.close();
}
