// What every suite starts with: tests that end whatever hangs, and a browser that talks to this machine alone.
import { after as runnerAfter, before as runnerBefore, test as runnerTest } from 'node:test';
import { chromium } from 'playwright-core';

/** A test that is not done by then has hung: it fails by name, and the next one runs. Every wait inside of one is shorter. */
const LIMIT = { timeout: 180_000 };

export const test = (name, body) => runnerTest(name, LIMIT, body);
export const before = (body) => runnerBefore(body, LIMIT);
export const after = (body) => runnerAfter(body, LIMIT);

const FLAGS = [
	'--no-sandbox',
	'--disable-gpu',
	'--disable-quic',
	'--no-first-run',
	'--disable-background-networking',
	'--disable-component-update',
	'--disable-sync',
	// Pictures and scripts of other hosts fail at once instead of when a name server gives up.
	'--host-resolver-rules=MAP * ~NOTFOUND, EXCLUDE 127.*, EXCLUDE localhost',
];

/** Debian's Chromium, headless, with an empty profile. */
export const launch = () => chromium.launch({ executablePath: process.env.CHROMIUM ?? '/usr/bin/chromium', args: FLAGS });
