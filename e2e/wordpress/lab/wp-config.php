<?php
/**
 * The lab's WordPress: every address comes from the environment that `cargo xtask wordpress` starts PHP with, so that one
 * unpacked WordPress serves any number of runs.
 */

define( 'DB_NAME', 'wordpress' );
define( 'DB_USER', 'root' );
define( 'DB_PASSWORD', '' );
define( 'DB_HOST', 'localhost:' . getenv( 'LAB_DB_SOCKET' ) );
define( 'DB_CHARSET', 'utf8mb4' );
define( 'DB_COLLATE', '' );
$table_prefix = 'wp_';

// A site's own keys: the encryption key of its events is derived from them, so they have to be stable within a run.
foreach ( array( 'AUTH_KEY', 'SECURE_AUTH_KEY', 'LOGGED_IN_KEY', 'NONCE_KEY', 'AUTH_SALT', 'SECURE_AUTH_SALT', 'LOGGED_IN_SALT', 'NONCE_SALT' ) as $name ) {
	define( $name, hash( 'sha256', $name . getenv( 'LAB_SALT' ) ) );
}

define( 'WP_HOME', getenv( 'LAB_URL' ) );
define( 'WP_SITEURL', getenv( 'LAB_URL' ) );
define( 'WP_ENVIRONMENT_TYPE', 'local' );
define( 'WP_DEBUG', true );
define( 'WP_DEBUG_DISPLAY', false );
define( 'WP_DEBUG_LOG', getenv( 'LAB_LOG' ) );
define( 'WP_HTTP_BLOCK_EXTERNAL', true );
define( 'WP_ACCESSIBLE_HOSTS', '127.*,localhost' );
define( 'DISABLE_WP_CRON', true );
define( 'AUTOMATIC_UPDATER_DISABLED', true );
define( 'WP_AUTO_UPDATE_CORE', false );
define( 'WP_MEMORY_LIMIT', '256M' );
define( 'FS_METHOD', 'direct' );

// What wires the site to the relay, as a JSON object of constants: a test rewrites the file and the next request follows.
$lab_constants = json_decode( (string) @file_get_contents( getenv( 'LAB_CONSTANTS' ) ), true );
foreach ( is_array( $lab_constants ) ? $lab_constants : array() as $name => $value ) {
	define( $name, $value );
}

if ( ! defined( 'ABSPATH' ) ) {
	define( 'ABSPATH', __DIR__ . '/' );
}
require_once ABSPATH . 'wp-settings.php';
