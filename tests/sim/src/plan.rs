//! What is to happen, and when: all of it grows from a seed. Parts of it may be left out, to see whether they matter.

use std::ops::Range;
use std::str::FromStr;
use std::time::Duration;

use rand::rngs::StdRng;
use rand::{RngExt, SeedableRng};
use rookery_actors::{ActorsConfig, Rates};
use rookery_tests::chaos::{
    AsideAct, ClientFault, Gathering, GroupAct, GroupLoad, GroupRates, Load, Saying, Sending, asides,
};

use crate::trouble::Trouble;
use crate::world::Nature;

/// Which of a list's items are kept, by their places.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub enum Kept {
    /// All.
    #[default]
    All,
    /// These.
    These(Vec<usize>),
}

impl Kept {
    /// Whether this one is.
    pub fn keeps(&self, place: usize) -> bool {
        match self {
            Self::All => true,
            Self::These(places) => places.binary_search(&place).is_ok(),
        }
    }

    /// Whether all are.
    pub fn is_all(&self) -> bool {
        *self == Self::All
    }
}

/// "all", "none", or places and ranges of them: "0,3,7-19".
impl FromStr for Kept {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        let number = |text: &str| {
            text.trim()
                .parse::<usize>()
                .map_err(|_| format!("'{text}' is no number; expected all, none, or places such as 0,3,7-19"))
        };
        match text {
            "all" => return Ok(Self::All),
            "none" => return Ok(Self::These(Vec::new())),
            _ => {}
        }
        let mut places = Vec::new();
        for part in text.split(',') {
            match part.split_once('-') {
                Some((from, to)) => {
                    let (from, to) = (number(from)?, number(to)?);
                    if to.saturating_sub(from) > 1_000_000 {
                        return Err(format!("'{part}' is more than a plan has"));
                    }
                    places.extend(from..=to);
                }
                None => places.push(number(part)?),
            }
        }
        places.sort_unstable();
        places.dedup();
        Ok(Self::These(places))
    }
}

impl std::fmt::Display for Kept {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let Self::These(places) = self else { return f.write_str("all") };
        if places.is_empty() {
            return f.write_str("none");
        }
        let mut runs: Vec<(usize, usize)> = Vec::new();
        for place in places {
            match runs.last_mut() {
                Some((_, last)) if *last + 1 == *place => *last = *place,
                _ => runs.push((*place, *place)),
            }
        }
        let run = |(from, to): &(usize, usize)| {
            if from == to { from.to_string() } else { format!("{from}-{to}") }
        };
        f.write_str(&runs.iter().map(run).collect::<Vec<_>>().join(","))
    }
}

/// What of a plan is carried out.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Keep {
    /// Of the troubles of nodes.
    pub troubles: Kept,
    /// Of the faults of clients.
    pub faults: Kept,
    /// Of what clients say and do.
    pub doings: Kept,
}

/// Something at its time.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Timed<T> {
    /// Since the beginning of the storm.
    pub at: Duration,
    /// What.
    pub what: T,
}

/// Something that a client says or does.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Doing {
    /// Writes to somebody.
    Sending(Sending),
    /// Does something in a group.
    Gathering(Gathering),
    /// Does something else.
    Aside(usize, AsideAct),
}

/// All that will happen.
#[derive(Debug, Clone)]
pub struct Plan {
    /// What it grew from.
    pub seed: u64,
    /// What the world is like.
    pub nature: Nature,
    /// Nodes that run only at times: the last ones.
    pub spares: usize,
    /// How many devices each user has.
    pub devices: Vec<usize>,
    /// How long it goes on.
    pub storm: Duration,
    /// Groups that there are at first: who makes each, and with whom.
    pub groups: Vec<(usize, Vec<usize>)>,
    /// In order of time.
    pub doings: Vec<Timed<Doing>>,
    /// In order of time.
    pub troubles: Vec<Timed<Trouble>>,
    /// Clients' own misfortunes, in order of time.
    pub faults: Vec<Timed<(usize, ClientFault)>>,
}

/// Between two rushes, on average.
const RUSH_EVERY: Duration = Duration::from_secs(30);

/// How many there are at once before a silence.
const RUSHES_BEFORE_SILENCE: usize = 3;

