//! `cargo bench -p hookcast-benches --bench ladder`: times every rung of the ladder.
//!
//! The top rung runs the relay that was built beside this program; `cargo xtask bench` sees to that.

use criterion::{Criterion, Throughput};
use hookcast_benches::ladder::{AUDIENCES, Rung, rungs, whole_server};

fn measure(criterion: &mut Criterion, mut rung: Rung) {
    let mut group = criterion.benchmark_group(rung.group);
    group.throughput(Throughput::Elements(rung.elements));
    group.bench_function(&rung.name, |bencher| bencher.iter(&mut rung.work));
    group.finish();
}

fn main() {
    let mut criterion = Criterion::default().configure_from_args();
    rungs(&AUDIENCES)
        .into_iter()
        .for_each(|rung| measure(&mut criterion, rung));
    let own = std::env::current_exe().expect("own path");
    match own
        .ancestors()
        .nth(2)
        .map(|directory| directory.join("hookcast"))
        .filter(|program| program.exists())
    {
        Some(program) => measure(&mut criterion, whole_server(&program)),
        None => eprintln!("server: left out; `cargo build --release` builds the relay that it needs"),
    }
    criterion.final_summary();
}
