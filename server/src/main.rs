use std::process::ExitCode;

/// Many small allocations of a few sizes, freed on the core that made them.
#[global_allocator]
static ALLOCATOR: mimalloc::MiMalloc = mimalloc::MiMalloc;

fn main() -> ExitCode {
    hookcast::cli::run()
}