/// How long one goes on, in milliseconds.
const RUSH_MS: u64 = 1_500;

fn millis(rng: &mut StdRng, range: Range<u64>) -> Duration {
    Duration::from_millis(rng.random_range(range))
}

/// Moments with exponential gaps of this mean.
fn moments(rng: &mut StdRng, mean: Duration, within: Duration) -> Vec<Duration> {
    let mut at = Duration::ZERO;
    let mut moments = Vec::new();
    loop {
        let even: f64 = rng.random();
        at += mean.mul_f64(-(1.0 - even).ln());
        if at >= within {
            return moments;
        }
        moments.push(at);
    }
}

/// A part of a storm: nodes have troubles, then they have none, and then there is silence.
struct Spell {
    front: Range<Duration>,
    silence: Range<Duration>,
}

/// What a storm consists of. In a silence, of so long at least, nobody says or does anything, so nothing heals what was lost
/// before: neither what comes next nor a connection that is made anew.
fn spells(rng: &mut StdRng, silence: Duration, within: Duration) -> Vec<Spell> {
    let mut spells = Vec::new();
    let mut at = millis(rng, 0..30_000);
    while at < within {
        let passed = at + millis(rng, 20_000..100_000);
        let begins = passed + millis(rng, 16_000..40_000);
        let ends = begins + silence + millis(rng, 5_000..20_000);
        spells.push(Spell { front: at..passed, silence: begins..ends });
        at = ends + millis(rng, 0..20_000);
    }
    spells
}

/// Some who write a lot to a few others, all at once.
fn rush_hour(rng: &mut StdRng, begins: Duration, clients: usize, users: usize) -> Vec<Timed<Doing>> {
    let pairs: Vec<(usize, usize)> = (0..rng.random_range(1..4))
        .map(|_| (rng.random_range(0..clients), rng.random_range(0..users)))
        .collect();
    let mut rush = Vec::new();
    for _ in 0..rng.random_range(5..40) {
        let (client, to) = pairs[rng.random_range(0..pairs.len())];
        let at = begins + millis(rng, 0..RUSH_MS);
        let sending = Sending { at, client, to, saying: Saying::Plain, bytes: rng.random_range(0..100) };
        rush.push(Timed { at, what: Doing::Sending(sending) });
    }
    rush
}

