//! The number a run grows from.

/// Names the seed to replay.
pub const SEED_ENV: &str = "ROOKERY_SEED";

/// The seed in `ROOKERY_SEED`, else `default`. It is printed, and a failing test shows it.
///
/// # Panics
/// When the variable holds no number.
pub fn seed(default: u64) -> u64 {
    let seed = match std::env::var(SEED_ENV) {
        Ok(text) => match text.parse() {
            Ok(seed) => seed,
            Err(_) => panic!("{SEED_ENV}={text} is no number"),
        },
        Err(_) => default,
    };
    println!("seed {seed}: replay with {SEED_ENV}={seed}");
    seed
}
