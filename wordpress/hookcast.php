<?php
/**
 * Plugin Name:       hookcast
 * Description:       Sends what happens in WordPress to open browsers at once, through a hookcast relay of your own.
 * Version:           0.1.0
 * Requires at least: 5.9
 * Requires PHP:      7.4
 * License:           GPL-2.0-or-later
 * License URI:       https://www.gnu.org/licenses/gpl-2.0.html
 * Text Domain:       hookcast
 * Domain Path:       /languages
 *
 * One file, usable as a plugin (wp-content/plugins/) or as a must-use plugin (wp-content/mu-plugins/).
 *
 * With the WordSocket plugin active it points WordSocket at the relay and registers the relay's triggers there. Without it, it
 * encrypts, signs and publishes by itself, gives permitted browsers a short-lived token and loads a small client.
 *
 * What it promises: a page never waits for the relay to build its own output, a relay that is down costs a page at most one
 * short attempt and then nothing until the next one is due, and no secret leaves PHP.
 *
 * This program is free software; you can redistribute it and/or modify it under the terms of the GNU General Public License
 * as published by the Free Software Foundation; either version 2 of the License, or (at your option) any later version.
 *
 * @package hookcast
 */

if ( ! defined( 'ABSPATH' ) ) {
	exit;
}

// Present as a plugin and as a must-use plugin at once: the first one loaded serves.
if ( ! defined( 'HOOKCAST_VERSION' ) ) :

define( 'HOOKCAST_VERSION', '0.1.0' );

/**
 * Which relay, with which credentials, and what the site allows.
 *
 * Looked up per blog, in this order: HOOKCAST_SITES (multisite, by blog id), the HOOKCAST_* constants, WordSocket's
 * constants, what the relay filled in below, WordSocket's own options.
 */
final class Hookcast_Settings {

	/**
	 * The relay fills these in when it hands this file out for one site.
	 */
	const FILLED_IN = array(
		'url'            => '',
		'site_key'       => '',
		'publish_secret' => '',
		'jwt_secret'     => '',
	);

	const OPTION = 'hookcast_options';

	/**
	 * Per blog id.
	 *
	 * @var array<int,array<string,string>>
	 */
	private static $cache = array();

	/**
	 * The connection's values; empty strings where nothing is set.
	 *
	 * @return array{url:string,site_key:string,publish_secret:string,jwt_secret:string,source:string}
	 */
	public static function connection() {
		$blog = get_current_blog_id();
		if ( ! isset( self::$cache[ $blog ] ) ) {
			self::$cache[ $blog ] = self::look_up( $blog );
		}
		return self::$cache[ $blog ];
	}

	/**
	 * Whether everything that publishing needs is there.
	 *
	 * @return bool
	 */
	public static function complete() {
		$connection = self::connection();
		return '' !== $connection['url'] && '' !== $connection['site_key'] && '' !== $connection['publish_secret'];
	}

	/**
	 * The relay's address of a path.
	 *
	 * @param string $path Without a leading slash.
	 * @return string
	 */
	public static function url( $path ) {
		return self::connection()['url'] . '/' . $path;
	}

	/**
	 * The site's id in tokens and channel names.
	 *
	 * @return string
	 */
	public static function site_id() {
		return hash( 'sha256', 'site:' . self::connection()['site_key'] );
	}

	/**
	 * Whether visitors who are not logged in may connect.
	 *
	 * @return bool
	 */
	public static function visitors_allowed() {
		if ( defined( 'HOOKCAST_VISITORS' ) ) {
			return (bool) HOOKCAST_VISITORS;
		}
		$options = get_option( self::OPTION );
		return is_array( $options ) && ! empty( $options['visitors'] );
	}

	/**
	 * WordSocket is active: it publishes, mints tokens and loads its client.
	 *
	 * @return bool
	 */
	public static function wordsocket() {
		return class_exists( 'WPSignal\\WPS', false );
	}

	/**
	 * Find the values of one blog.
	 *
	 * @param int $blog Blog id.
	 * @return array{url:string,site_key:string,publish_secret:string,jwt_secret:string,source:string}
	 */
	private static function look_up( $blog ) {
		$sources = array();
		if ( defined( 'HOOKCAST_SITES' ) && is_array( HOOKCAST_SITES ) && isset( HOOKCAST_SITES[ $blog ] ) ) {
			$sources['HOOKCAST_SITES'] = (array) HOOKCAST_SITES[ $blog ];
		}
		$sources['HOOKCAST_*'] = array(
			'url'            => defined( 'HOOKCAST_URL' ) ? HOOKCAST_URL : '',
			'site_key'       => defined( 'HOOKCAST_SITE_KEY' ) ? HOOKCAST_SITE_KEY : '',
			'publish_secret' => defined( 'HOOKCAST_PUBLISH_SECRET' ) ? HOOKCAST_PUBLISH_SECRET : '',
			'jwt_secret'     => defined( 'HOOKCAST_JWT_SECRET' ) ? HOOKCAST_JWT_SECRET : '',
		);
		$sources['WPSIGNAL_*'] = array(
			'url'            => defined( 'WPSignal\\BASE_URL' ) ? constant( 'WPSignal\\BASE_URL' ) : '',
			'site_key'       => defined( 'WPSIGNAL_SITE_KEY' ) ? WPSIGNAL_SITE_KEY : '',
			'publish_secret' => defined( 'WPSIGNAL_SITE_SECRET' ) ? WPSIGNAL_SITE_SECRET : '',
			'jwt_secret'     => defined( 'WPSIGNAL_JWT_SECRET' ) ? WPSIGNAL_JWT_SECRET : '',
		);
		$sources['this file']  = self::FILLED_IN;
		$sources['WordSocket'] = array(
			'site_key'       => get_option( 'wpsignal_site_key', '' ),
			'publish_secret' => get_option( 'wpsignal_site_secret', '' ),
			'jwt_secret'     => get_option( 'wpsignal_jwt_secret', '' ),
		);

		$connection = array(
			'url'            => '',
			'site_key'       => '',
			'publish_secret' => '',
			'jwt_secret'     => '',
			'source'         => '',
		);
		foreach ( $sources as $name => $values ) {
			if ( '' === $connection['url'] && ! empty( $values['url'] ) ) {
				$connection['url'] = untrailingslashit( esc_url_raw( (string) $values['url'], array( 'http', 'https' ) ) );
			}
			// The key and its secrets belong together: never half of them from one place and half from another.
			if ( '' === $connection['site_key'] && ! empty( $values['site_key'] ) && ! empty( $values['publish_secret'] ) ) {
				$connection['site_key']       = (string) $values['site_key'];
				$connection['publish_secret'] = (string) $values['publish_secret'];
				$connection['jwt_secret']     = isset( $values['jwt_secret'] ) ? (string) $values['jwt_secret'] : '';
				$connection['source']         = $name;
			}
		}
		return $connection;
	}
}

/**
 * What the screen and the notice tell, and whether the relay is worth a try: one small option.
 */
final class Hookcast_State {

	const OPTION = 'hookcast_state';

	/**
	 * The first pause after a failure, doubled by every further one up to the longest.
	 */
	const PAUSE_SECONDS     = 2;
	const PAUSE_SECONDS_MAX = 300;

	/**
	 * While all is well the time of the last publish is written at most this often.
	 */
	const WRITE_SECONDS = 60;

	/**
	 * The state as it is.
	 *
	 * @return array{published_at:int,failures:int,paused_until:int,not_sent:int,error:array|null,checked_at:int}
	 */
	public static function get() {
		$state = get_option( self::OPTION );
		return array_merge(
			array(
				'published_at' => 0,
				'failures'     => 0,
				'paused_until' => 0,
				'not_sent'     => 0,
				'error'        => null,
				'checked_at'   => 0,
			),
			is_array( $state ) ? $state : array()
		);
	}

	/**
	 * Change some of it.
	 *
	 * @param array $changes New values.
	 */
	public static function change( array $changes ) {
		update_option( self::OPTION, array_merge( self::get(), $changes ), true );
	}

	/**
	 * Whether a request to the relay may be made now. After a failure one request at a time finds out whether it is back.
	 *
	 * @return bool
	 */
	public static function may_try() {
		$state = self::get();
		if ( $state['paused_until'] > time() ) {
			return false;
		}
		if ( $state['failures'] > 0 ) {
			self::change( array( 'paused_until' => time() + self::PAUSE_SECONDS ) );
		}
		return true;
	}

	/**
	 * The relay took what it was sent.
	 */
	public static function published() {
		$state = self::get();
		if ( null !== $state['error'] || $state['failures'] > 0 || $state['published_at'] < time() - self::WRITE_SECONDS ) {
			self::change(
				array(
					'published_at' => time(),
					'failures'     => 0,
					'paused_until' => 0,
					'not_sent'     => 0,
					'error'        => null,
				)
			);
		}
	}

	/**
	 * The relay could not be reached or refused.
	 *
	 * @param string   $code     Stable code.
	 * @param string   $message  A sentence.
	 * @param int|null $pause    Seconds until the next try, null for a growing pause, 0 for none.
	 * @param int      $not_sent Events lost by this.
	 */
	public static function failed( $code, $message, $pause, $not_sent ) {
		$state    = self::get();
		// No pause: the relay is well, it only refused something.
		$failures = 0 === $pause ? $state['failures'] : min( $state['failures'] + 1, 20 );
		if ( null === $pause ) {
			$pause = min( self::PAUSE_SECONDS * ( 2 ** ( $failures - 1 ) ), self::PAUSE_SECONDS_MAX );
		}
		$since = is_array( $state['error'] ) && $state['error']['code'] === $code ? $state['error']['since'] : time();
		self::change(
			array(
				'failures'     => $failures,
				'paused_until' => time() + $pause,
				'not_sent'     => $state['not_sent'] + $not_sent,
				'error'        => array(
					'code'    => substr( $code, 0, 64 ),
					'message' => substr( $message, 0, 300 ),
					'at'      => time(),
					'since'   => $since,
				),
			)
		);
	}

	/**
	 * Events that were not sent because the relay is not being tried.
	 *
	 * @param int $count How many.
	 */
	public static function not_sent( $count ) {
		$state = self::get();
		// A busy site would otherwise write the option with every request of an outage.
		if ( $state['not_sent'] < 10 || 0 === wp_rand( 0, 9 ) ) {
			self::change( array( 'not_sent' => $state['not_sent'] + ( $state['not_sent'] < 10 ? $count : 10 * $count ) ) );
		}
	}

	/**
	 * Try again at the next event.
	 */
	public static function reset() {
		self::change(
			array(
				'failures'     => 0,
				'paused_until' => 0,
				'not_sent'     => 0,
				'error'        => null,
				'checked_at'   => 0,
			)
		);
	}
}