impl Plan {
    /// The plan of a seed, with a storm of so long.
    pub fn new(seed: u64, storm: Duration) -> Self {
        let mut rng = StdRng::seed_from_u64(seed);
        let regular = [1, 2, 3, 3, 3, 4, 5][rng.random_range(0..7)];
        let spares = if rng.random_ratio(1, 3) { rng.random_range(1..3) } else { 0 };
        let users = rng.random_range(2..8);
        let devices: Vec<usize> =
            (0..users).map(|_| if rng.random_ratio(1, 4) { rng.random_range(2..4) } else { 1 }).collect();
        let clients = devices.iter().sum();
        let heartbeat = [2, 5, 30].map(Duration::from_secs);
        let config = ActorsConfig {
            shards: rng.random_range(1..6),
            heartbeat: heartbeat[rng.random_range(0..3)],
            connection_idle: millis(&mut rng, 100..10_000),
            session_idle: millis(&mut rng, 50..10_000),
            write_stall: millis(&mut rng, 2_000..30_000),
            window_events_max: [2, 16, 256][rng.random_range(0..3)],
            // What people may do is not what is tested here, and clients here are no people.
            rates: Rates::default(),
            ..ActorsConfig::default()
        };
        let age_max = rng.random_ratio(1, 4).then(|| Duration::from_secs(rng.random_range(240..900)));
        // A clock that jumps by a day makes everything too old.
        let clocks_go_wrong = age_max.is_none() && rng.random();
        // Nodes whose clocks differ do not agree on what has disappeared, and what was removed for its age nobody can refer to.
        let sayable = |saying| match saying {
            Saying::Timer(_) if clocks_go_wrong || age_max.is_some() => Saying::Plain,
            Saying::About { .. } if age_max.is_some() => Saying::Plain,
            saying => saying,
        };
        let nature = Nature { nodes: regular + spares, config, age_max };

        let mut load = Load::new(rng.random(), clients, users, 1);
        let rate: f64 = rng.random_range(0.2..1.0);
        let mut doings: Vec<Timed<Doing>> = load
            .by_ref()
            .take_while(|sending| sending.at < storm)
            .filter(|_| rng.random::<f64>() < rate)
            .map(|sending| Sending { saying: sayable(sending.saying), ..sending })
            .map(|sending| Timed { at: sending.at, what: Doing::Sending(sending) })
            .collect();
        let mut groups = Vec::new();
        if rng.random_ratio(2, 3) {
            let rates =
                GroupRates { messages: rng.random_range(0.1..1.0), changes: rng.random_range(0.02..0.4) };
            let count = rng.random_range(1..4);
            let mut load = GroupLoad::new(rng.random(), &devices, count, rates);
            groups = load.first();
            let gatherings = load.take_while(|gathering| gathering.at < storm);
            doings.extend(gatherings.map(|mut gathering| {
                if let GroupAct::Say { saying, .. } = &mut gathering.act {
                    *saying = sayable(*saying);
                }
                Timed { at: gathering.at, what: Doing::Gathering(gathering) }
            }));
        }
        let spells = spells(&mut rng, nature.patience(), storm);
        let in_a_front = |at: &Duration| spells.iter().any(|spell| spell.front.contains(at));
        let in_a_silence = |at: &Duration| spells.iter().any(|spell| spell.silence.contains(at));
        let mut rushes = moments(&mut rng, RUSH_EVERY, storm);
        // Silence falls in the middle of a rush.
        for spell in &spells {
            let last = spell.silence.start - Duration::from_millis(RUSH_MS);
            rushes.extend([last; RUSHES_BEFORE_SILENCE]);
        }
        for rush in &rushes {
            doings.extend(rush_hour(&mut rng, *rush, clients, users));
        }
        let others = asides(&mut rng, clients, storm, |rng, _| rng.random_range(0..users));
        doings
            .extend(others.into_iter().map(|it| Timed { at: it.at, what: Doing::Aside(it.client, it.act) }));
        doings.retain(|doing| doing.at < storm && !in_a_silence(&doing.at));
        doings.sort_by_key(|doing| doing.at);

        let calm = Duration::from_secs(rng.random_range(3..20));
        let trouble =
            |rng: &mut StdRng| Trouble::random(rng, regular + spares, spares, users, clocks_go_wrong);
        let mut troubles = moments(&mut rng, calm, storm);
        troubles.retain(in_a_front);
        let mut troubles: Vec<_> =
            troubles.into_iter().map(|at| Timed { at, what: trouble(&mut rng) }).collect();
        let calm = Duration::from_secs(rng.random_range(2..30));
        let faults = moments(&mut rng, calm, storm);
        let fault = |rng: &mut StdRng| (rng.random_range(0..clients), ClientFault::random(rng));
        let mut faults: Vec<_> = faults.into_iter().map(|at| Timed { at, what: fault(&mut rng) }).collect();
        // Where most is under way something goes wrong.
        for rush in rushes {
            if in_a_front(&rush) && rng.random() {
                let at = rush + millis(&mut rng, 0..RUSH_MS);
                troubles.push(Timed { at, what: trouble(&mut rng) });
            }
            for _ in 0..rng.random_range(0..3) {
                let at = rush + millis(&mut rng, 0..RUSH_MS);
                faults.push(Timed { at, what: fault(&mut rng) });
            }
        }
        faults.retain(|fault| fault.at < storm && !in_a_silence(&fault.at));
        troubles.sort_by_key(|trouble| trouble.at);
        faults.sort_by_key(|fault| fault.at);
        Self { seed, nature, spares, devices, storm, groups, doings, troubles, faults }
    }

    /// Without what is not to be kept.
    pub fn keep(mut self, keep: &Keep) -> Self {
        fn retain<T>(items: &mut Vec<T>, keep: &Kept) {
            let mut place = 0;
            items.retain(|_| {
                place += 1;
                keep.keeps(place - 1)
            });
        }
        retain(&mut self.troubles, &keep.troubles);
        retain(&mut self.faults, &keep.faults);
        retain(&mut self.doings, &keep.doings);
        self
    }

    /// Nodes that run at first, and at the end.
    pub fn regular(&self) -> Vec<usize> {
        (0..self.nature.nodes - self.spares).collect()
    }
}
