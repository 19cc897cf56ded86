//! Every fuzz target over its seeds and over mutations of them, so that the targets hold on a stable compiler too.
//!
//! The mutations are the same in every run; `HOOKCAST_FUZZ_SEED` and `HOOKCAST_FUZZ_ROUNDS` choose others and more.

use std::collections::BTreeSet;
use std::path::PathBuf;

#[path = "../fuzz/src/lib.rs"]
mod bodies;

const SEED: u64 = 0x686f_6f6b_6361_7374;
/// Mutations of each seed.
const ROUNDS: u64 = 200;

#[test]
fn every_target_holds_over_its_seeds_and_mutations() {
    let seed = from_env("HOOKCAST_FUZZ_SEED", SEED);
    let rounds = from_env("HOOKCAST_FUZZ_ROUNDS", ROUNDS);
    println!("HOOKCAST_FUZZ_SEED={seed} HOOKCAST_FUZZ_ROUNDS={rounds}");
    for (target, body) in bodies::TARGETS {
        let seeds = seeds_of(target);
        assert!(seeds.len() >= 5, "{target} has {} seeds", seeds.len());
        let mut random = Random(seed);
        for (name, bytes) in &seeds {
            println!("{target}/{name}");
            body(bytes);
            for round in 0..rounds {
                let mut mutated = bytes.clone();
                for _ in 0..=random.below(4) {
                    let other = &seeds[random.below(seeds.len())].1;
                    mutate(&mut mutated, other, &mut random);
                }
                let caught = std::panic::catch_unwind(|| body(&mutated));
                assert!(
                    caught.is_ok(),
                    "{target}/{name}, mutation {round} of seed {seed}: {mutated:?}"
                );
            }
        }
    }
}

#[test]
fn targets_files_and_seeds_belong_together() {
    let listed: BTreeSet<_> = bodies::TARGETS
        .iter()
        .map(|(name, _)| (*name).to_owned())
        .collect();
    let names = |folder: &str| -> BTreeSet<String> {
        let entries = std::fs::read_dir(fuzz_dir().join(folder)).unwrap();
        entries
            .map(|entry| {
                entry
                    .unwrap()
                    .path()
                    .file_stem()
                    .unwrap()
                    .to_str()
                    .unwrap()
                    .to_owned()
            })
            .collect()
    };
    assert_eq!(names("fuzz_targets"), listed);
    assert_eq!(names("seeds"), listed);
}

fn fuzz_dir() -> PathBuf {
    PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("fuzz")
}

/// By name, so that a run is the same on every file system.
fn seeds_of(target: &str) -> Vec<(String, Vec<u8>)> {
    let entries = std::fs::read_dir(fuzz_dir().join("seeds").join(target)).unwrap();
    let mut seeds: Vec<_> = entries
        .map(|entry| {
            let path = entry.unwrap().path();
            (
                path.file_name().unwrap().to_str().unwrap().to_owned(),
                std::fs::read(&path).unwrap(),
            )
        })
        .collect();
    seeds.sort();
    seeds
}

fn from_env(name: &str, default: u64) -> u64 {
    std::env::var(name).map_or(default, |value| {
        value.parse().unwrap_or_else(|_| panic!("{name} is not a number"))
    })
}

fn mutate(bytes: &mut Vec<u8>, other: &[u8], random: &mut Random) {
    const TELLING: &[u8] =
        b"\0\x01\x7d\x7e\x7f\x80\x81\x82\x88\x89\xc2\xed\xf4\xfe\xff\r\n\t \"\\{}[]:,.|-0z";
    let len = bytes.len();
    let at = random.below(len + 1);
    let end = at + random.below(len - at + 1);
    match random.below(8) {
        0 if len > 0 => bytes[at.min(len - 1)] ^= 1 << random.below(8),
        1 if len > 0 => bytes[at.min(len - 1)] = TELLING[random.below(TELLING.len())],
        2 => bytes.insert(at, TELLING[random.below(TELLING.len())]),
        3 => drop(bytes.drain(at..end)),
        4 => bytes.truncate(at),
        5 => {
            let again = bytes[at..end].to_vec();
            bytes.splice(at..at, again);
        }
        6 => {
            let from = random.below(other.len() + 1);
            bytes.splice(at..end, other[from..].iter().copied());
        }
        _ => bytes.extend_from_slice(other),
    }
    // Doubling over and over would make one round as long as all others.
    bytes.truncate(64 * 1024);
}

/// SplitMix64.
struct Random(u64);

impl Random {
    fn next(&mut self) -> u64 {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mut value = self.0;
        value = (value ^ (value >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        value = (value ^ (value >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        value ^ (value >> 31)
    }

    fn below(&mut self, bound: usize) -> usize {
        (self.next() % bound as u64) as usize
    }
}