/**
 * What is between PHP and the relay: signatures, ciphertext, tokens.
 */
final class Hookcast_Crypto {

	const TOKEN_SECONDS = 300;

	/**
	 * The last time stamp used: two requests of one process never carry the same signature.
	 *
	 * @var int
	 */
	private static $last_ts = 0;

	/**
	 * Headers that prove a request to be this site's.
	 *
	 * @param string $body The raw body.
	 * @return array<string,string>
	 */
	public static function signed_headers( $body ) {
		$connection    = Hookcast_Settings::connection();
		self::$last_ts = max( (int) round( microtime( true ) * 1000 ), self::$last_ts + 1 );
		return array(
			'Content-Type'     => 'application/json',
			'X-WP-Signal-Key'  => $connection['site_key'],
			'X-WP-Signal-Ts'   => (string) self::$last_ts,
			'X-WP-Signal-Sign' => hash_hmac( 'sha256', $body . '.' . self::$last_ts, $connection['publish_secret'] ),
		);
	}

	/**
	 * The key of the site's events. Derived from secrets that the relay never sees, so it can't read what it forwards.
	 *
	 * @return string 32 bytes.
	 */
	public static function key() {
		$seed = defined( 'HOOKCAST_ENCRYPTION_SEED' ) ? (string) HOOKCAST_ENCRYPTION_SEED : wp_salt( 'auth' ) . wp_salt( 'secure_auth' );
		return hash_hkdf( 'sha256', $seed, 32, 'hookcast-v1', Hookcast_Settings::connection()['site_key'] );
	}

	/**
	 * Whether events are encrypted: PHP must be able to, and the browsers, which can't on plain http except on loopback.
	 *
	 * @return bool
	 */
	public static function encrypts() {
		static $able = null;
		if ( null === $able ) {
			$able = function_exists( 'openssl_encrypt' ) && in_array( 'aes-256-gcm', openssl_get_cipher_methods(), true );
		}
		$host   = (string) wp_parse_url( home_url(), PHP_URL_HOST );
		$secure = 'https' === wp_parse_url( home_url(), PHP_URL_SCHEME ) || in_array( $host, array( 'localhost', '127.0.0.1', '[::1]' ), true );
		/**
		 * Filters whether events are encrypted before they leave WordPress.
		 *
		 * @param bool $encrypt Default: where PHP and the site's address make it possible.
		 */
		return $able && apply_filters( 'hookcast_encrypt', $secure );
	}

	/**
	 * Encrypt for the browsers of this site.
	 *
	 * @param string $plaintext Any bytes.
	 * @return string|null Base64 of IV[12] | ciphertext | tag[16].
	 */
	public static function encrypt( $plaintext ) {
		$iv     = random_bytes( 12 );
		$tag    = '';
		$cipher = openssl_encrypt( $plaintext, 'aes-256-gcm', self::key(), OPENSSL_RAW_DATA, $iv, $tag, '', 16 );
		// phpcs:ignore WordPress.PHP.DiscouragedPHPFunctions.obfuscation_base64_encode -- Bytes in JSON.
		return false === $cipher ? null : base64_encode( $iv . $cipher . $tag );
	}

	/**
	 * A browser's token.
	 *
	 * @param int      $user      User id, 0 for a visitor.
	 * @param string[] $subscribe Channel prefixes.
	 * @param string[] $publish   Channel prefixes.
	 * @return array{token:string,issued:int,expires:int}
	 */
	public static function token( $user, array $subscribe, array $publish ) {
		$connection = Hookcast_Settings::connection();
		$now        = time();
		$claims     = array(
			'v'                        => 2,
			'tenant_id'                => hash( 'sha256', 'tenant:' . $connection['site_key'] ),
			'site_id'                  => Hookcast_Settings::site_id(),
			'user_id'                  => (string) $user,
			'allowed_channel_prefixes' => array_values( $subscribe ),
			'allowed_publish_prefixes' => array_values( $publish ),
			'iat'                      => $now,
			'exp'                      => $now + self::TOKEN_SECONDS,
		);
		$signed     = self::base64url( '{"alg":"HS256","typ":"JWT"}' ) . '.' . self::base64url( wp_json_encode( $claims ) );
		return array(
			'token'   => $signed . '.' . self::base64url( hash_hmac( 'sha256', $signed, $connection['jwt_secret'], true ) ),
			'issued'  => $now,
			'expires' => $now + self::TOKEN_SECONDS,
		);
	}

	/**
	 * RFC 7515.
	 *
	 * @param string $bytes Any bytes.
	 * @return string
	 */
	private static function base64url( $bytes ) {
		// phpcs:ignore WordPress.PHP.DiscouragedPHPFunctions.obfuscation_base64_encode -- A token's own form.
		return rtrim( strtr( base64_encode( $bytes ), '+/', '-_' ), '=' );
	}
}

/**
 * Requests to the relay.
 */
final class Hookcast_Relay {

	/**
	 * A signed request.
	 *
	 * @param string $method  GET or POST.
	 * @param string $path    Without a leading slash.
	 * @param string $body    The raw body, empty for GET.
	 * @param float  $timeout Seconds.
	 * @param array  $headers Further headers.
	 * @return array{status:int,body:array|null,headers:array|object}|WP_Error
	 */
	public static function signed( $method, $path, $body, $timeout, array $headers = array() ) {
		return self::request( $method, $path, $body, $timeout, array_merge( Hookcast_Crypto::signed_headers( $body ), $headers ) );
	}

	/**
	 * A request as it is.
	 *
	 * @param string $method  GET or POST.
	 * @param string $path    Without a leading slash.
	 * @param string $body    The raw body.
	 * @param float  $timeout Seconds.
	 * @param array  $headers Headers.
	 * @return array{status:int,body:array|null,headers:array|object}|WP_Error
	 */
	public static function request( $method, $path, $body, $timeout, array $headers ) {
		$arguments = array(
			'method'              => $method,
			'timeout'             => $timeout,
			'redirection'         => 0,
			'httpversion'         => '1.1',
			'headers'             => $headers,
			'limit_response_size' => 1024 * 1024,
			'user-agent'          => 'hookcast-connector/' . HOOKCAST_VERSION,
		);
		if ( '' !== $body ) {
			$arguments['body'] = $body;
		}
		/**
		 * Filters the arguments of every request to the relay, as wp_remote_request() takes them.
		 *
		 * @param array  $arguments Arguments.
		 * @param string $path      Path.
		 */
		$response = wp_remote_request( Hookcast_Settings::url( $path ), apply_filters( 'hookcast_request_arguments', $arguments, $path ) );
		if ( is_wp_error( $response ) ) {
			return $response;
		}
		$answer = json_decode( wp_remote_retrieve_body( $response ), true, 32 );
		return array(
			'status'  => (int) wp_remote_retrieve_response_code( $response ),
			'body'    => is_array( $answer ) ? $answer : null,
			'headers' => wp_remote_retrieve_headers( $response ),
		);
	}
}

/**
 * The request's events, sent in one go when the response is out.
 *
 * Order is kept. What a request may hold is bounded; what an outage drops is counted and shown, and never waited for.
 */
final class Hookcast_Outbox {

	/**
	 * As many as the relay takes under one signature, and as many bytes as stay well below its limit of 1 MiB.
	 */
	const BATCH_ITEMS = 100;
	const BATCH_BYTES = 524288;

	/**
	 * A request that queues more than this sends in between: 20 batches of memory are enough for a page.
	 */
	const QUEUE_ITEMS = 2000;
	const QUEUE_BYTES = 8388608;

	/**
	 * Seconds for one attempt and for all of a request: once the browser has its response, and where it waits for PHP.
	 */
	const AFTER_SECONDS       = 3.0;
	const AFTER_SECONDS_ALL   = 15.0;
	const WAITING_SECONDS     = 1.0;
	const WAITING_SECONDS_ALL = 2.0;

	/**
	 * Queued events: blog, channel, event, data as JSON, trigger.
	 *
	 * @var array<int,array{0:int,1:string,2:string,3:string,4:string}>
	 */
	private static $queue = array();

	/**
	 * The bytes of their data.
	 *
	 * @var int
	 */
	private static $bytes = 0;

	/**
	 * Events in one request; 1 once a relay turned out not to know batches.
	 *
	 * @var int
	 */
	private static $batch_items = self::BATCH_ITEMS;

	/**
	 * Queue an event.
	 *
	 * @param string $channel Channel.
	 * @param string $event   Event name.
	 * @param mixed  $data    Anything that JSON can carry.
	 * @param string $trigger Id of the trigger that made it, if one did.
	 * @return bool False where it can't be sent: not connected, or not JSON.
	 */
	public static function add( $channel, $event, $data, $trigger = '' ) {
		if ( ! Hookcast_Settings::complete() ) {
			return false;
		}
		$json = wp_json_encode( $data, JSON_UNESCAPED_SLASHES | JSON_UNESCAPED_UNICODE | JSON_PARTIAL_OUTPUT_ON_ERROR );
		if ( false === $json ) {
			return false;
		}
		self::$queue[] = array( get_current_blog_id(), (string) $channel, (string) $event, $json, (string) $trigger );
		self::$bytes  += strlen( $json );

		// A command line has no browser that waits, and may run for hours.
		$limit = 'cli' === PHP_SAPI ? self::BATCH_ITEMS : self::QUEUE_ITEMS;
		if ( count( self::$queue ) >= $limit || self::$bytes >= self::QUEUE_BYTES ) {
			self::flush( self::WAITING_SECONDS, self::AFTER_SECONDS_ALL );
		}
		return true;
	}

	/**
	 * Whether anything waits.
	 *
	 * @return bool
	 */
	public static function pending() {
		return array() !== self::$queue;
	}

	/**
	 * Send what is queued.
	 *
	 * @param float $timeout Seconds for one attempt.
	 * @param float $all     Seconds for all of them.
	 */
	public static function flush( $timeout, $all ) {
		$queue       = self::$queue;
		self::$queue = array();
		self::$bytes = 0;
		$deadline    = microtime( true ) + $all;

		$by_blog = array();
		foreach ( $queue as $item ) {
			$by_blog[ $item[0] ][] = $item;
		}
		foreach ( $by_blog as $blog => $items ) {
			$switch = is_multisite() && get_current_blog_id() !== $blog;
			if ( $switch ) {
				switch_to_blog( $blog );
			}
			self::send_all( $items, $timeout, $deadline );
			if ( $switch ) {
				restore_current_blog();
			}
		}
	}

