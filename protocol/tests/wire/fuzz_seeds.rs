//! The fuzzers begin from the vectors: `fuzz/corpus/<target>/seed-<name>`.

use std::collections::BTreeMap;
use std::path::PathBuf;

use crate::vector_file::{entries_of, unhex};
use crate::{evolution, examples};

/// What a target begins with.
fn seeds() -> BTreeMap<String, Vec<u8>> {
    let known = examples::all().into_iter().map(|example| (example.name.to_owned(), example.frame.to_vec()));
    let newer = entries_of(&evolution::produced());
    let newer = newer
        .iter()
        .map(|vector| (vector.field("name").text().to_owned(), unhex(vector.field("frame").text())));
    known.chain(newer).map(|(name, frame)| (format!("seed-{name}"), frame)).collect()
}

#[test]
fn the_fuzzers_seeds_are_the_vectors_frames() {
    for target in ["decoder", "roundtrip"] {
        let directory = PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("fuzz/corpus").join(target);
        let seeds = seeds();
        if std::env::var_os("ROOKERY_BLESS").is_some() {
            std::fs::create_dir_all(&directory).unwrap();
            seeds.iter().for_each(|(name, bytes)| std::fs::write(directory.join(name), bytes).unwrap());
        }
        for (name, bytes) in &seeds {
            let committed = std::fs::read(directory.join(name));
            assert!(
                committed.is_ok_and(|committed| &committed == bytes),
                "{target}/{name}; run with ROOKERY_BLESS=1"
            );
        }
        let committed = std::fs::read_dir(&directory).unwrap().map(|entry| entry.unwrap().file_name());
        let committed: Vec<_> = committed.filter_map(|name| name.into_string().ok()).collect();
        for name in committed.iter().filter(|name| name.starts_with("seed-")) {
            assert!(seeds.contains_key(name), "{target}/{name} is of no vector");
        }
    }
}
