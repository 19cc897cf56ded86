//! The relay with an allocator that counts, for the test that a delivery allocates nothing. A line on its standard input is
//! answered with the allocations so far.

use std::io::BufRead;
use std::process::ExitCode;

use hookcast_benches::allocations::{Counting, so_far};

#[global_allocator]
static ALLOCATOR: Counting = Counting;

fn main() -> ExitCode {
    std::thread::spawn(|| {
        for _ in std::io::stdin().lock().lines() {
            println!("allocations {}", so_far());
        }
    });
    hookcast::cli::run()
}