	/**
	 * Send one blog's events, in batches and in order, until the time is over.
	 *
	 * @param array $items    Queued events.
	 * @param float $timeout  Seconds for one attempt.
	 * @param float $deadline When to stop.
	 */
	private static function send_all( array $items, $timeout, $deadline ) {
		if ( ! Hookcast_State::may_try() ) {
			Hookcast_State::not_sent( count( $items ) );
			return;
		}
		$bodies = array();
		foreach ( $items as $item ) {
			$bodies[] = self::body( $item );
		}
		while ( array() !== $bodies ) {
			if ( microtime( true ) >= $deadline ) {
				Hookcast_State::failed( 'too_slow', __( 'The relay did not take all events in time.', 'hookcast' ), null, count( $bodies ) );
				return;
			}
			$batch = self::next_batch( $bodies );
			$taken = self::send( $batch, $timeout, $deadline );
			if ( null === $taken ) {
				Hookcast_State::not_sent( count( $bodies ) - count( $batch ) );
				return;
			}
			$bodies = array_slice( $bodies, $taken );
		}
	}

	/**
	 * The first events that fit into one request; at least one.
	 *
	 * @param string[] $bodies JSON of each event.
	 * @return string[]
	 */
	private static function next_batch( array $bodies ) {
		$batch = array();
		$bytes = 0;
		foreach ( $bodies as $body ) {
			$bytes += strlen( $body );
			if ( array() !== $batch && ( count( $batch ) >= self::$batch_items || $bytes > self::BATCH_BYTES ) ) {
				break;
			}
			$batch[] = $body;
		}
		return $batch;
	}

	/**
	 * One request. The same signed bytes are sent a second time if no answer came: the relay delivers them once.
	 *
	 * @param string[] $batch    JSON of each event.
	 * @param float    $timeout  Seconds for one attempt.
	 * @param float    $deadline When to stop.
	 * @return int|null How many of them are dealt with; null when the relay is not to be asked again now.
	 */
	private static function send( array $batch, $timeout, $deadline ) {
		$single  = 1 === count( $batch );
		$path    = $single ? 'publish' : 'publish/batch';
		$body    = $single ? $batch[0] : '[' . implode( ',', $batch ) . ']';
		$headers = Hookcast_Crypto::signed_headers( $body );
		$answer  = Hookcast_Relay::request( 'POST', $path, $body, $timeout, $headers );
		if ( is_wp_error( $answer ) && self::AFTER_SECONDS === $timeout && microtime( true ) + $timeout < $deadline ) {
			$answer = Hookcast_Relay::request( 'POST', $path, $body, $timeout, $headers );
		}
		if ( is_wp_error( $answer ) ) {
			Hookcast_State::failed( 'unreachable', $answer->get_error_message(), null, count( $batch ) );
			return null;
		}
		if ( 200 !== $answer['status'] ) {
			return self::refused( $answer, $batch, $deadline );
		}
		return self::accepted( $answer, $batch, $deadline );
	}

	/**
	 * Read the answer per item. The relay stops at the first item that is over the rate: the rest is sent again.
	 *
	 * @param array    $answer   The relay's.
	 * @param string[] $batch    JSON of each event.
	 * @param float    $deadline When to stop.
	 * @return int|null
	 */
	private static function accepted( array $answer, array $batch, $deadline ) {
		$results = isset( $answer['body']['results'] ) && is_array( $answer['body']['results'] ) ? $answer['body']['results'] : array();
		$refused = null;
		foreach ( $results as $index => $result ) {
			if ( ! empty( $result['ok'] ) ) {
				continue;
			}
			$code = isset( $result['error'] ) ? (string) $result['error'] : 'refused';
			if ( 'rate_limited' === $code || 'overloaded' === $code ) {
				Hookcast_State::published();
				return self::wait( $answer, $deadline, count( $batch ) - $index ) ? (int) $index : null;
			}
			$refused = array( $code, isset( $result['message'] ) ? (string) $result['message'] : '' );
			if ( 'quota_exceeded' === $code ) {
				Hookcast_State::failed( $refused[0], $refused[1], self::month_left(), count( $batch ) - $index );
				return null;
			}
		}
		if ( null === $refused ) {
			Hookcast_State::published();
		} else {
			// The relay is well, one event was not: nothing to pause for.
			Hookcast_State::failed( $refused[0], $refused[1], 0, 1 );
		}
		return count( $batch );
	}

	/**
	 * The whole request was refused.
	 *
	 * @param array    $answer   The relay's.
	 * @param string[] $batch    JSON of each event.
	 * @param float    $deadline When to stop.
	 * @return int|null
	 */
	private static function refused( array $answer, array $batch, $deadline ) {
		$code    = isset( $answer['body']['error'] ) ? (string) $answer['body']['error'] : 'http_' . $answer['status'];
		$message = isset( $answer['body']['message'] ) ? (string) $answer['body']['message'] : '';
		if ( 404 === $answer['status'] && count( $batch ) > 1 ) {
			// A relay that does not know batches.
			self::$batch_items = 1;
			return 0;
		}
		if ( 'rate_limited' === $code || 'overloaded' === $code ) {
			return self::wait( $answer, $deadline, count( $batch ) ) ? 0 : null;
		}
		$pause = null;
		if ( 'quota_exceeded' === $code ) {
			$pause = self::month_left();
		} elseif ( $answer['status'] < 500 ) {
			$pause = in_array( $answer['status'], array( 401, 403 ), true ) ? 30 : 0;
		}
		Hookcast_State::failed( $code, $message, $pause, count( $batch ) );
		return 0 === $pause ? count( $batch ) : null;
	}

	/**
	 * Seconds until the month ends, and with it the use of its quota.
	 *
	 * @return int
	 */
	private static function month_left() {
		return max( 60, (int) gmmktime( 0, 0, 0, (int) gmdate( 'n' ) + 1, 1 ) - time() );
	}

	/**
	 * Wait as the relay asks, if that is within this request's time.
	 *
	 * @param array $answer   The relay's.
	 * @param float $deadline When to stop.
	 * @param int   $waiting  Events that wait.
	 * @return bool Whether to go on.
	 */
	private static function wait( array $answer, $deadline, $waiting ) {
		$seconds = max( 1, (int) ( isset( $answer['headers']['retry-after'] ) ? $answer['headers']['retry-after'] : 1 ) );
		if ( microtime( true ) + $seconds >= $deadline ) {
			Hookcast_State::failed( 'rate_limited', __( 'More events than the relay takes from this site.', 'hookcast' ), min( $seconds, 60 ), $waiting );
			return false;
		}
		usleep( $seconds * 1000000 );
		return true;
	}

	/**
	 * An event as the relay takes it, encrypted where that is possible.
	 *
	 * @param array{0:int,1:string,2:string,3:string,4:string} $item Queued event.
	 * @return string
	 */
	private static function body( array $item ) {
		list( , $channel, $event, $data, $trigger ) = $item;
		$name    = wp_json_encode( $event, JSON_UNESCAPED_SLASHES );
		$payload = null;
		if ( Hookcast_Crypto::encrypts() ) {
			$payload = Hookcast_Crypto::encrypt( '{"event":' . $name . ',"data":' . $data . '}' );
		}
		if ( null !== $payload ) {
			$name = '"encrypted"';
			$data = '{"v":1,"p":"' . $payload . '"}';
		}
		$from = '' === $trigger ? '' : ',"trigger":' . wp_json_encode( $trigger );
		return '{"channel":' . wp_json_encode( $channel, JSON_UNESCAPED_SLASHES ) . ',"event":' . $name . ',"data":' . $data . $from . '}';
	}
}

/**
 * Reading from a trigger's input: paths, conditions, and values as plain JSON. Pure and bounded: no code is evaluated, no
 * method of a stranger's object is called, and nothing that looks like a credential is ever read.
 */
final class Hookcast_Values {

	const DEPTH_MAX  = 8;
	const ITEMS_MAX  = 200;
	const STRING_MAX = 65536;

	/**
	 * Names whose values never leave, whoever asks for them.
	 */
	const SECRETS = '/^(user_pass|pass\d?|pwd|.*password.*|user_activation_key|session_tokens|.*(secret|api_?key|private_?key|access_?token|auth_?token|_nonce).*)$/i';

	/**
	 * What a path names.
	 *
	 * @param mixed  $input The trigger's input.
	 * @param string $path  Keys and indexes joined by dots; empty for the whole.
	 * @return array{0:bool,1:mixed} Whether it is there, and the value as plain JSON.
	 */
	public static function find( $input, $path ) {
		$value = $input;
		$parts = '' === $path ? array() : explode( '.', $path );
		if ( count( $parts ) > self::DEPTH_MAX ) {
			return array( false, null );
		}
		foreach ( $parts as $part ) {
			if ( preg_match( self::SECRETS, $part ) ) {
				return array( false, null );
			}
			$members = self::members( $value );
			if ( null === $members || ! array_key_exists( $part, $members ) ) {
				return array( false, null );
			}
			$value = $members[ $part ];
		}
		return array( true, self::plain( $value, 0 ) );
	}

	/**
	 * A value as JSON can carry it: bounded in depth, width and length.
	 *
	 * @param mixed $value Anything.
	 * @param int   $depth How deep it lies.
	 * @return mixed
	 */
	public static function plain( $value, $depth ) {
		if ( is_string( $value ) ) {
			return wp_check_invalid_utf8( strlen( $value ) > self::STRING_MAX ? substr( $value, 0, self::STRING_MAX ) : $value, true );
		}
		if ( is_float( $value ) ) {
			return is_finite( $value ) ? $value : null;
		}
		if ( null === $value || is_scalar( $value ) ) {
			return $value;
		}
		if ( $value instanceof DateTimeInterface ) {
			return $value->format( DATE_ATOM );
		}
		$members = self::members( $value );
		if ( null === $members || $depth >= self::DEPTH_MAX ) {
			return null;
		}
		$plain = array();
		foreach ( array_slice( $members, 0, self::ITEMS_MAX, true ) as $name => $member ) {
			if ( is_string( $name ) && preg_match( self::SECRETS, $name ) ) {
				continue;
			}
			$plain[ $name ] = self::plain( $member, $depth + 1 );
		}
		return is_object( $value ) ? (object) $plain : $plain;
	}

	/**
	 * The members of an array or object: public properties only, because a magic one may run any code.
	 *
	 * @param mixed $value Anything.
	 * @return array|null
	 */
	private static function members( $value ) {
		if ( is_array( $value ) ) {
			return $value;
		}
		if ( ! is_object( $value ) ) {
			return null;
		}
		if ( $value instanceof WP_User ) {
			return array_merge( get_object_vars( $value->data ), array( 'roles' => $value->roles ) );
		}
		if ( class_exists( 'WC_Data', false ) && $value instanceof WC_Data ) {
			return $value->get_data();
		}
		$members = get_object_vars( $value );
		if ( $value instanceof WP_Post && '' !== $value->post_password ) {
			// Readers need the password: the event does not give it away.
			unset( $members['post_content'], $members['post_excerpt'], $members['post_content_filtered'] );
		}
		return $members;
	}

