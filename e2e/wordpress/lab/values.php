<?php
/**
 * Paths, comparisons and values of the connector, as a table: `php values.php ROOT`. Prints what is wrong, and fails then.
 */

$_SERVER['HTTP_HOST'] = '127.0.0.1';
require $argv[1] . '/wp-load.php';

$wrong = 0;
$check = static function ( $what, $got, $wanted ) use ( &$wrong ) {
	if ( $got !== $wanted ) {
		++$wrong;
		echo $what . ': ' . var_export( $got, true ) . ' instead of ' . var_export( $wanted, true ) . "\n";
	}
};

/** Reading it would run code of its own. */
final class Lab_Trap {
	public $open = 'seen';
	public function __get( $name ) {
		throw new LogicException( $name );
	}
	public function __isset( $name ) {
		return true;
	}
}

$endless       = new stdClass();
$endless->self = $endless;
$input         = array( array( 'a' => array( 'b' => 'c' ), 'user_pass' => 'x', 'list' => array( 1, 2 ) ), new Lab_Trap(), $endless, 1.5, null );

$paths = array(
	array( '0.a.b', array( true, 'c' ) ),
	array( '0.a', array( true, array( 'b' => 'c' ) ) ),
	array( '0.list.1', array( true, 2 ) ),
	array( '0.user_pass', array( false, null ) ),
	array( '0.a.b.c', array( false, null ) ),
	array( '1.open', array( true, 'seen' ) ),
	array( '1.closed', array( false, null ) ),
	array( '4', array( true, null ) ),
	array( '5', array( false, null ) ),
	array( '0..b', array( false, null ) ),
	array( implode( '.', array_fill( 0, 9, '0' ) ), array( false, null ) ),
);
foreach ( $paths as $case ) {
	$check( 'path ' . $case[0], Hookcast_Values::find( $input, $case[0] ), $case[1] );
}
$check( 'no credential in a whole', strpos( wp_json_encode( Hookcast_Values::find( $input, '' )[1] ), 'user_pass' ), false );
$check( 'an endless object ends', strlen( wp_json_encode( Hookcast_Values::find( $input, '2' )[1] ) ) < 200, true );
$check( 'long texts are cut', strlen( Hookcast_Values::plain( str_repeat( 'x', 100000 ), 0 ) ), 65536 );
$check( 'wide arrays are cut', count( Hookcast_Values::plain( range( 1, 1000 ), 0 ) ), 200 );
$check( 'not a number', Hookcast_Values::plain( NAN, 0 ), null );
$check( 'bytes that are no text', preg_match( '/^a.?b$/u', Hookcast_Values::plain( "a\xffb", 0 ) ), 1 );

$comparisons = array(
	// comparison, found, value, wanted, holds.
	array( 'equals', true, '5', 5, true ),
	array( 'equals', true, '5.0', 5, true ),
	array( 'equals', true, '5', '5.0', false ),
	array( 'equals', true, true, 1, false ),
	array( 'equals', true, null, null, true ),
	array( 'equals', false, null, null, false ),
	array( 'equals', true, 'abc', 0, false ),
	array( 'equals', true, array( 'a' => 1 ), array( 'a' => 1 ), true ),
	array( 'not_equals', true, 'publish', 'draft', true ),
	array( 'not_equals', false, null, 'draft', true ),
	array( 'contains', true, 'a long text', 'long', true ),
	array( 'contains', true, array( 'x', '7' ), 7, true ),
	array( 'contains', true, 'text', '', false ),
	array( 'contains', true, true, 'true', false ),
	array( 'not_contains', true, array( 'x' ), 'y', true ),
	array( 'not_contains', false, null, 'y', true ),
	array( 'starts_with', true, 'wc-completed', 'wc-', true ),
	array( 'starts_with', true, 'c', 'wc-', false ),
	array( 'ends_with', true, 'photo.jpg', '.jpg', true ),
	array( 'ends_with', true, 'g', '.jpg', false ),
	array( 'greater_than', true, '10', 9, true ),
	array( 'greater_than', true, '10', '9', false ),
	array( 'greater_than', true, 'ten', 9, false ),
	array( 'at_least', true, 9, 9, true ),
	array( 'less_than', true, 8.5, '9', true ),
	array( 'at_most', true, array(), 9, false ),
	array( 'at_most', false, null, 9, false ),
	array( 'exists', true, null, null, true ),
	array( 'exists', false, null, null, false ),
	array( 'missing', false, null, null, true ),
	array( 'invented', true, 1, 1, false ),
);
foreach ( $comparisons as $case ) {
	$check( wp_json_encode( $case ), Hookcast_Values::compare( $case[0], $case[1], $case[2], $case[3] ), $case[4] );
}

$protected = new WP_Post( (object) array( 'ID' => 1, 'post_title' => 'T', 'post_content' => 'C', 'post_password' => 'p' ) );
$check( 'a protected post', Hookcast_Values::find( $protected, 'post_content' ), array( false, null ) );
$check( 'its title', Hookcast_Values::find( $protected, 'post_title' ), array( true, 'T' ) );

echo count( $paths ) + count( $comparisons ) . " cases\n";
exit( $wrong > 0 ? 1 : 0 );
