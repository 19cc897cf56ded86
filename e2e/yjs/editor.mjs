// One editor of a shared document: a Yjs document and its awareness, and the exchange over binary frames that block-editor
// collaboration uses. Two ways to the relay: a bare socket, and the connector's own browser client.
import { EventEmitter } from 'node:events';
import { readFile } from 'node:fs/promises';
import path from 'node:path';
import vm from 'node:vm';
import { EventSource } from 'eventsource';
import WebSocket from 'ws';
import { Awareness, applyAwarenessUpdate, encodeAwarenessUpdate, removeAwarenessStates } from 'y-protocols/awareness';
import * as Y from 'yjs';

/** The first byte of a payload. */
const ASK = 1; // a state vector: send me what I lack
const MISSING = 2; // the answer
const UPDATE = 3;
const AWARENESS = 4;

/** As often as an editor asks for what may have been lost on the way. */
const RESYNC_MS = 1000;

/** A socket that comes back by itself. Emits `open`, `frame` and `presence`. */
export class BareLink extends EventEmitter {
	constructor(site, channel) {
		super();
		Object.assign(this, { site, channel, drops: 0, ready: false });
		this.connect();
	}

	connect() {
		const token = this.site.token({ exp: Math.floor(Date.now() / 1000) + 3600 });
		this.socket = new WebSocket(`${this.site.relayUrl.replace('http', 'ws')}/ws?token=${token}`);
		this.socket.on('error', () => {});
		this.socket.on('open', () => this.say({ type: 'subscribe', channels: [this.channel] }));
		this.socket.on('message', (bytes, binary) => this.hear(bytes, binary));
		this.socket.on('close', () => {
			this.ready = false;
			if (this.ended) return;
			this.drops += 1;
			this.timer = setTimeout(() => this.connect(), 20);
		});
	}

	say(frame) {
		if (this.socket.readyState === WebSocket.OPEN) this.socket.send(JSON.stringify(frame));
	}

	hear(bytes, binary) {
		if (binary) {
			const length = bytes.readUInt16BE(0);
			if (bytes.subarray(2, 2 + length).toString() === this.channel) this.emit('frame', bytes.subarray(2 + length));
			return;
		}
		const frame = JSON.parse(bytes.toString());
		if (frame.type === 'ping') this.say({ type: 'pong' });
		if (frame.type === 'subscribed') {
			this.ready = true;
			this.emit('open');
		}
		if (frame.event === 'wps.presence') this.emit('presence', frame.data);
	}

	send(payload) {
		const name = Buffer.from(this.channel);
		const length = Buffer.alloc(2);
		length.writeUInt16BE(name.length);
		this.socket.send(Buffer.concat([length, name, payload]));
	}

	present(state) {
		this.say({ type: 'presence', channel: this.channel, state });
	}

	/** As when the network goes: nothing is said. */
	drop() {
		this.socket.terminate();
	}

	/** Stop reading: what arrives piles up at the relay. */
	stall() {
		this.socket._socket?.pause();
	}

	resume() {
		this.socket._socket?.resume();
	}

	end() {
		this.ended = true;
		clearTimeout(this.timer);
		this.socket.terminate();
	}
}

const client = await readFile(path.join(import.meta.dirname, '../../wordpress/hookcast.js'), 'utf8');

class BrowserSocket extends WebSocket {
	constructor(url) {
		super(url);
		this.on('error', () => {});
	}
}

/** hookcast.js as a page loads it, with pauses made shorter. */
export class PageLink extends EventEmitter {
	constructor(site, channel) {
		super();
		Object.assign(this, { channel, drops: 0 });
		const credentials = () => {
			const now = Math.floor(Date.now() / 1000);
			return { token: site.token({ exp: now + 3600 }), iat: now, exp: now + 3600, channels: [channel] };
		};
		const page = {
			document: new EventTarget(), WebSocket: BrowserSocket, EventSource, TextEncoder, TextDecoder, CustomEvent, clearTimeout,
			fetch: async () => ({ ok: true, status: 200, json: async () => credentials() }),
			setTimeout: (action, ms) => setTimeout(action, Math.min(ms, 10_000) / 20),
			setInterval: (action, ms) => setInterval(action, ms).unref(),
			hookcastConfig: { url: site.relayUrl, tokenUrl: 'token', credentials: credentials() },
		};
		page.window = page;
		vm.runInNewContext(client, page, { filename: 'hookcast.js' });
		this.page = page.WPS;
		this.page.onBinaryMessage((name, data) => name === channel && this.emit('frame', Buffer.from(data)));
		this.page.on('wps.presence', (data) => this.emit('presence', data));
		this.page.onConnectionChange((connected) => {
			if (connected) this.emit('open');
			else this.drops += 1;
		});
	}

	get ready() {
		return this.page.connected && this.page.transport === 'ws';
	}

	send(payload) {
		this.page.publishBinary(this.channel, payload);
	}

	present(state) {
		this.page.setPresence(this.channel, state);
	}

	drop() {
		this.page.link?.socket?.terminate?.();
	}