	/**
	 * Whether a trigger's conditions hold.
	 *
	 * @param mixed $input      The trigger's input.
	 * @param array $conditions Mode and rules.
	 * @return bool
	 */
	public static function hold( $input, array $conditions ) {
		$rules = $conditions['rules'];
		if ( array() === $rules ) {
			return true;
		}
		$any = 'any' === $conditions['mode'];
		foreach ( $rules as $rule ) {
			list( $found, $value ) = self::find( $input, $rule['path'] );
			if ( self::compare( $rule['comparison'], $found, $value, $rule['value'] ) === $any ) {
				return $any;
			}
		}
		return ! $any;
	}

	/**
	 * One comparison. A path that is not there satisfies only "missing" and the negations.
	 *
	 * @param string $comparison Its name.
	 * @param bool   $found      Whether the path is there.
	 * @param mixed  $value      What it names.
	 * @param mixed  $wanted     What it is compared with.
	 * @return bool
	 */
	public static function compare( $comparison, $found, $value, $wanted ) {
		switch ( $comparison ) {
			case 'exists':
				return $found;
			case 'missing':
				return ! $found;
			case 'equals':
				return $found && self::same( $value, $wanted );
			case 'not_equals':
				return ! $found || ! self::same( $value, $wanted );
			case 'contains':
				return $found && self::contains( $value, $wanted );
			case 'not_contains':
				return ! $found || ! self::contains( $value, $wanted );
			case 'starts_with':
				return $found && self::texts( $value, $wanted ) && 0 === strncmp( (string) $value, (string) $wanted, strlen( (string) $wanted ) );
			case 'ends_with':
				return $found && self::texts( $value, $wanted ) && substr( (string) $value, -strlen( (string) $wanted ) ) === (string) $wanted;
			case 'greater_than':
			case 'at_least':
			case 'less_than':
			case 'at_most':
				$order = $found ? self::order( $value, $wanted ) : null;
				if ( null === $order ) {
					return false;
				}
				return ( 'greater_than' === $comparison && $order > 0 ) || ( 'at_least' === $comparison && $order >= 0 )
					|| ( 'less_than' === $comparison && $order < 0 ) || ( 'at_most' === $comparison && $order <= 0 );
			default:
				return false;
		}
	}

	/**
	 * Equal: numbers as numbers, text as text, and a number to the text that spells it, because WordPress passes both.
	 *
	 * @param mixed $left  One.
	 * @param mixed $right Other.
	 * @return bool
	 */
	private static function same( $left, $right ) {
		if ( self::numbers( $left, $right ) ) {
			return (float) $left === (float) $right;
		}
		if ( is_array( $left ) || is_object( $left ) ) {
			return wp_json_encode( $left ) === wp_json_encode( $right );
		}
		return $left === $right;
	}

	/**
	 * Both are numbers, or one is and the other spells one.
	 *
	 * @param mixed $left  One.
	 * @param mixed $right Other.
	 * @return bool
	 */
	private static function numbers( $left, $right ) {
		$number = is_int( $left ) || is_float( $left ) || is_int( $right ) || is_float( $right );
		return $number && ! is_bool( $left ) && ! is_bool( $right ) && is_numeric( $left ) && is_numeric( $right );
	}

	/**
	 * Both can be read as text.
	 *
	 * @param mixed $left  One.
	 * @param mixed $right Other.
	 * @return bool
	 */
	private static function texts( $left, $right ) {
		return ( is_string( $left ) || is_int( $left ) || is_float( $left ) ) && ( is_string( $right ) || is_int( $right ) || is_float( $right ) ) && '' !== (string) $right;
	}

	/**
	 * Their order, or null where they have none.
	 *
	 * @param mixed $left  One.
	 * @param mixed $right Other.
	 * @return int|null
	 */
	private static function order( $left, $right ) {
		if ( self::numbers( $left, $right ) ) {
			return (float) $left <=> (float) $right;
		}
		return is_string( $left ) && is_string( $right ) ? strcmp( $left, $right ) : null;
	}

	/**
	 * A text holds the value, or an array has it among its members.
	 *
	 * @param mixed $value  Text or array.
	 * @param mixed $wanted Value.
	 * @return bool
	 */
	private static function contains( $value, $wanted ) {
		if ( is_array( $value ) ) {
			foreach ( $value as $member ) {
				if ( self::same( $member, $wanted ) ) {
					return true;
				}
			}
			return false;
		}
		return self::texts( $value, $wanted ) && false !== strpos( (string) $value, (string) $wanted );
	}
}

/**
 * The triggers that the relay's operator made: fetched in the background, cached, hooked into WordPress.
 *
 * A page uses what is cached and never waits for the relay. A change reaches the site with the first request after the
 * next refresh.
 */
final class Hookcast_Triggers {

	/**
	 * The list, read by every request and written only when the list changes.
	 */
	const OPTION = 'hookcast_triggers';

	const REFRESH_SECONDS = 20;
	const TIMEOUT_SECONDS = 2.0;
	const TRIGGERS_MAX    = 200;
	const FIELDS_MAX      = 100;

	/**
	 * The usable ones of the cached list.
	 *
	 * @return array<int,array>
	 */
	public static function cached() {
		$cache = get_option( self::OPTION );
		if ( ! is_array( $cache ) || ! isset( $cache['site_key'], $cache['list'] ) || Hookcast_Settings::connection()['site_key'] !== $cache['site_key'] ) {
			return array();
		}
		return is_array( $cache['list'] ) ? $cache['list'] : array();
	}

	/**
	 * Hook every trigger in, and the built-in one for posts that no trigger covers.
	 */
	public static function register() {
		$covered = array();
		foreach ( self::cached() as $trigger ) {
			self::hook( $trigger );
			if ( 'post_type' === $trigger['source']['kind'] ) {
				$covered[] = $trigger['source']['post_type'];
			}
		}
		if ( Hookcast_Settings::wordsocket() ) {
			self::uncover( $covered );
			return;
		}
		/**
		 * Filters whether published posts of public types make `post.updated` on the channel `events` without a trigger.
		 *
		 * @param bool $enabled Default true.
		 */
		if ( apply_filters( 'hookcast_default_triggers', true ) ) {
			add_action(
				'wp_after_insert_post',
				static function ( $post_id, $post, $update ) use ( $covered ) {
					self::default_event( $post_id, $post, $update, $covered );
				},
				20,
				3
			);
		}
	}

	/**
	 * WordSocket has a built-in trigger of its own: leave out the post types that a trigger covers.
	 *
	 * @param string[] $post_types Post types.
	 */
	private static function uncover( array $post_types ) {
		$registry = method_exists( 'WPSignal\\WPS', 'instance' ) ? \WPSignal\WPS::instance() : null;
		$registry = is_object( $registry ) && method_exists( $registry, 'trigger_registry' ) ? $registry->trigger_registry() : null;
		if ( is_object( $registry ) && method_exists( $registry, 'exclude_default_post_type' ) ) {
			array_map( array( $registry, 'exclude_default_post_type' ), $post_types );
		}
	}

	/**
	 * The built-in event, with the fields that WordSocket gives it.
	 *
	 * @param int      $post_id Post id.
	 * @param WP_Post  $post    Post.
	 * @param bool     $update  Not new.
	 * @param string[] $covered Post types that a trigger covers.
	 */
	private static function default_event( $post_id, $post, $update, array $covered ) {
		if ( ! $post instanceof WP_Post || 'publish' !== $post->post_status || in_array( $post->post_type, $covered, true ) ) {
			return;
		}
		if ( ! is_post_type_viewable( $post->post_type ) ) {
			return;
		}
		Hookcast_Outbox::add(
			'events',
			'post.updated',
			array(
				'post_id'    => (int) $post_id,
				'post_type'  => $post->post_type,
				'post_title' => $post->post_title,
				'permalink'  => get_permalink( $post ),
				'excerpt'    => '' === $post->post_password ? get_the_excerpt( $post ) : '',
				'updated'    => (bool) $update,
			)
		);
	}

	/**
	 * Hook one trigger in, by its source.
	 *
	 * @param array $trigger A cached trigger.
	 */
	private static function hook( array $trigger ) {
		$source = $trigger['source'];
		switch ( $source['kind'] ) {
			case 'action':
				self::on(
					$trigger,
					$source['hook'],
					$source['priority'],
					$source['args'],
					static function ( array $args ) {
						return $args;
					}
				);
				break;
			case 'option':
				$option = $source['option'];
				self::on(
					$trigger,
					'update_option_' . $option,
					10,
					2,
					static function ( array $args ) use ( $option ) {
						return self::option_input( $option, $args[0], $args[1] );
					}
				);
				self::on(
					$trigger,
					'add_option_' . $option,
					10,
					2,
					static function ( array $args ) use ( $option ) {
						return self::option_input( $option, null, $args[1] );
					}
				);
				break;
			case 'post_type':
				$type = $source['post_type'];
				self::on(
					$trigger,
					'wp_after_insert_post',
					20,
					4,
					static function ( array $args ) use ( $type ) {
						return self::post_input( $type, $args[1], $args[3] );
					}
				);
				self::on(
					$trigger,
					'deleted_post',
					20,
					2,
					static function ( array $args ) use ( $type ) {
						return isset( $args[1] ) ? self::post_input( $type, $args[1], 'deleted' ) : null;
					}
				);
				break;
		}
	}

	/**
	 * Listen on a hook: through WordSocket where it is active, by ourselves otherwise.
	 *
	 * @param array    $trigger  A cached trigger.
	 * @param string   $hook     Action hook.
	 * @param int      $priority Priority.
	 * @param int      $args     How many arguments.
	 * @param callable $input    From the arguments to the trigger's input; null for "not this one".
	 */
	private static function on( array $trigger, $hook, $priority, $args, callable $input ) {
		$evaluate = static function ( array $given ) use ( $trigger, $input ) {
			$value = $input( $given );
			return null !== $value && Hookcast_Values::hold( $value, $trigger['conditions'] ) ? array( self::data( $value, $trigger['data'] ) ) : null;
		};
		if ( Hookcast_Settings::wordsocket() ) {
			// WordSocket asks twice, whether and what: the answer to the first is kept for the second.
			$data = null;
			\WPSignal\WPS::trigger( $trigger['event'] )
				->on( $hook, $priority, $args )
				->channel( $trigger['channel'] )
				->when(
					static function ( ...$given ) use ( $evaluate, &$data ) {
						$data = $evaluate( $given );
						return null !== $data;
					}
				)
				->data(
					static function () use ( &$data ) {
						return (array) $data[0];
					}
				)
				->register();
			return;
		}
		add_action(
			$hook,
			static function ( ...$given ) use ( $evaluate, $trigger ) {
				$data = $evaluate( $given );
				if ( null !== $data ) {
					Hookcast_Outbox::add( $trigger['channel'], $trigger['event'], $data[0], $trigger['id'] );
				}
			},
			$priority,
			$args
		);
	}

