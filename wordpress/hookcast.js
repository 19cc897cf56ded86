/*!
 * hookcast's browser client. No dependencies.
 *
 * Opens one connection to the relay for the whole page: a WebSocket, or Server-Sent Events where sockets don't get through.
 * It keeps its token fresh without reconnecting, comes back by itself after an interruption, asks for what it missed, and
 * decrypts. What arrives is told as `wpsignal:<event>` events of the document and through `window.WPS`.
 *
 * License: GPL-2.0-or-later
 */
( function ( root ) {
	'use strict';

	/** The relay pings every 20 s: two missed ones and some slack mean that the socket is dead without knowing it. */
	const SILENCE_MS = 45000;
	const SILENCE_CHECK_MS = 10000;
	/** A pause grows from here by doubling, and half of it is random so that a thousand pages don't come back at once. */
	const RETRY_MS = 1000;
	const RETRY_MS_MAX = 60000;
	/** A site that is not registered, or that is full, will not be a second later. */
	const RETRY_MS_REFUSED = 300000;
	/** A socket that neither opens nor fails in this time is held up by something in between. */
	const OPEN_MS = 10000;
	/** Where sockets have worked, a few that fail mean that the relay is away, not that something blocks them. */
	const SOCKET_TRIES = 3;
	/** While on the fallback, sockets are tried again after this long. */
	const UPGRADE_MS = 300000;
	/** A new token is fetched when this much of the old one's life is over. */
	const REFRESH_AT = 0.8;

	const CLOSE_INVALID_TOKEN = 4001;
	const CLOSE_UNKNOWN_SITE = 4003;
	const CLOSE_FULL = 4029;

	class TokenRefused extends Error {}

	/** Handlers of one kind; one that throws does not keep the others from hearing. */
	class Handlers {
		constructor() {
			this.all = new Set();
		}

		add( handler ) {
			this.all.add( handler );
			return () => this.all.delete( handler );
		}

		call( ...args ) {
			for ( const handler of [ ...this.all ] ) {
				try {
					handler( ...args );
				} catch ( error ) {
					setTimeout( () => {
						throw error;
					} );
				}
			}
		}
	}

	function parse( text ) {
		try {
			const value = JSON.parse( text );
			return value !== null && typeof value === 'object' ? value : null;
		} catch ( error ) {
			return null;
		}
	}

	function bytesOf( base64 ) {
		return Uint8Array.from( atob( base64 ), ( c ) => c.charCodeAt( 0 ) );
	}

	/** A WebSocket connection: both ways, text and binary. */
	class Socket {
		constructor( url, token, on ) {
			this.name = 'ws';
			this.on = on;
			this.heardAt = Date.now();
			this.socket = new WebSocket( url.replace( /^http/, 'ws' ) + '/ws?ids=1&token=' + encodeURIComponent( token ) );
			this.socket.binaryType = 'arraybuffer';
			// A subscription is always answered, even an empty one: the answer tells that the relay took us in.
			this.socket.onopen = () => {
				this.opened = true;
				on.open( this );
			};
			this.socket.onmessage = ( event ) => {
				this.heardAt = Date.now();
				if ( typeof event.data === 'string' ) {
					this.hear( parse( event.data ) );
				} else {
					this.hearBinary( event.data );
				}
			};
			this.socket.onclose = ( event ) => this.end( event.code, event.reason );
			this.opening = setTimeout( () => this.end( 0, 'The socket did not open' ), OPEN_MS );
		}

		hear( frame ) {
			if ( ! frame ) {
				return;
			}
			if ( frame.type === 'ping' ) {
				this.send( { type: 'pong' } );
			}
			this.taken();
			this.on.frame( frame );
		}

		/** The first sign of life ends the time for opening. */
		taken() {
			if ( this.opening !== null ) {
				clearTimeout( this.opening );
				this.opening = null;
				this.on.taken( this );
			}
		}

		hearBinary( buffer ) {
			this.taken();
			const length = buffer.byteLength >= 2 ? new DataView( buffer ).getUint16( 0 ) : Infinity;
			if ( buffer.byteLength < 2 + length ) {
				return;
			}
			const channel = new TextDecoder().decode( new Uint8Array( buffer, 2, length ) );
			this.on.binary( channel, new Uint8Array( buffer, 2 + length ) );
		}

		send( frame ) {
			if ( this.socket.readyState !== 1 ) {
				return false;
			}
			this.socket.send( JSON.stringify( frame ) );
			return true;
		}

		sendBinary( channel, data ) {
			if ( this.socket.readyState !== 1 ) {
				return false;
			}
			const name = new TextEncoder().encode( channel );
			const frame = new Uint8Array( 2 + name.length + data.length );
			new DataView( frame.buffer ).setUint16( 0, name.length );
			frame.set( name, 2 );
			frame.set( data, 2 + name.length );
			this.socket.send( frame );
			return true;
		}

		silent() {
			return Date.now() - this.heardAt > SILENCE_MS;
		}

		/** Tell the end once, whatever ended it. */
		end( code, reason ) {
			const on = this.on;
			this.close();
			if ( on ) {
				on.ended( this, code, reason );
			}
		}

		close() {
			clearTimeout( this.opening );
			this.on = null;
			this.socket.onopen = this.socket.onmessage = this.socket.onclose = null;
			this.socket.close();
		}
	}

	/** A stream: receive only. Its channels are in its address, so it is opened anew when they change. */
	class Stream {
		constructor( url, token, channels, cursor, on ) {
			this.name = 'sse';
			this.on = on;
			let address = url + '/sse?token=' + encodeURIComponent( token ) + '&channels=' + channels.map( encodeURIComponent ).join( ',' );
			if ( cursor ) {
				// A new EventSource sends no Last-Event-ID of its own.
				address += '&last_event_id=' + encodeURIComponent( cursor );
			}
			this.source = new EventSource( address );
			this.source.onopen = () => on.taken( this );
			this.source.onmessage = ( event ) => {
				if ( event.lastEventId ) {
					on.cursor( event.lastEventId );
				}
				const frame = parse( event.data );
				if ( frame ) {
					on.frame( Object.assign( { type: 'message' }, frame ) );
				}
			};
			// Reconnecting is ours: the browser's own would come back with a token that may be over.
			this.source.onerror = () => {
				this.close();
				on.ended( this, 0, 'The event stream ended' );
			};
		}

		send() {
			return false;
		}

		sendBinary() {
			return false;
		}

		silent() {
			return false;
		}

		close() {
			this.source.onopen = this.source.onmessage = this.source.onerror = null;
			this.source.close();
		}
	}

	class Client {
		constructor( config ) {
			this.config = config;
			this.url = config.url.replace( /\/+$/, '' );
			this.wanted = new Set();
			this.presence = new Map();
			this.messageHandlers = new Handlers();
			this.binaryHandlers = new Handlers();
			this.stateHandlers = new Handlers();
			this.connectionHandlers = new Handlers();
			this.eventHandlers = new Map();

			this.credentials = null;
			/** The channel's bare name → the id of the last message seen on it, to ask for what comes after. */
			this.lastIds = new Map();
			this.cursor = null;
			this.link = null;
			this.isConnected = false;
			this.failures = 0;
			this.tokenRefusals = 0;
			this.error = null;
			this.retryInMs = null;
			this.halted = false;
			this.retryTimer = null;
			this.refreshTimer = null;
			this.upgradeTimer = null;
			this.socketsBlocked = false;
			this.socketsWorked = false;
			this.socketFailures = 0;
			this.keyText = null;
			this.keyPromise = null;
			/** Messages wait here for one that is being decrypted: order is kept. */
			this.decrypting = null;
		}

		// The public surface.

		get connected() {
			return this.isConnected;
		}

		get transport() {
			return this.link ? this.link.name : null;
		}

		get state() {
			const state = { connected: this.isConnected, transport: this.transport, failures: this.failures };
			if ( this.error ) {
				state.error = this.error;
			}
			if ( this.retryInMs !== null ) {
				state.retryInMs = this.retryInMs;
			}
			return state;
		}

		get status() {
			const both = this.isConnected && this.transport === 'ws';
			return {
				name: this.transport,
				connected: this.isConnected,
				readyState: this.link && this.link.socket ? this.link.socket.readyState : null,
				canPublish: both,
				canPublishBinary: both,
				lastMessageAt: this.link && this.link.heardAt ? this.link.heardAt : null,
				lastError: this.error,
				failures: this.failures,
			};
		}

		subscribe( channels ) {
			const added = [].concat( channels ).filter( ( channel ) => ! this.wanted.has( channel ) );
			added.forEach( ( channel ) => this.wanted.add( channel ) );
			if ( added.length ) {
				this.sendChannels( 'subscribe', added );
			}
		}

		unsubscribe( channels ) {
			const removed = [].concat( channels ).filter( ( channel ) => this.wanted.delete( channel ) );
			removed.forEach( ( channel ) => this.lastIds.delete( this.bare( channel ) ) );
			if ( removed.length ) {
				this.sendChannels( 'unsubscribe', removed );
			}
		}

		/** False where it could not be sent: not connected, or on the receive-only fallback. */
		publish( channel, event, data = {} ) {
			return this.isConnected && this.link.send( { type: 'message', channel, event, data } );
		}

		publishBinary( channel, data ) {
			return this.isConnected && this.link.sendBinary( channel, data );
		}

		/** Be present on a channel with a state, or leave it with `null`; said again after every reconnect. */
		setPresence( channel, state ) {
			if ( state === null || state === undefined ) {
				this.presence.delete( channel );
			} else {
				this.presence.set( channel, state );
			}
			return this.isConnected && this.link.send( { type: 'presence', channel, state: state || null } );
		}

		on( event, handler ) {
			if ( ! this.eventHandlers.has( event ) ) {
				this.eventHandlers.set( event, new Handlers() );
			}
			return this.eventHandlers.get( event ).add( handler );
		}

		onMessage( handler ) {
			return this.messageHandlers.add( handler );
		}

		onBinaryMessage( handler ) {
			return this.binaryHandlers.add( handler );
		}

		onStateChange( handler ) {
			return this.stateHandlers.add( handler );
		}

		onConnectionChange( handler ) {
			return this.connectionHandlers.add( handler );
		}

		// Tokens.

		async start() {
			if ( this.config.credentials ) {
				this.take( this.config.credentials );
				this.config.credentials = null;
				this.connect();
			} else {
				await this.renew();
			}
		}

		/** Fetch a token and connect with it. */
		async renew() {
			try {
				this.take( await this.fetchCredentials() );
				this.connect();
			} catch ( error ) {
				this.tokenFailed( error );
			}
		}

		async fetchCredentials( again = false ) {
			const headers = this.config.nonce ? { 'X-WP-Nonce': this.config.nonce } : {};
			const response = await fetch( this.config.tokenUrl, { method: 'POST', credentials: 'same-origin', headers } );
			if ( response.status === 403 && ! again && this.config.nonce && this.config.nonceUrl ) {
				// The nonce of a page that slept for a day is over; the log-in behind it may not be.
				const nonce = await fetch( this.config.nonceUrl, { credentials: 'same-origin' } );
				if ( nonce.ok ) {
					this.config.nonce = ( await nonce.text() ).trim();
					return this.fetchCredentials( true );
				}
			}
			if ( response.status === 401 || response.status === 403 ) {
				throw new TokenRefused( 'WordPress gives this user no token' );
			}
			if ( ! response.ok ) {
				throw new Error( 'WordPress answered the request for a token with ' + response.status );
			}
			return response.json();
		}

		take( credentials ) {
			this.credentials = credentials;
			if ( credentials.nonce ) {
				this.config.nonce = credentials.nonce;
			}
			( credentials.channels || [] ).forEach( ( channel ) => this.wanted.add( channel ) );
			const qualified = ( credentials.channels || [] ).map( ( channel ) => /^site:[0-9a-f]{64}:/.exec( channel ) ).find( Boolean );
			this.prefix = qualified ? qualified[ 0 ] : this.prefix;
			clearTimeout( this.refreshTimer );
			// From its length, not from this device's clock, which may be wrong.
			const life = Math.max( credentials.exp - credentials.iat, 20 ) * 1000;
			this.refreshTimer = setTimeout( () => this.refresh(), life * REFRESH_AT );
		}

		/** A new token for the connection that is open. */
		async refresh() {
			try {
				this.take( await this.fetchCredentials() );
			} catch ( error ) {
				if ( error instanceof TokenRefused ) {
					this.halt( 'authentication-failed', error.message );
				} else {
					// The connection lives on its old token for a while; it says so when it is over.
					this.refreshTimer = setTimeout( () => this.refresh(), this.pause() );
				}
				return;
			}
			if ( this.link && this.link.name === 'ws' && this.isConnected ) {
				this.link.send( { type: 'auth', token: this.credentials.token } );
			} else if ( this.link && this.link.name === 'sse' ) {
				this.openStream();
			}
		}

		tokenFailed( error ) {
			if ( error instanceof TokenRefused ) {
				this.halt( 'authentication-failed', error.message );
			} else {
				this.retry( 'unknown-error', error.message, () => this.renew() );
			}
		}

		// The connection.

		connect() {
			this.clearTimers();
			if ( ! this.config.forceSse && ! this.socketsBlocked && typeof WebSocket !== 'undefined' ) {
				this.openSocket();
			} else {
				this.openStream();
			}
		}

		openSocket() {
			this.drop();
			this.link = new Socket( this.url, this.credentials.token, {
				open: ( link ) => link.send( this.subscription( [ ...this.wanted ] ) ),
				taken: () => {
					this.socketsWorked = true;
					this.socketFailures = 0;
					if ( this.cursor ) {
						// A stream's place means nothing to a socket: what came in between may be lost.
						this.cursor = null;
						this.tellGap( this.wanted );
					}
					this.presence.forEach( ( state, channel ) => this.link.send( { type: 'presence', channel, state } ) );
					this.setConnected( true );
				},
				frame: ( frame ) => this.hear( frame ),
				binary: ( channel, data ) => this.binaryHandlers.call( channel, data ),
				ended: ( link, code, reason ) => this.socketEnded( link, code, reason ),
			} );
		}

		socketEnded( link, code, reason ) {
			this.drop();
			if ( code === CLOSE_INVALID_TOKEN ) {
				this.tokenWasRefused( reason );
			} else if ( code === CLOSE_UNKNOWN_SITE ) {
				this.retry( 'authentication-failed', reason || 'The site is not registered', () => this.renew(), RETRY_MS_REFUSED );
			} else if ( code === CLOSE_FULL ) {
				this.retry( 'connection-limit-exceeded', reason || 'The site has no connections left', () => this.renew() );
			} else if ( link.opened ) {
				this.retry( 'unknown-error', reason || 'The connection ended (' + code + ')', () => this.renew() );
			} else if ( typeof EventSource !== 'undefined' && ! this.mayBeAway() ) {
				// Never open: a proxy may let no sockets through.
				this.socketsBlocked = true;
				this.openStream();
			} else {
				this.retry( 'unknown-error', reason || 'The socket could not be opened', () => this.renew() );
			}
		}

		mayBeAway() {
			this.socketFailures += 1;
			return this.socketsWorked && this.socketFailures <= SOCKET_TRIES;
		}

		/** The token may just be old: a new one is fetched once. A new one that is refused too will not get better quickly. */
		tokenWasRefused( reason ) {
			this.tokenRefusals += 1;
			if ( this.tokenRefusals > 1 ) {
				this.retry( 'authentication-failed', reason || 'The relay refuses the token', () => this.renew(), RETRY_MS_REFUSED );
			} else {
				this.renew();
			}
		}

		openStream() {
			this.drop( true );
			const link = new Stream( this.url, this.credentials.token, [ ...this.wanted ], this.cursor, {
				taken: () => {
					if ( this.lastIds.size ) {
						// A socket's ids mean nothing to a stream.
						const channels = [ ...this.wanted ].filter( ( channel ) => this.lastIds.has( this.bare( channel ) ) );
						this.lastIds.clear();
						this.tellGap( channels );
					}
					this.setConnected( true );
					this.planUpgrade();
				},
				cursor: ( id ) => {
					this.cursor = id;
				},
				frame: ( frame ) => this.hear( frame ),
				ended: () => {
					this.drop();
					// The relay may have been restarting: sockets get their chance again with the next try.
					this.socketsBlocked = false;
					this.retry( 'unknown-error', 'The event stream ended', () => this.renew() );
				},
			} );
			this.link = link;
		}

		/** What held sockets up may be gone: look once in a while. */
		planUpgrade() {
			clearTimeout( this.upgradeTimer );
			if ( this.config.forceSse ) {
				return;
			}
			this.upgradeTimer = setTimeout( () => {
				this.socketsBlocked = false;
				this.renew();
			}, UPGRADE_MS );
		}

		/** Let go of the connection. `quietly`: another one takes its place at once. */
		drop( quietly = false ) {
			if ( this.link ) {
				this.link.close();
				this.link = null;
			}
			if ( ! quietly ) {
				this.setConnected( false );
			}
		}

		clearTimers() {
			clearTimeout( this.retryTimer );
			clearTimeout( this.upgradeTimer );
			this.retryTimer = null;
			this.retryInMs = null;
		}

		pause() {
			const most = Math.min( RETRY_MS * 2 ** Math.min( this.failures, 10 ), RETRY_MS_MAX );
			return most / 2 + ( Math.random() * most ) / 2;
		}

		retry( code, message, action, atLeast = 0 ) {
			if ( this.halted ) {
				return;
			}
			this.clearTimers();
			this.error = { code, message };
			this.retryInMs = Math.max( this.pause(), atLeast );
			this.failures += 1;
			this.retryTimer = setTimeout( () => {
				this.retryTimer = null;
				this.retryInMs = null;
				action();
			}, this.retryInMs );
			this.stateHandlers.call( this.state );
		}

		/** Nothing but a new page helps. */
		halt( code, message ) {
			this.clearTimers();
			clearTimeout( this.refreshTimer );
			this.halted = true;
			this.error = { code, message };
			this.drop();
			this.stateHandlers.call( this.state );
		}

		setConnected( connected ) {
			if ( connected === this.isConnected ) {
				return;
			}
			this.isConnected = connected;
			if ( connected ) {
				this.failures = 0;
				this.tokenRefusals = 0;
				this.error = null;
			}
			this.connectionHandlers.call( connected );
			this.stateHandlers.call( this.state );
		}

		/** The network or the reader is back: don't wait for the pause to be over. */
		wake() {
			if ( this.halted || ! this.credentials ) {
				return;
			}
			if ( this.link && this.link.silent() ) {
				this.drop();
				this.renew();
			} else if ( this.retryTimer !== null ) {
				this.clearTimers();
				this.renew();
			}
		}

		watch() {
			setInterval( () => {
				if ( this.link && this.isConnected && this.link.silent() ) {
					this.wake();
				}
			}, SILENCE_CHECK_MS );
			if ( typeof document !== 'undefined' && document.addEventListener ) {
				document.addEventListener( 'visibilitychange', () => document.visibilityState === 'visible' && this.wake() );
			}
			if ( root.addEventListener ) {
				root.addEventListener( 'online', () => this.wake() );
				root.addEventListener( 'pagehide', () => this.drop() );
				root.addEventListener( 'pageshow', ( event ) => event.persisted && ! this.halted && this.renew() );
			}
		}

		// Channels and messages.

		bare( channel ) {
			return this.prefix && channel.startsWith( this.prefix ) ? channel.slice( this.prefix.length ) : channel;
		}

		subscription( channels ) {
			const since = {};
			for ( const channel of channels ) {
				const id = this.lastIds.get( this.bare( channel ) );
				if ( id ) {
					since[ channel ] = id;
				}
			}
			return Object.keys( since ).length ? { type: 'subscribe', channels, since } : { type: 'subscribe', channels };
		}

		sendChannels( type, channels ) {
			if ( ! this.link ) {
				return;
			}
			if ( this.link.name === 'sse' ) {
				this.openStream();
			} else if ( this.isConnected ) {
				this.link.send( type === 'subscribe' ? this.subscription( channels ) : { type, channels } );
			}
		}

		hear( frame ) {
			switch ( frame.type ) {
				case 'message':
					if ( frame.id ) {
						this.lastIds.set( this.bare( frame.channel ), frame.id );
					}
					this.arrived( frame );
					break;
				case 'gap':
					this.tellGap( [ frame.channel ] );
					break;
				case 'error':
					if ( frame.code === 'unauthorized' ) {
						this.drop();
						this.tokenWasRefused( frame.message );
					} else {
						this.tell( 'hookcast:error', { code: frame.code, message: frame.message, channel: frame.channel } );
					}
					break;
			}
		}

		tellGap( channels ) {
			channels.forEach( ( channel ) => this.arrived( { event: 'wps.gap', channel, data: {} } ) );
		}

		/** Decrypting takes a moment: whatever comes after waits for it. */
		arrived( message ) {
			const encrypted = message.event === 'encrypted' && message.data && message.data.v === 1 && typeof message.data.p === 'string';
			if ( ! encrypted && ! this.decrypting ) {
				this.deliver( message );
				return;
			}
			const before = this.decrypting || Promise.resolve();
			const mine = before
				.then( () => ( encrypted ? this.decrypt( message ) : message ) )
				.then(
					( plain ) => this.deliver( plain ),
					() => this.tell( 'hookcast:error', { code: 'undecryptable', message: 'A message could not be decrypted', channel: message.channel } )
				)
				.then( () => {
					if ( this.decrypting === mine ) {
						this.decrypting = null;
					}
				} );
			this.decrypting = mine;
		}

		async decrypt( message ) {
			const text = this.credentials.key;
			if ( text !== this.keyText ) {
				this.keyText = text;
				this.keyPromise = crypto.subtle.importKey( 'raw', bytesOf( text ), { name: 'AES-GCM' }, false, [ 'decrypt' ] );
			}
			const bytes = bytesOf( message.data.p );
			const plain = await crypto.subtle.decrypt( { name: 'AES-GCM', iv: bytes.subarray( 0, 12 ) }, await this.keyPromise, bytes.subarray( 12 ) );
			const inner = JSON.parse( new TextDecoder().decode( plain ) );
			return { event: inner.event, channel: message.channel, data: inner.data };
		}

		deliver( message ) {
			const data = message.data === undefined ? null : message.data;
			this.tell( 'wpsignal:' + message.event, { channel: message.channel, data } );
			this.messageHandlers.call( message.event, data, message.channel );
			const handlers = this.eventHandlers.get( message.event );
			if ( handlers ) {
				handlers.call( data, message.channel );
			}
		}

		tell( name, detail ) {
			document.dispatchEvent( new CustomEvent( name, { detail } ) );
		}
	}

	if ( root.hookcastConfig && root.hookcastConfig.url && ! root.WPS ) {
		const client = new Client( root.hookcastConfig );
		root.WPS = client;
		client.watch();
		client.start();
	}
} )( typeof window !== 'undefined' ? window : globalThis );
