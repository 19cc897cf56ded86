<?php
/**
 * Sets the lab's WordPress up without a browser: `php install.php ROOT`, with the environment that wp-config.php reads.
 * Run again on a site that is set up already, it does nothing.
 */

define( 'WP_INSTALLING', true );
$_SERVER['HTTP_HOST']       = (string) parse_url( (string) getenv( 'LAB_URL' ), PHP_URL_HOST );
$_SERVER['SERVER_PROTOCOL'] = 'HTTP/1.1';
$_SERVER['REQUEST_METHOD']  = 'GET';

$database = mysqli_init();
$database->real_connect( 'localhost', 'root', '', '', 0, (string) getenv( 'LAB_DB_SOCKET' ) );
$database->query( 'CREATE DATABASE IF NOT EXISTS wordpress DEFAULT CHARACTER SET utf8mb4' );
$database->close();

require $argv[1] . '/wp-load.php';
require_once ABSPATH . 'wp-admin/includes/upgrade.php';

if ( is_blog_installed() ) {
	exit( 0 );
}

// Nothing leaves the machine, and there is nobody to write to.
add_filter( 'pre_wp_mail', '__return_false' );
wp_install( 'hookcast lab', 'admin', 'admin@example.test', false, '', 'admin' );
update_option( 'permalink_structure', '/%postname%/' );
update_option( 'timezone_string', 'UTC' );
update_option( 'comment_moderation', '1' );
update_option( 'active_plugins', array() );
flush_rewrite_rules( false );

foreach ( array( 'editor' => 'editor', 'reader' => 'subscriber' ) as $name => $role ) {
	$user = wp_insert_user(
		array(
			'user_login' => $name,
			'user_pass'  => $name,
			'user_email' => $name . '@example.test',
			'role'       => $role,
		)
	);
	if ( is_wp_error( $user ) ) {
		fwrite( STDERR, $user->get_error_message() . "\n" );
		exit( 1 );
	}
}
// The editor's welcome guide would sit on top of what a test clicks on.
foreach ( get_users() as $user ) {
	update_user_meta( $user->ID, 'wp_persisted_preferences', array( 'core/edit-post' => array( 'welcomeGuide' => false ), '_modified' => gmdate( 'c' ) ) );
}
