<?php
/**
 * Stands in for the WordSocket plugin: the part of its documented interface that the connector uses. What would be published
 * is written to the lab's log instead.
 */

namespace WPSignal;

/** The builder of one trigger. */
class Trigger {
	private $event;
	private $hook;
	private $priority = 10;
	private $args     = 1;
	private $channel  = 'events';
	private $data;
	private $when;

	public function __construct( $event ) {
		$this->event = $event;
	}

	public function on( $hook, $priority = 10, $accepted_args = 1 ) {
		list( $this->hook, $this->priority, $this->args ) = array( $hook, $priority, $accepted_args );
		return $this;
	}

	public function channel( $channel ) {
		$this->channel = $channel;
		return $this;
	}

	public function data( callable $callback ) {
		$this->data = $callback;
		return $this;
	}

	public function when( callable $callback ) {
		$this->when = $callback;
		return $this;
	}

	public function register() {
		add_action(
			$this->hook,
			function ( ...$args ) {
				if ( null === $this->when || call_user_func_array( $this->when, $args ) ) {
					WPS::publish( $this->channel, $this->event, (array) call_user_func_array( $this->data, $args ) );
				}
			},
			$this->priority,
			$this->args
		);
	}
}

/** The facade. */
class WPS {
	public static $excluded = array();

	public static function instance() {
		static $instance = null;
		$instance        = $instance ? $instance : new self();
		return $instance;
	}

	public function trigger_registry() {
		return $this;
	}

	public function exclude_default_post_type( $post_type ) {
		self::$excluded[] = $post_type;
	}

	public static function trigger( $event ) {
		return new Trigger( $event );
	}

	public static function publish( $channel, $event, $data = array() ) {
		file_put_contents( getenv( 'LAB_LOG' ) . '.wordsocket', wp_json_encode( array( BASE_URL, $channel, $event, $data, self::$excluded ) ) . "\n", FILE_APPEND );
		return array();
	}
}

do_action( 'wpsignal_loaded' );
