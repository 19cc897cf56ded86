use std::process::ExitCode;

/// Many small allocations of a few sizes, freed on the core that made them.
#[global_allocator]
static ALLOCATOR: mimalloc::MiMalloc = mimalloc::MiMalloc;

fn main() -> ExitCode {
    // Huge pages would make a relay of a few megabytes one of thirty, and save nothing that can be measured. Where the
    // kernel does not know the call, there are none to forbid.
    let _ = rustix::thread::disable_transparent_huge_pages(true);
    hookcast::cli::run()
}
