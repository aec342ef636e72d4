//! docs/performance.md shows what was measured: between a comment with a command and the next `<!-- end -->` it has what that
//! command prints. With `UPDATE_PAGE=1` the page is made so instead.

use std::path::Path;
use std::process::Command;

const BEGIN: &str = "<!-- $ rookery-bench ";
const END: &str = "<!-- end -->";

/// The page with what its commands print.
fn filled(page: &str, root: &Path) -> String {
    let mut made = String::new();
    let mut lines = page.lines();
    while let Some(line) = lines.next() {
        made += line;
        made += "\n";
        let Some(command) = line.strip_prefix(BEGIN).and_then(|rest| rest.strip_suffix(" -->")) else {
            continue;
        };
        let mut rookery_bench = Command::new(env!("CARGO_BIN_EXE_rookery-bench"));
        let printed = rookery_bench.args(command.split_whitespace()).current_dir(root).output();
        let printed = printed.expect("the program is built with this test");
        assert!(printed.status.success(), "{command}: {}", String::from_utf8_lossy(&printed.stderr));
        let text = String::from_utf8(printed.stdout).expect("it prints text");
        // Tables for a terminal are shown as they are.
        let (fence, text) = (if text.starts_with('|') { "" } else { "```text\n" }, text.trim_end());
        made += &format!("\n{fence}{text}\n{}\n{END}\n", fence.replace("text", ""));
        assert!(lines.by_ref().any(|line| line == END), "nothing ends what '{command}' prints");
    }
    made
}

#[test]
fn the_page_shows_what_was_measured() {
    let root = Path::new(env!("CARGO_MANIFEST_DIR")).parent().expect("the workspace's folder");
    let path = root.join("docs/performance.md");
    let page = std::fs::read_to_string(&path).expect("the page");
    let filled = filled(&page, root);
    if std::env::var_os("UPDATE_PAGE").is_some() {
        std::fs::write(&path, filled).expect("the page can be written");
        return;
    }
    assert!(page.contains(BEGIN), "the page shows something");
    for (shown, measured) in page.lines().zip(filled.lines()) {
        assert_eq!(shown, measured, "UPDATE_PAGE=1 cargo test -p rookery-bench --test page");
    }
    assert_eq!(page.lines().count(), filled.lines().count());
}
