//! Where this process stands among those of its terminal.

use std::fs;

/// Whether the terminal's session began with this process: no shell of that session could have started it.
pub(super) fn is_first_of_session() -> bool {
    fs::read_to_string("/proc/self/stat").is_ok_and(|stat| says_first_of_session(&stat))
}

/// Reads a process's `stat`, see proc(5). The program's name is in parentheses, and may have some itself.
///
/// Not `getsid`: for a session that began outside of this process's container that answers 0, which `rustix` takes to be
/// impossible.
fn says_first_of_session(stat: &str) -> bool {
    let (pid, rest) = stat.split_once(" (").unwrap_or_default();
    let (_, after_name) = rest.rsplit_once(") ").unwrap_or_default();
    // State, parent, process group, session.
    after_name.split(' ').nth(3).is_some_and(|session| session == pid)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_who_began_the_session_is_its_first() {
        assert!(says_first_of_session("71 (rookery) S 1 71 71 34816 71 4194304"));
        assert!(!says_first_of_session("72 (rookery) S 71 72 71 34816 72 4194304"));
        assert!(!says_first_of_session("72 (a (b) c) S 71 72 71 34816 72 4194304"));
        assert!(!says_first_of_session("5 (rookery) S 1 0 0 0 -1 4194304"), "the session began outside");
    }
}