	/**
	 * The input of an option's trigger. The value of an option that holds a credential stays here.
	 *
	 * @param string $option Name.
	 * @param mixed  $old    Value before.
	 * @param mixed  $value  Value now.
	 * @return array
	 */
	private static function option_input( $option, $old, $value ) {
		$input = array( 'option' => $option );
		if ( ! preg_match( Hookcast_Values::SECRETS, $option ) && 0 !== strpos( $option, 'hookcast_' ) ) {
			$input['old'] = $old;
			$input['new'] = $value;
		}
		return $input;
	}

	/**
	 * The input of a post type's trigger: only what the public could see appears, changes or goes.
	 *
	 * @param string              $type   Post type.
	 * @param WP_Post|null        $post   Post as it is.
	 * @param WP_Post|string|null $before Post as it was, or "deleted".
	 * @return array|null
	 */
	private static function post_input( $type, $post, $before ) {
		if ( ! $post instanceof WP_Post || $post->post_type !== $type ) {
			return null;
		}
		$was_public = $before instanceof WP_Post && 'publish' === $before->post_status;
		$action     = null;
		if ( 'deleted' === $before ) {
			$action = in_array( $post->post_status, array( 'publish', 'trash' ), true ) ? 'deleted' : null;
		} elseif ( 'publish' === $post->post_status ) {
			$action = $was_public ? 'updated' : 'published';
		} elseif ( 'trash' === $post->post_status && $was_public ) {
			$action = 'trashed';
		}
		return null === $action ? null : array(
			'id'     => $post->ID,
			'action' => $action,
			'post'   => $post,
		);
	}

	/**
	 * The event's data.
	 *
	 * @param mixed $input The trigger's input.
	 * @param array $spec  What becomes of it.
	 * @return mixed
	 */
	private static function data( $input, array $spec ) {
		if ( 'whole' === $spec['kind'] ) {
			return Hookcast_Values::find( $input, $spec['path'] )[1];
		}
		$data = array();
		foreach ( $spec['fields'] as $field ) {
			if ( 'constant' === $field['value']['kind'] ) {
				$data[ $field['name'] ] = $field['value']['value'];
				continue;
			}
			list( $found, $value ) = Hookcast_Values::find( $input, $field['value']['path'] );
			if ( $found ) {
				$data[ $field['name'] ] = $value;
			}
		}
		return (object) $data;
	}

	/**
	 * Whether the list is due to be looked at again.
	 *
	 * @return bool
	 */
	public static function due() {
		/**
		 * Filters after how many seconds a request looks for changed triggers, once its response is out.
		 *
		 * @param int $seconds Default 20.
		 */
		$seconds = (int) apply_filters( 'hookcast_refresh_seconds', self::REFRESH_SECONDS );
		$state   = Hookcast_State::get();
		return Hookcast_Settings::complete() && $state['checked_at'] <= time() - $seconds && $state['paused_until'] <= time();
	}

	/**
	 * Ask the relay for the list, and keep it if it changed.
	 *
	 * @return true|WP_Error
	 */
	public static function refresh() {
		// First, so that requests of the same second do not all ask.
		Hookcast_State::change( array( 'checked_at' => time() ) );
		$cache = get_option( self::OPTION );
		$known = is_array( $cache ) && isset( $cache['etag'], $cache['site_key'] ) && Hookcast_Settings::connection()['site_key'] === $cache['site_key'];
		$etag  = $known ? array( 'If-None-Match' => $cache['etag'] ) : array();

		$answer = Hookcast_Relay::signed( 'GET', 'site/triggers', '', self::TIMEOUT_SECONDS, $etag );
		if ( is_wp_error( $answer ) ) {
			Hookcast_State::failed( 'unreachable', $answer->get_error_message(), null, 0 );
			return $answer;
		}
		if ( 304 === $answer['status'] ) {
			return true;
		}
		if ( 200 !== $answer['status'] || ! isset( $answer['body']['triggers'] ) || ! is_array( $answer['body']['triggers'] ) ) {
			$code    = isset( $answer['body']['error'] ) ? (string) $answer['body']['error'] : 'http_' . $answer['status'];
			$message = isset( $answer['body']['message'] ) ? (string) $answer['body']['message'] : '';
			if ( 404 === $answer['status'] ) {
				// A relay without triggers of its own is a working relay.
				return new WP_Error( $code, $message );
			}
			Hookcast_State::failed( $code, $message, null, 0 );
			return new WP_Error( $code, $message );
		}
		update_option(
			self::OPTION,
			array(
				'site_key' => Hookcast_Settings::connection()['site_key'],
				'etag'     => isset( $answer['headers']['etag'] ) ? (string) $answer['headers']['etag'] : '',
				'list'     => self::usable( $answer['body']['triggers'] ),
			),
			true
		);
		return true;
	}

	/**
	 * Keep the triggers that are whole and within bounds, in a form that needs no further checks.
	 *
	 * @param array $list From the relay.
	 * @return array<int,array>
	 */
	public static function usable( array $list ) {
		$usable = array();
		foreach ( array_slice( $list, 0, self::TRIGGERS_MAX ) as $trigger ) {
			$trigger = is_array( $trigger ) ? self::checked( $trigger ) : null;
			if ( null !== $trigger ) {
				$usable[] = $trigger;
			}
		}
		return $usable;
	}

	/**
	 * One trigger.
	 *
	 * @param array $trigger From the relay.
	 * @return array|null
	 */
	private static function checked( array $trigger ) {
		$text    = static function ( $value, $max ) {
			return is_string( $value ) && '' !== $value && strlen( $value ) <= $max;
		};
		$source  = self::checked_source( isset( $trigger['source'] ) && is_array( $trigger['source'] ) ? $trigger['source'] : array() );
		$data    = self::checked_data( isset( $trigger['data'] ) && is_array( $trigger['data'] ) ? $trigger['data'] : array() );
		$enabled = ! isset( $trigger['enabled'] ) || true === $trigger['enabled'];
		if ( null === $source || null === $data || ! $enabled || ! $text( isset( $trigger['channel'] ) ? $trigger['channel'] : null, 400 ) || ! $text( isset( $trigger['event'] ) ? $trigger['event'] : null, 128 ) ) {
			return null;
		}
		$conditions = isset( $trigger['conditions'] ) && is_array( $trigger['conditions'] ) ? $trigger['conditions'] : array();
		$rules      = array();
		foreach ( array_slice( isset( $conditions['rules'] ) && is_array( $conditions['rules'] ) ? $conditions['rules'] : array(), 0, self::FIELDS_MAX ) as $rule ) {
			if ( ! is_array( $rule ) || ! isset( $rule['path'], $rule['comparison'] ) || ! is_string( $rule['path'] ) || ! is_string( $rule['comparison'] ) ) {
				// A condition that can't be read would be a trigger that fires too often.
				return null;
			}
			$rules[] = array(
				'path'       => $rule['path'],
				'comparison' => $rule['comparison'],
				'value'      => isset( $rule['value'] ) ? $rule['value'] : null,
			);
		}
		return array(
			'id'         => isset( $trigger['id'] ) && is_string( $trigger['id'] ) ? substr( $trigger['id'], 0, 64 ) : '',
			'name'       => isset( $trigger['name'] ) && is_string( $trigger['name'] ) ? substr( $trigger['name'], 0, 200 ) : '',
			'source'     => $source,
			'channel'    => $trigger['channel'],
			'event'      => $trigger['event'],
			'data'       => $data,
			'conditions' => array(
				'mode'  => isset( $conditions['mode'] ) && 'any' === $conditions['mode'] ? 'any' : 'all',
				'rules' => $rules,
			),
		);
	}

	/**
	 * Where a trigger listens.
	 *
	 * @param array $source From the relay.
	 * @return array|null
	 */
	private static function checked_source( array $source ) {
		$kind  = isset( $source['kind'] ) ? $source['kind'] : '';
		$names = array(
			'action'    => 'hook',
			'option'    => 'option',
			'post_type' => 'post_type',
		);
		if ( ! is_string( $kind ) || ! isset( $names[ $kind ] ) ) {
			return null;
		}
		$name = isset( $source[ $names[ $kind ] ] ) ? $source[ $names[ $kind ] ] : null;
		if ( ! is_string( $name ) || '' === $name || strlen( $name ) > 191 ) {
			return null;
		}
		$checked = array(
			'kind'          => $kind,
			$names[ $kind ] => $name,
		);
		if ( 'action' === $kind ) {
			$checked['priority'] = isset( $source['priority'] ) ? (int) $source['priority'] : 10;
			$checked['args']     = isset( $source['args'] ) ? max( 0, min( 16, (int) $source['args'] ) ) : 1;
		}
		return $checked;
	}

	/**
	 * What a trigger's data is made of.
	 *
	 * @param array $data From the relay.
	 * @return array|null
	 */
	private static function checked_data( array $data ) {
		$kind = isset( $data['kind'] ) ? $data['kind'] : '';
		if ( 'whole' === $kind ) {
			return array(
				'kind' => 'whole',
				'path' => isset( $data['path'] ) && is_string( $data['path'] ) ? $data['path'] : '',
			);
		}
		if ( 'fields' !== $kind || ! isset( $data['fields'] ) || ! is_array( $data['fields'] ) ) {
			return null;
		}
		$fields = array();
		foreach ( array_slice( $data['fields'], 0, self::FIELDS_MAX ) as $field ) {
			if ( ! is_array( $field ) || ! isset( $field['name'], $field['value']['kind'] ) || ! is_string( $field['name'] ) ) {
				return null;
			}
			$constant = 'constant' === $field['value']['kind'];
			if ( ! $constant && ( ! isset( $field['value']['path'] ) || ! is_string( $field['value']['path'] ) ) ) {
				return null;
			}
			$fields[] = array(
				'name'  => $field['name'],
				'value' => $constant
					? array(
						'kind'  => 'constant',
						'value' => isset( $field['value']['value'] ) ? $field['value']['value'] : null,
					)
					: array(
						'kind' => 'path',
						'path' => $field['value']['path'],
					),
			);
		}
		return array(
			'kind'   => 'fields',
			'fields' => $fields,
		);
	}
}

/**
 * What happens when the page is done: send the events, look for changed triggers.
 */
final class Hookcast_Background {

	const ACTION = 'hookcast_background';