	stall() {
		this.page.link?.socket?._socket?.pause();
	}

	resume() {
		this.page.link?.socket?._socket?.resume();
	}

	end() {
		this.page.halt('unknown-error', 'the test is over');
	}
}

export class Editor {
	constructor(name, link) {
		this.name = name;
		this.link = link;
		this.doc = new Y.Doc();
		this.text = this.doc.getText('content');
		this.blocks = this.doc.getArray('blocks');
		this.meta = this.doc.getMap('meta');
		this.awareness = new Awareness(this.doc);
		this.awareness.setLocalState({ name });
		/** The relay's connection ids of the others, and the client that each is. */
		this.others = new Map();

		this.doc.on('update', (update, origin) => {
			if (origin !== this) this.say(UPDATE, update);
		});
		this.awareness.on('update', ({ added, updated, removed }, origin) => {
			if (origin !== this) this.say(AWARENESS, encodeAwarenessUpdate(this.awareness, [...added, ...updated, ...removed]));
		});
		link.on('open', () => this.opened());
		link.on('frame', (frame) => this.hear(frame[0], new Uint8Array(frame.subarray(1))));
		link.on('presence', (data) => this.presence(data));
		this.resync = setInterval(() => this.ask(), RESYNC_MS);
		if (link.ready) this.opened();
	}

	opened() {
		this.others.clear();
		this.link.present({ client: this.doc.clientID });
		this.ask();
		// What was written while the connection was away.
		this.say(UPDATE, Y.encodeStateAsUpdate(this.doc));
		this.announce();
	}

	/** Anew, with a clock of its own: those who had taken us for gone would not believe what they knew already. */
	announce() {
		this.awareness.setLocalState(this.awareness.getLocalState());
	}

	say(type, bytes) {
		if (this.link.ready) this.link.send(Buffer.concat([Buffer.from([type]), bytes]));
	}

	ask() {
		this.say(ASK, Y.encodeStateVector(this.doc));
	}

	/** The relay echoes: an editor hears itself too, which changes nothing. */
	hear(type, bytes) {
		if (type === ASK) {
			const missing = Y.encodeStateAsUpdate(this.doc, bytes);
			// Two bytes say "nothing is missing".
			if (missing.length > 2) this.say(MISSING, missing);
		} else if (type === MISSING || type === UPDATE) {
			Y.applyUpdate(this.doc, bytes, this);
		} else if (type === AWARENESS) {
			applyAwarenessUpdate(this.awareness, bytes, this);
		}
	}

	/** Who is there is known by connections: a socket that dies takes its editor along at once. */
	presence({ action, id, state, members }) {
		if (action === 'leave') {
			const gone = this.others.get(id);
			this.others.delete(id);
			if (gone !== undefined && gone !== this.doc.clientID && ![...this.others.values()].includes(gone)) {
				removeAwarenessStates(this.awareness, [gone], this);
			}
			return;
		}
		const joined = action === 'join' && !this.others.has(id);
		for (const member of members ?? [{ id, state }]) this.others.set(member.id, member.state.client);
		// Who comes has not heard what the others said of themselves before.
		if (joined) this.announce();
	}

	/** Something that a writer does, by chance. */
	edit(random) {
		const choose = (n) => Math.floor(random() * n);
		const length = this.text.length;
		switch (choose(6)) {
			case 0:
				if (length > 0) this.text.delete(choose(length), Math.min(1 + choose(5), length));
				break;
			case 1:
				this.meta.set(`key${choose(8)}`, `${this.name}-${choose(1000)}`);
				break;
			case 2:
				this.blocks.insert(choose(this.blocks.length + 1), [new Y.Map([['by', this.name], ['n', choose(1000)]])]);
				break;
			case 3:
				if (this.blocks.length > 0) this.blocks.get(choose(this.blocks.length)).set('n', choose(1000));
				break;
			case 4:
				if (this.blocks.length > 4) this.blocks.delete(choose(this.blocks.length), 1);
				break;
			default:
				this.text.insert(choose(length + 1), `${this.name}${choose(100)} `);
		}
	}

	/** All of the document: equal for two editors exactly when they have the same. */
	get content() {
		const clients = [...Y.decodeStateVector(Y.encodeStateVector(this.doc))].sort(([a], [b]) => a - b);
		return JSON.stringify([this.text.toString(), this.blocks.toJSON(), Object.entries(this.meta.toJSON()).sort(), clients]);
	}

	get seen() {
		return [...this.awareness.getStates().values()].map(({ name }) => name).sort();
	}

	end() {
		clearInterval(this.resync);
		this.awareness.destroy();
		this.link.end();
	}
}

/** mulberry32: the same numbers for the same seed. */
export function seeded(seed) {
	let state = seed >>> 0;
	return () => {
		state = (state + 0x6d2b79f5) >>> 0;
		let mixed = Math.imul(state ^ (state >>> 15), state | 1);
		mixed ^= mixed + Math.imul(mixed ^ (mixed >>> 7), mixed | 61);
		return ((mixed ^ (mixed >>> 14)) >>> 0) / 2 ** 32;
	};
}
