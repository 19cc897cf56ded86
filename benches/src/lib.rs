//! What the benches share: the ladder's rungs, a counting allocator, clocks of CPU time, and pinning.

pub mod allocations;
pub mod cpu;
pub mod ladder;