	/**
	 * The last thing that a request does.
	 */
	public static function shutdown() {
		if ( 'cli' === PHP_SAPI ) {
			if ( Hookcast_Outbox::pending() ) {
				Hookcast_Outbox::flush( Hookcast_Outbox::WAITING_SECONDS, Hookcast_Outbox::AFTER_SECONDS_ALL );
			}
			return;
		}
		$due = Hookcast_Triggers::due();
		if ( ! $due && ! Hookcast_Outbox::pending() ) {
			return;
		}
		$finished = self::finish_response();
		if ( Hookcast_Outbox::pending() ) {
			Hookcast_Outbox::flush(
				$finished ? Hookcast_Outbox::AFTER_SECONDS : Hookcast_Outbox::WAITING_SECONDS,
				$finished ? Hookcast_Outbox::AFTER_SECONDS_ALL : Hookcast_Outbox::WAITING_SECONDS_ALL
			);
		}
		if ( $due && Hookcast_Triggers::due() ) {
			if ( $finished ) {
				Hookcast_Triggers::refresh();
			} else {
				self::ask_myself();
			}
		}
	}

	/**
	 * Hand the response to the browser and go on, where PHP runs in a way that can do that.
	 *
	 * @return bool Whether the browser no longer waits.
	 */
	private static function finish_response() {
		if ( function_exists( 'fastcgi_finish_request' ) ) {
			return fastcgi_finish_request();
		}
		if ( function_exists( 'litespeed_finish_request' ) ) {
			return litespeed_finish_request();
		}
		// The browser at least gets what there is: a redirect is followed before the connection ends.
		flush();
		return false;
	}

	/**
	 * Where PHP can't go on after the response, a second request does the work, and nobody waits for its answer.
	 */
	private static function ask_myself() {
		Hookcast_State::change( array( 'checked_at' => time() ) );
		$ts = (string) time();
		wp_remote_post(
			admin_url( 'admin-ajax.php' ),
			array(
				'timeout'   => 0.05,
				'blocking'  => false,
				// phpcs:ignore WordPress.NamingConventions.ValidHookName.UseUnderscores -- WordPress' own filter.
				'sslverify' => apply_filters( 'https_local_ssl_verify', false ),
				'body'      => array(
					'action' => self::ACTION,
					'ts'     => $ts,
					'sign'   => self::sign( $ts ),
				),
			)
		);
	}

	/**
	 * The second request.
	 */
	public static function answer_myself() {
		// phpcs:disable WordPress.Security.NonceVerification.Missing -- No user is behind it; the signature proves the sender.
		$ts   = isset( $_POST['ts'] ) ? sanitize_text_field( wp_unslash( $_POST['ts'] ) ) : '';
		$sign = isset( $_POST['sign'] ) ? sanitize_text_field( wp_unslash( $_POST['sign'] ) ) : '';
		// phpcs:enable
		if ( ! Hookcast_Settings::complete() || abs( time() - (int) $ts ) > 60 || ! hash_equals( self::sign( $ts ), $sign ) ) {
			wp_die( '', '', array( 'response' => 403 ) );
		}
		Hookcast_Triggers::refresh();
		wp_die( '', '', array( 'response' => 204 ) );
	}

	/**
	 * Proof that this site asks itself.
	 *
	 * @param string $ts Unix time.
	 * @return string
	 */
	private static function sign( $ts ) {
		return hash_hmac( 'sha256', self::ACTION . '.' . $ts, Hookcast_Settings::connection()['publish_secret'] );
	}
}

/**
 * Browsers: who may connect, to which channels, and the client that does it.
 */
final class Hookcast_Browser {

	/**
	 * Whether the current user may connect.
	 *
	 * @return bool
	 */
	public static function permitted() {
		/**
		 * Filters whether the current user gets a token and the client.
		 *
		 * @param bool $permitted Default: users who are logged in, and visitors where the site opens it to them.
		 */
		return (bool) apply_filters( 'hookcast_permitted', is_user_logged_in() || Hookcast_Settings::visitors_allowed() );
	}

	/**
	 * What the client needs: a token, its channels and the key to what is encrypted.
	 *
	 * @return array
	 */
	public static function credentials() {
		$user     = get_current_user_id();
		$prefix   = 'site:' . Hookcast_Settings::site_id() . ':';
		$channels = $user > 0 ? array( $prefix . 'events', $prefix . 'public' ) : array( $prefix . 'public' );
		/**
		 * Filters the channels that the client subscribes to by itself.
		 *
		 * @param string[] $channels Channel names.
		 * @param int      $user     User id, 0 for a visitor.
		 * @param string   $site_id  The site's id in channel names.
		 */
		$channels  = (array) apply_filters( 'hookcast_channels', $channels, $user, Hookcast_Settings::site_id() );
		$subscribe = $channels;
		if ( current_user_can( 'edit_posts' ) ) {
			$subscribe[] = $prefix . 'yjs:';
		}
		if ( current_user_can( 'manage_options' ) ) {
			$subscribe[] = 'wps:connections';
		}
		/**
		 * Filters the channels that the user may subscribe to: each entry stands for every channel that begins with it.
		 *
		 * @param string[] $prefixes Prefixes of channel names.
		 * @param int      $user     User id, 0 for a visitor.
		 * @param string   $site_id  The site's id in channel names.
		 */
		$subscribe = (array) apply_filters( 'hookcast_subscribe_prefixes', $subscribe, $user, Hookcast_Settings::site_id() );
		/**
		 * Filters the channels that the user may publish to and be present on, from the browser.
		 *
		 * @param string[] $prefixes Prefixes of channel names. Default: collaboration, for those who may edit posts.
		 * @param int      $user     User id, 0 for a visitor.
		 * @param string   $site_id  The site's id in channel names.
		 */
		$publish = (array) apply_filters( 'hookcast_publish_prefixes', current_user_can( 'edit_posts' ) ? array( $prefix . 'yjs:' ) : array(), $user, Hookcast_Settings::site_id() );
		$token   = Hookcast_Crypto::token( $user, array_map( 'strval', $subscribe ), array_map( 'strval', $publish ) );

		$credentials = array(
			'token'    => $token['token'],
			'iat'      => $token['issued'],
			'exp'      => $token['expires'],
			'channels' => array_values( array_map( 'strval', $channels ) ),
		);
		if ( Hookcast_Crypto::encrypts() ) {
			// phpcs:ignore WordPress.PHP.DiscouragedPHPFunctions.obfuscation_base64_encode -- Bytes in JSON.
			$credentials['key'] = base64_encode( Hookcast_Crypto::key() );
		}
		return $credentials;
	}

	/**
	 * The route that mints tokens.
	 */
	public static function register_routes() {
		register_rest_route(
			'hookcast/v1',
			'/token',
			array(
				'methods'             => 'POST',
				'callback'            => array( __CLASS__, 'answer_token' ),
				'permission_callback' => array( __CLASS__, 'permitted' ),
			)
		);
	}

	/**
	 * A token, and a new nonce: a page that stays open for days keeps being able to ask.
	 *
	 * @return WP_REST_Response|WP_Error
	 */
	public static function answer_token() {
		if ( ! Hookcast_Settings::complete() || '' === Hookcast_Settings::connection()['jwt_secret'] ) {
			return new WP_Error( 'hookcast_not_connected', __( 'This site is not connected to a relay.', 'hookcast' ), array( 'status' => 503 ) );
		}
		$response = new WP_REST_Response( array_merge( self::credentials(), array( 'nonce' => wp_create_nonce( 'wp_rest' ) ) ) );
		$response->header( 'Cache-Control', 'no-store, private' );
		return $response;
	}

	/**
	 * Load the client where the user may connect.
	 */
	public static function enqueue() {
		$connection = Hookcast_Settings::connection();
		if ( '' === $connection['url'] || '' === $connection['jwt_secret'] || ! Hookcast_Settings::complete() || ! self::permitted() ) {
			return;
		}
		list( $source, $version ) = self::script();
		// Older WordPress reads the array as "in the footer".
		$placement = array(
			'in_footer' => true,
			'strategy'  => 'defer',
		);
		wp_enqueue_script( 'hookcast', $source, array(), $version, $placement );
		// Scripts that were written for WordSocket's client name its handle.
		if ( ! wp_script_is( 'wpsignal', 'registered' ) ) {
			wp_register_script( 'wpsignal', false, array( 'hookcast' ), $version, true );
		}
		$config = array(
			'url'      => $connection['url'],
			'tokenUrl' => rest_url( 'hookcast/v1/token' ),
			'nonceUrl' => admin_url( 'admin-ajax.php?action=rest-nonce' ),
			/**
			 * Filters whether the client leaves WebSockets out and uses Server-Sent Events, to try that path.
			 *
			 * @param bool $force Default false.
			 */
			'forceSse' => (bool) apply_filters( 'hookcast_force_sse', false ),
		);
		if ( is_user_logged_in() ) {
			// A visitor's page may come from a cache, hours old: visitors always ask for their token.
			$config['nonce']       = wp_create_nonce( 'wp_rest' );
			$config['credentials'] = self::credentials();
		}
		wp_add_inline_script( 'hookcast', 'window.hookcastConfig = ' . wp_json_encode( $config, JSON_HEX_TAG | JSON_HEX_AMP | JSON_UNESCAPED_SLASHES ) . ';', 'before' );
	}

	/**
	 * Where the client is: beside this file, or on the relay where only this file was installed.
	 *
	 * @return array{0:string,1:string} Address and version.
	 */
	private static function script() {
		if ( file_exists( WPMU_PLUGIN_DIR . '/hookcast.php' ) && file_exists( WPMU_PLUGIN_DIR . '/hookcast.js' ) ) {
			return array( WPMU_PLUGIN_URL . '/hookcast.js', HOOKCAST_VERSION . '-' . filemtime( WPMU_PLUGIN_DIR . '/hookcast.js' ) );
		}
		if ( file_exists( __DIR__ . '/hookcast.js' ) && ! file_exists( WPMU_PLUGIN_DIR . '/hookcast.php' ) ) {
			return array( plugins_url( 'hookcast.js', __FILE__ ), HOOKCAST_VERSION . '-' . filemtime( __DIR__ . '/hookcast.js' ) );
		}
		return array( Hookcast_Settings::url( 'hookcast.js' ), HOOKCAST_VERSION );
	}
}

/**
 * Looking at the connection from WordPress' side, one finding a line.
 */
final class Hookcast_Doctor {

	const TIMEOUT_SECONDS = 4.0;

	/**
	 * Ask everything.
	 *
	 * @return array<int,array{0:string,1:string,2:string}> State (ok, warning, failed), what, and what to do.
	 */
	public static function findings() {
		$findings = array( self::configured() );
		if ( 'failed' !== $findings[0][0] ) {
			$reached  = Hookcast_Relay::request( 'GET', 'healthz', '', self::TIMEOUT_SECONDS, array() );
			$findings = array_merge( $findings, self::reached( $reached ) );
			if ( ! is_wp_error( $reached ) ) {
				$findings[] = self::accepted();
				$findings[] = self::triggers();
			}
		}
		$findings[] = self::after_response();
		$findings[] = self::encryption();
		return $findings;
	}

