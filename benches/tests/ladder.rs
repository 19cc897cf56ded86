//! Every rung runs, with tiny numbers: so that the ladder does not rot between two measurements.

use hookcast_benches::ladder::rungs;

#[test]
fn every_rung_does_its_work_again_and_again() {
    let mut all = rungs(&[1, 3]);
    assert!(all.len() >= 15, "the ladder has lost rungs");
    for rung in &mut all {
        assert!(rung.elements > 0, "{} / {}", rung.group, rung.name);
        for _ in 0..3 {
            (rung.work)();
        }
    }
}
