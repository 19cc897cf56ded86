<?php
/**
 * What the suite needs inside WordPress, and nothing where it is not the suite that runs.
 *
 * `?lab=emit&n=3` publishes n events, `?lab=do&hook=…&args=[…]` runs an action, `?lab=reset` forgets what the connector
 * remembers. Switches are constants in the lab's constants file.
 */

// Looking for updates would leave the machine, which the lab does not: a fresh one would complain in its log instead.
add_action(
	'plugins_loaded',
	static function () {
		foreach ( array( '_maybe_update_core', '_maybe_update_plugins', '_maybe_update_themes' ) as $check ) {
			remove_action( 'admin_init', $check );
		}
		foreach ( array( 'wp_version_check', 'wp_update_plugins', 'wp_update_themes' ) as $check ) {
			remove_all_actions( $check );
		}
	}
);

if ( ! getenv( 'LAB_TEST' ) ) {
	return;
}

if ( defined( 'LAB_REFRESH_SECONDS' ) ) {
	add_filter(
		'hookcast_refresh_seconds',
		static function () {
			return LAB_REFRESH_SECONDS;
		}
	);
}

if ( defined( 'LAB_FORCE_SSE' ) ) {
	add_filter( 'hookcast_force_sse', '__return_true' );
}

add_filter( 'pre_wp_mail', '__return_false' );

// The list of languages is on the net, where the lab does not go.
add_filter(
	'translations_api',
	static function () {
		return array( 'translations' => array() );
	}
);

add_action(
	'template_redirect',
	static function () {
		// phpcs:disable WordPress.Security.NonceVerification.Recommended -- A lab on loopback.
		$lab = isset( $_GET['lab'] ) ? $_GET['lab'] : '';
		switch ( $lab ) {
			case 'emit':
				$size = isset( $_GET['size'] ) ? (int) $_GET['size'] : 0;
				for ( $i = 0; $i < (int) $_GET['n']; $i++ ) {
					hookcast_publish( 'events', 'lab.n', array( 'i' => $i, 'pad' => str_repeat( 'x', $size ) ) );
				}
				wp_die( 'emitted', '', array( 'response' => 200 ) );
				break;
			case 'do':
				do_action( $_GET['hook'], ...json_decode( wp_unslash( $_GET['args'] ), true ) );
				wp_die( 'done', '', array( 'response' => 200 ) );
				break;
			case 'reset':
				delete_option( 'hookcast_state' );
				delete_option( 'hookcast_triggers' );
				delete_option( 'hookcast_options' );
				wp_die( 'reset', '', array( 'response' => 200 ) );
				break;
			case 'users':
				do_action( 'lab_user', get_user_by( 'login', 'admin' ) );
				wp_die( 'done', '', array( 'response' => 200 ) );
				break;
		}
	}
);

if ( defined( 'LAB_WORDSOCKET' ) ) {
	require __DIR__ . '/wordsocket.php';
}