	/**
	 * Address and credentials.
	 *
	 * @return array{0:string,1:string,2:string}
	 */
	private static function configured() {
		$connection = Hookcast_Settings::connection();
		if ( ! Hookcast_Settings::complete() ) {
			return array( 'failed', __( 'No relay is configured.', 'hookcast' ), __( 'Add the lines that the relay shows for this site to wp-config.php.', 'hookcast' ) );
		}
		if ( '' === $connection['jwt_secret'] ) {
			return array( 'failed', __( 'The secret for browsers is missing.', 'hookcast' ), __( 'Events are sent, but no browser can connect: set HOOKCAST_JWT_SECRET.', 'hookcast' ) );
		}
		if ( 'https' === wp_parse_url( home_url(), PHP_URL_SCHEME ) && 'https' !== wp_parse_url( $connection['url'], PHP_URL_SCHEME ) ) {
			return array( 'failed', __( 'The site is on https and the relay is not.', 'hookcast' ), __( 'Browsers refuse that: put the relay behind https.', 'hookcast' ) );
		}
		/* translators: %s: where the credentials come from. */
		return array( 'ok', sprintf( __( 'Relay and credentials are configured (%s).', 'hookcast' ), $connection['source'] ), '' );
	}

	/**
	 * Whether PHP gets through, and whether both clocks agree.
	 *
	 * @param array|WP_Error $answer Of /healthz.
	 * @return array<int,array{0:string,1:string,2:string}>
	 */
	private static function reached( $answer ) {
		if ( is_wp_error( $answer ) ) {
			$advice = defined( 'WP_HTTP_BLOCK_EXTERNAL' ) && WP_HTTP_BLOCK_EXTERNAL
				? __( 'WP_HTTP_BLOCK_EXTERNAL is set: add the relay to WP_ACCESSIBLE_HOSTS.', 'hookcast' )
				: __( 'Is the relay running, and does the host let PHP open connections to it?', 'hookcast' );
			/* translators: %s: an error message. */
			return array( array( 'failed', sprintf( __( 'PHP can\'t reach the relay: %s', 'hookcast' ), $answer->get_error_message() ), $advice ) );
		}
		if ( 200 !== $answer['status'] ) {
			/* translators: %d: an HTTP status code. */
			return array( array( 'failed', sprintf( __( 'The relay\'s address answers with status %d.', 'hookcast' ), $answer['status'] ), __( 'Something else answers there: check the address and the proxy in front of the relay.', 'hookcast' ) ) );
		}
		$findings = array( array( 'ok', __( 'PHP can reach the relay.', 'hookcast' ), '' ) );
		$date     = isset( $answer['headers']['date'] ) ? strtotime( (string) $answer['headers']['date'] ) : false;
		if ( false !== $date ) {
			$off        = time() - $date;
			$findings[] = abs( $off ) <= 30
				? array( 'ok', __( 'Both clocks agree.', 'hookcast' ), '' )
				/* translators: %d: seconds. */
				: array( 'failed', sprintf( __( 'This server\'s clock is %d seconds off the relay\'s.', 'hookcast' ), $off ), __( 'The relay refuses requests more than 60 seconds off: set the clock (NTP).', 'hookcast' ) );
		}
		return $findings;
	}

	/**
	 * Whether the relay knows this site and its secret.
	 *
	 * @return array{0:string,1:string,2:string}
	 */
	private static function accepted() {
		$answer = Hookcast_Relay::signed( 'GET', 'site/stats', '', self::TIMEOUT_SECONDS );
		if ( is_wp_error( $answer ) ) {
			return array( 'failed', $answer->get_error_message(), '' );
		}
		if ( 200 !== $answer['status'] ) {
			$message = isset( $answer['body']['message'] ) ? (string) $answer['body']['message'] : (string) $answer['status'];
			/* translators: %s: the relay's answer. */
			return array( 'failed', sprintf( __( 'The relay does not accept this site: %s', 'hookcast' ), $message ), __( 'Copy the credentials from the relay again.', 'hookcast' ) );
		}
		$count = isset( $answer['body']['active_connections'] ) ? (int) $answer['body']['active_connections'] : 0;
		/* translators: %d: number of browsers. */
		return array( 'ok', sprintf( _n( 'The relay knows this site; %d browser is connected.', 'The relay knows this site; %d browsers are connected.', $count, 'hookcast' ), $count ), '' );
	}

	/**
	 * Fetch the triggers now.
	 *
	 * @return array{0:string,1:string,2:string}
	 */
	private static function triggers() {
		$result = Hookcast_Triggers::refresh();
		if ( is_wp_error( $result ) ) {
			/* translators: %s: the relay's answer. */
			return array( 'warning', sprintf( __( 'The triggers can\'t be fetched: %s', 'hookcast' ), $result->get_error_message() ), __( 'The ones that are known already keep working.', 'hookcast' ) );
		}
		$count = count( Hookcast_Triggers::cached() );
		/* translators: %d: number of triggers. */
		return array( 'ok', sprintf( _n( '%d trigger of the relay is active here.', '%d triggers of the relay are active here.', $count, 'hookcast' ), $count ), '' );
	}

	/**
	 * Whether sending costs the visitor time.
	 *
	 * @return array{0:string,1:string,2:string}
	 */
	private static function after_response() {
		if ( function_exists( 'fastcgi_finish_request' ) || function_exists( 'litespeed_finish_request' ) ) {
			return array( 'ok', __( 'Events are sent after the page: nobody waits for them.', 'hookcast' ), '' );
		}
		return array( 'warning', __( 'Events are sent at the end of the page, in at most two seconds.', 'hookcast' ), __( 'PHP-FPM or LiteSpeed would send them after it.', 'hookcast' ) );
	}

	/**
	 * Whether the relay can read the events.
	 *
	 * @return array{0:string,1:string,2:string}
	 */
	private static function encryption() {
		if ( Hookcast_Crypto::encrypts() ) {
			return array( 'ok', __( 'Events are encrypted: the relay can\'t read them.', 'hookcast' ), '' );
		}
		return array( 'warning', __( 'Events are sent as plain text.', 'hookcast' ), __( 'Encryption needs https for the site and OpenSSL in PHP.', 'hookcast' ) );
	}
}

/**
 * Tools → hookcast, and the notice while something is wrong.
 */
final class Hookcast_Screen {

	const SLUG       = 'hookcast';
	const CAPABILITY = 'manage_options';

	/**
	 * The menu entry.
	 */
	public static function menu() {
		add_management_page( __( 'hookcast', 'hookcast' ), __( 'hookcast', 'hookcast' ), self::CAPABILITY, self::SLUG, array( __CLASS__, 'render' ) );
	}

	/**
	 * A notice for administrators while events get lost.
	 */
	public static function notice() {
		if ( ! current_user_can( self::CAPABILITY ) || Hookcast_Settings::wordsocket() ) {
			return;
		}
		$screen = get_current_screen();
		$error  = Hookcast_State::get()['error'];
		if ( ! is_array( $error ) || ( $screen && 'tools_page_' . self::SLUG === $screen->id ) ) {
			return;
		}
		printf(
			'<div class="notice notice-warning hookcast-notice"><p>%s <a href="%s">%s</a></p></div>',
			esc_html(
				sprintf(
					/* translators: 1: how long ago, 2: the reason. */
					__( 'hookcast: the relay has not taken events for %1$s (%2$s). Saving is not affected; open pages just don\'t hear of it at once.', 'hookcast' ),
					human_time_diff( $error['since'] ),
					'' !== $error['message'] ? $error['message'] : $error['code']
				)
			),
			esc_url( admin_url( 'tools.php?page=' . self::SLUG ) ),
			esc_html__( 'See why', 'hookcast' )
		);
	}

	/**
	 * Save the form.
	 */
	public static function save() {
		self::check( 'hookcast_save' );
		// phpcs:ignore WordPress.Security.NonceVerification.Missing -- Checked above.
		update_option( Hookcast_Settings::OPTION, array( 'visitors' => ! empty( $_POST['visitors'] ) ), true );
		self::back();
	}

	/**
	 * Forget the last error and the pause after it.
	 */
	public static function retry() {
		self::check( 'hookcast_retry' );
		Hookcast_State::reset();
		self::back();
	}

	/**
	 * Only administrators, only from our own form.
	 *
	 * @param string $action Nonce action.
	 */
	private static function check( $action ) {
		if ( ! current_user_can( self::CAPABILITY ) ) {
			wp_die( esc_html__( 'You are not allowed to do this.', 'hookcast' ), '', array( 'response' => 403 ) );
		}
		check_admin_referer( $action );
	}

	/**
	 * Back to the screen.
	 */
	private static function back() {
		wp_safe_redirect( admin_url( 'tools.php?page=' . self::SLUG ) );
		exit;
	}

	/**
	 * The screen.
	 */
	public static function render() {
		if ( ! current_user_can( self::CAPABILITY ) ) {
			return;
		}
		$doctor = isset( $_GET['doctor'], $_GET['_wpnonce'] ) && wp_verify_nonce( sanitize_key( wp_unslash( $_GET['_wpnonce'] ) ), 'hookcast_doctor' );
		echo '<div class="wrap"><h1>' . esc_html__( 'hookcast', 'hookcast' ) . '</h1>';
		self::render_status();
		self::render_doctor( $doctor );
		self::render_triggers();
		self::render_form();
		echo '</div>';
	}

	/**
	 * Connected or not, and why.
	 */
	private static function render_status() {
		$connection = Hookcast_Settings::connection();
		$state      = Hookcast_State::get();
		$wordsocket = Hookcast_Settings::wordsocket();
		$rows       = array(
			__( 'Relay', 'hookcast' )          => '' === $connection['url'] ? __( 'not configured', 'hookcast' ) : $connection['url'],
			__( 'Site key', 'hookcast' )       => '' === $connection['site_key'] ? __( 'none', 'hookcast' ) : $connection['site_key'] . ' (' . $connection['source'] . ')',
			__( 'Events are sent', 'hookcast' ) => $wordsocket ? __( 'by WordSocket, to this relay', 'hookcast' ) : __( 'by hookcast itself', 'hookcast' ),
			__( 'State', 'hookcast' )          => self::state_text( $state ),
		);
		if ( ! $wordsocket ) {
			$rows[ __( 'Last publish', 'hookcast' ) ] = self::ago( $state['published_at'] );
		}
		$error = $wordsocket ? get_option( 'wpsignal_last_publish_error' ) : $state['error'];
		if ( is_array( $error ) && isset( $error['code'], $error['message'] ) ) {
			$at = isset( $error['at'] ) ? $error['at'] : ( isset( $error['time'] ) ? $error['time'] : 0 );
			/* translators: 1: code, 2: message, 3: how long ago. */
			$rows[ __( 'Last error', 'hookcast' ) ] = sprintf( __( '%1$s: %2$s (%3$s)', 'hookcast' ), $error['code'], $error['message'], self::ago( (int) $at ) );
		}
		if ( $state['not_sent'] > 0 ) {
			$rows[ __( 'Events not sent since', 'hookcast' ) ] = number_format_i18n( $state['not_sent'] );
		}
		echo '<table class="widefat striped" id="hookcast-status"><tbody>';
		foreach ( $rows as $name => $value ) {
			printf( '<tr><th scope="row">%s</th><td>%s</td></tr>', esc_html( $name ), esc_html( $value ) );
		}
		printf( '<tr><th scope="row">%s</th><td id="hookcast-browser">%s</td></tr>', esc_html__( 'This browser', 'hookcast' ), esc_html__( 'not connected', 'hookcast' ) );
		echo '</tbody></table>';
		self::render_browser_check();
		if ( is_array( $state['error'] ) ) {
			self::render_button( 'hookcast_retry', __( 'Try again now', 'hookcast' ) );
		}
	}

