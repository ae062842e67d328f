//! Patterns over time: stories of several events, many of them going on at once.
//!
//! A story is a chain of states. Its ids stay the same from its first event to its last.

use super::catalogue::Level;
use super::random::Random;
use super::template::Template;

/// How many stories go on at the same time.
const LIVE: usize = 16;

/// How often a story is moved on in search of an event that is serious enough.
const TRIES_MAX: u32 = 64;

/// One state of a story.
struct State {
    level: Level,
    /// Who tells of it; `None`: one service from the first state to the last.
    service: Option<&'static str>,
    /// How often it comes in a row, at most.
    times_max: u32,
    message: &'static str,
}

const fn state(level: Level, service: &'static str, message: &'static str) -> State {
    State { level, service: Some(service), times_max: 1, message }
}

const fn own(level: Level, message: &'static str) -> State {
    State { level, service: None, times_max: 1, message }
}

/// Login, browse, purchase, logout.
const USER_SESSION: [State; 4] = [
    state(Level::Info, "auth-service", "Login of user {user}"),
    State {
        level: Level::Info,
        service: Some("inventory-service"),
        times_max: 4,
        message: "Browse: user {user} looks at \"{item}\"",
    },
    state(Level::Info, "payment-service", "Purchase by user {user}, total {money} EUR"),
    state(Level::Info, "user-service", "Logout of user {user}"),
];

/// Request, auth, process, query, response.
const API_REQUEST: [State; 5] = [
    state(Level::Info, "order-service", "Request for {path} received"),
    state(Level::Debug, "auth-service", "Auth: token of user {user} is valid"),
    state(Level::Info, "order-service", "Process: request of user {user} accepted"),
    state(Level::Debug, "inventory-service", "Query on {host} answered in {ms}ms"),
    state(Level::Info, "order-service", "Response sent, status 200"),
];

/// Warning, degraded, error, circuit breaker, recovery.
const ERROR_RECOVERY: [State; 5] = [
    own(Level::Warning, "Warning: {host} answers slowly, {ms}ms"),
    own(Level::Warning, "Degraded: {percent}% of the calls to {host} are late"),
    own(Level::Error, "Error: call to {host} failed after {ms}ms"),
    own(Level::Critical, "Circuit breaker open, calls to {host} are refused"),
    own(Level::Info, "Recovery: circuit breaker closed, {host} answers again"),
];

const STORIES: [&[State]; 3] = [&USER_SESSION, &API_REQUEST, &ERROR_RECOVERY];

/// Services whose errors are told.
const SERVICES: [&str; 5] =
    ["user-service", "auth-service", "order-service", "payment-service", "inventory-service"];

/// What stays the same through a story.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Ids {
    /// Bits of the event id.
    pub(super) id: u64,
    /// Bits of the request id.
    pub(super) request: u64,
    /// The user.
    pub(super) user: u32,
}

impl Ids {
    /// New ids.
    pub(super) fn draw(random: &mut Random) -> Self {
        Self { id: random.bits(), request: random.bits(), user: 10_000 + random.below(90_000) }
    }
}

/// A story that is being told.
struct Live {
    story: usize,
    /// The coming state, and how often it still comes.
    state: usize,
    times: u32,
    service: &'static str,
    ids: Ids,
}

impl Live {
    fn begin(random: &mut Random) -> Self {
        Self {
            story: random.below(STORIES.len() as u32) as usize,
            state: 0,
            times: 1,
            service: *random.pick(&SERVICES),
            ids: Ids::draw(random),
        }
    }
}

/// One event of a story.
pub(super) struct Step<'a> {
    pub(super) level: Level,
    pub(super) service: &'static str,
    pub(super) message: &'a Template,
    pub(super) ids: Ids,
}

/// The stories that go on.
pub(super) struct Sequences {
    live: Vec<Live>,
    messages: Vec<Vec<Template>>,
}

impl Sequences {
    /// The built-in stories, all at their beginning.
    pub(super) fn new(random: &mut Random) -> Self {
        let compile =
            |story: &&[State]| story.iter().map(|state| Template::compile(state.message)).collect();
        Self {
            live: (0..LIVE).map(|_| Live::begin(random)).collect(),
            messages: STORIES.iter().map(compile).collect(),
        }
    }

    /// The next event of one of the stories that is at least of the level; `None` if none was found.
    pub(super) fn step(&mut self, least: Level, random: &mut Random) -> Option<Step<'_>> {
        for _ in 0..TRIES_MAX {
            let at = random.below(LIVE as u32) as usize;
            let live = &mut self.live[at];
            let (story, index) = (live.story, live.state);
            let state = &STORIES[story][index];
            let service = state.service.unwrap_or(live.service);
            let ids = live.ids;
            live.times -= 1;
            if live.times == 0 {
                match STORIES[story].get(index + 1) {
                    Some(next) => {
                        live.state += 1;
                        live.times = 1 + random.below(next.times_max);
                    }
                    None => *live = Live::begin(random),
                }
            }
            if state.level >= least {
                let message = &self.messages[story][index];
                return Some(Step { level: state.level, service, message, ids });
            }
        }
        None
    }
}

#[cfg(test)]
mod tests {
    use std::collections::HashMap;

    use super::*;
    use crate::generator::template::Values;

    /// The first words of every story that was told from its first to its last event.
    fn told(least: Level) -> Vec<Vec<String>> {
        let mut random = Random::new(11);
        let mut sequences = Sequences::new(&mut random);
        let mut stories: HashMap<u64, (Ids, Vec<String>)> = HashMap::new();
        for _ in 0..5_000 {
            let Some(step) = sequences.step(least, &mut random) else { continue };
            assert!(step.level >= least);
            let mut message = Vec::new();
            let values = Values { user: step.ids.user, duration_ms: 5 };
            step.message.render(&mut Random::new(1), values, &mut message);
            let message = String::from_utf8(message).unwrap();
            assert!(!message.contains(['{', '}']), "{message}");
            let word = message.split([' ', ':']).next().unwrap().to_lowercase();
            let (ids, words) = stories.entry(step.ids.id).or_insert((step.ids, Vec::new()));
            assert_eq!(*ids, step.ids, "ids stay the same");
            words.push(word);
        }
        stories.into_values().map(|(_, words)| words).collect()
    }

    #[test]
    fn stories_are_told_in_the_order_of_their_states() {
        let chains = [
            vec!["login", "browse", "purchase", "logout"],
            vec!["request", "auth", "process", "query", "response"],
            vec!["warning", "degraded", "error", "circuit", "recovery"],
        ];
        let mut complete = [0; 3];
        let mut browsed = 0;
        for mut words in told(Level::Debug) {
            let before = words.len();
            words.dedup();
            browsed = browsed.max(1 + before - words.len());
            let of = chains.iter().position(|chain| chain.starts_with(&[&words[0]])).unwrap();
            assert!(chains[of].iter().zip(&words).all(|(state, word)| state == word), "{words:?}");
            complete[of] += u32::from(words.len() == chains[of].len());
        }
        assert!(complete.iter().all(|stories| *stories > 250), "{complete:?}");
        assert_eq!(browsed, 4, "a session browses up to four times");
    }

    #[test]
    fn of_stories_only_the_serious_events_are_told() {
        for words in told(Level::Error) {
            assert!(words == ["error", "circuit"] || words == ["error"] || words == ["circuit"]);
        }
    }
}