	/**
	 * The client of this very page tells whether a browser gets through.
	 */
	private static function render_browser_check() {
		$texts = array(
			'ws'   => __( 'connected by WebSocket', 'hookcast' ),
			'sse'  => __( 'connected by Server-Sent Events: something between the browser and the relay blocks WebSockets', 'hookcast' ),
			'none' => __( 'not connected', 'hookcast' ),
		);
		wp_print_inline_script_tag(
			'addEventListener("load",function(){var t=' . wp_json_encode( $texts, JSON_HEX_TAG | JSON_HEX_AMP ) . ',c=document.getElementById("hookcast-browser"),w=window.WPS;' .
			'if(!w||!w.onStateChange)return;' .
			'function show(s){c.textContent=s.connected?t[s.transport]:t.none+(s.error?": "+s.error.message:"");}' .
			'w.onStateChange(show);show(w.state||{connected:w.connected,transport:w.transport});});'
		);
	}

	/**
	 * State in words.
	 *
	 * @param array $state From Hookcast_State.
	 * @return string
	 */
	private static function state_text( array $state ) {
		if ( ! Hookcast_Settings::complete() ) {
			return __( 'not connected: address or credentials are missing', 'hookcast' );
		}
		if ( is_array( $state['error'] ) && $state['failures'] > 0 ) {
			$wait = $state['paused_until'] - time();
			return $wait > 0
				/* translators: %d: seconds. */
				? sprintf( __( 'not connected; the next try is in %d seconds', 'hookcast' ), $wait )
				: __( 'not connected; the next event tries again', 'hookcast' );
		}
		return __( 'connected', 'hookcast' );
	}

	/**
	 * The doctor's findings, or the button that asks for them.
	 *
	 * @param bool $ask Whether to ask now.
	 */
	private static function render_doctor( $ask ) {
		echo '<h2>' . esc_html__( 'Doctor', 'hookcast' ) . '</h2>';
		if ( $ask ) {
			$names = array(
				'ok'      => __( 'ok', 'hookcast' ),
				'warning' => __( 'warning', 'hookcast' ),
				'failed'  => __( 'failed', 'hookcast' ),
			);
			echo '<table class="widefat striped" id="hookcast-doctor"><tbody>';
			foreach ( Hookcast_Doctor::findings() as $finding ) {
				printf( '<tr data-state="%s"><th scope="row">%s</th><td>%s</td><td>%s</td></tr>', esc_attr( $finding[0] ), esc_html( $names[ $finding[0] ] ), esc_html( $finding[1] ), esc_html( $finding[2] ) );
			}
			echo '</tbody></table>';
		}
		printf(
			'<p><a class="button" id="hookcast-ask" href="%s">%s</a></p>',
			esc_url( wp_nonce_url( admin_url( 'tools.php?page=' . self::SLUG . '&doctor=1' ), 'hookcast_doctor' ) ),
			esc_html__( 'Check the connection', 'hookcast' )
		);
	}

	/**
	 * What listens here.
	 */
	private static function render_triggers() {
		echo '<h2>' . esc_html__( 'Triggers', 'hookcast' ) . '</h2>';
		$triggers = Hookcast_Triggers::cached();
		if ( array() === $triggers ) {
			echo '<p>' . esc_html__( 'None yet: they are made in the relay\'s web app.', 'hookcast' ) . '</p>';
			return;
		}
		echo '<table class="widefat striped" id="hookcast-triggers"><thead><tr>';
		foreach ( array( __( 'Name', 'hookcast' ), __( 'Listens to', 'hookcast' ), __( 'Event', 'hookcast' ), __( 'Channel', 'hookcast' ) ) as $name ) {
			echo '<th scope="col">' . esc_html( $name ) . '</th>';
		}
		echo '</tr></thead><tbody>';
		foreach ( $triggers as $trigger ) {
			$source = $trigger['source'];
			$what   = 'action' === $source['kind'] ? $source['hook'] : $source[ $source['kind'] ];
			printf( '<tr><td>%s</td><td>%s</td><td>%s</td><td>%s</td></tr>', esc_html( $trigger['name'] ), esc_html( $what ), esc_html( $trigger['event'] ), esc_html( $trigger['channel'] ) );
		}
		echo '</tbody></table>';
	}

	/**
	 * The one setting.
	 */
	private static function render_form() {
		if ( Hookcast_Settings::wordsocket() ) {
			return;
		}
		echo '<h2>' . esc_html__( 'Visitors', 'hookcast' ) . '</h2>';
		printf( '<form method="post" action="%s">', esc_url( admin_url( 'admin-post.php' ) ) );
		wp_nonce_field( 'hookcast_save' );
		printf(
			'<input type="hidden" name="action" value="hookcast_save"><p><label><input type="checkbox" name="visitors" value="1" %s %s> %s</label></p><p class="description">%s</p>',
			checked( Hookcast_Settings::visitors_allowed(), true, false ),
			disabled( defined( 'HOOKCAST_VISITORS' ), true, false ),
			esc_html__( 'People who are not logged in may listen too', 'hookcast' ),
			esc_html__( 'They hear the channel "public" and nothing else, and can\'t send anything.', 'hookcast' )
		);
		submit_button( __( 'Save', 'hookcast' ), 'primary', 'submit', true );
		echo '</form>';
	}

	/**
	 * A form that is only a button.
	 *
	 * @param string $action Admin-post action, also the nonce's.
	 * @param string $label  Text.
	 */
	private static function render_button( $action, $label ) {
		printf( '<form method="post" action="%s"><input type="hidden" name="action" value="%s">', esc_url( admin_url( 'admin-post.php' ) ), esc_attr( $action ) );
		wp_nonce_field( $action );
		submit_button( $label, 'secondary', 'submit', true );
		echo '</form>';
	}

	/**
	 * How long ago.
	 *
	 * @param int $at Unix time, 0 for never.
	 * @return string
	 */
	private static function ago( $at ) {
		/* translators: %s: a length of time. */
		return $at > 0 ? sprintf( __( '%s ago', 'hookcast' ), human_time_diff( $at ) ) : __( 'never', 'hookcast' );
	}
}

/**
 * Send an event to the browsers that listen on a channel.
 *
 * It is queued and sent when the page is done. The action of the same name does the same, for code that should not break
 * where this file is missing: `do_action( 'hookcast_publish', 'events', 'shop.sale', array( 'percent' => 20 ) );`
 *
 * @param string $channel Channel.
 * @param string $event   Event name.
 * @param mixed  $data    Anything that JSON can carry.
 * @return bool Whether it was taken.
 */
function hookcast_publish( $channel, $event, $data = array() ) {
	if ( Hookcast_Settings::wordsocket() ) {
		return ! is_wp_error( \WPSignal\WPS::publish( $channel, $event, $data ) );
	}
	return Hookcast_Outbox::add( $channel, $event, $data );
}

/**
 * Hook everything in, once all plugins are there and it is known whether WordSocket is one of them.
 */
function hookcast_boot() {
	add_action( 'admin_menu', array( 'Hookcast_Screen', 'menu' ) );
	add_action( 'admin_notices', array( 'Hookcast_Screen', 'notice' ) );
	add_action( 'admin_post_hookcast_save', array( 'Hookcast_Screen', 'save' ) );
	add_action( 'admin_post_hookcast_retry', array( 'Hookcast_Screen', 'retry' ) );
	add_action( 'wp_ajax_' . Hookcast_Background::ACTION, array( 'Hookcast_Background', 'answer_myself' ) );
	add_action( 'wp_ajax_nopriv_' . Hookcast_Background::ACTION, array( 'Hookcast_Background', 'answer_myself' ) );
	add_action( 'hookcast_publish', 'hookcast_publish', 10, 3 );
	add_action( 'shutdown', array( 'Hookcast_Background', 'shutdown' ), PHP_INT_MAX );

	if ( Hookcast_Settings::wordsocket() ) {
		if ( did_action( 'wpsignal_loaded' ) ) {
			Hookcast_Triggers::register();
		} else {
			add_action( 'wpsignal_loaded', array( 'Hookcast_Triggers', 'register' ) );
		}
		return;
	}
	Hookcast_Triggers::register();
	add_action( 'rest_api_init', array( 'Hookcast_Browser', 'register_routes' ) );
	add_action( 'wp_enqueue_scripts', array( 'Hookcast_Browser', 'enqueue' ) );
	add_action( 'admin_enqueue_scripts', array( 'Hookcast_Browser', 'enqueue' ) );
}

/**
 * Point WordSocket here, before it is loaded where that is possible; it reads the address only when it needs it.
 */
function hookcast_point_wordsocket() {
	$connection = Hookcast_Settings::connection();
	if ( '' !== $connection['url'] && ! defined( 'WPSignal\\BASE_URL' ) ) {
		define( 'WPSignal\\BASE_URL', $connection['url'] );
	}
	// One-click connect stores credentials of its own: those are newer than what this file was handed out with.
	if ( '' !== $connection['site_key'] && ! defined( 'WPSIGNAL_SITE_KEY' ) && '' === get_option( 'wpsignal_site_key', '' ) ) {
		define( 'WPSIGNAL_SITE_KEY', $connection['site_key'] );
		define( 'WPSIGNAL_SITE_SECRET', $connection['publish_secret'] );
		define( 'WPSIGNAL_JWT_SECRET', $connection['jwt_secret'] );
	}
}

hookcast_point_wordsocket();
add_action( 'plugins_loaded', 'hookcast_boot', 11 );
add_action(
	'init',
	static function () {
		load_plugin_textdomain( 'hookcast', false, dirname( plugin_basename( __FILE__ ) ) . '/languages' );
	}
);

endif;
