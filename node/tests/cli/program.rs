//! The `rookery` program, run in a directory of its own.

use std::io::{BufRead, BufReader};
use std::path::{Path, PathBuf};
use std::process::{Child, ChildStdout, Command, Output, Stdio};

use tempfile::TempDir;

/// One node, with listeners on free ports so that tests run side by side. Ends in `[listen]`.
pub(crate) const FREE_PORTS: &str = "[cluster]\nnodes = 1\nlink = \"127.0.0.1:0\"\n[admin]\nlisten = \"127.0.0.1:0\"\n\
     [listen]\nwebsocket = \"127.0.0.1:0\"\ntcp = \"127.0.0.1:0\"\nhttp = \"127.0.0.1:0\"\n";

/// A directory to run the program in.
pub(crate) struct Program {
    pub(crate) directory: TempDir,
}

impl Program {
    /// With this `cluster.toml`.
    pub(crate) fn with_config(config: &str) -> Self {
        let directory = tempfile::tempdir().unwrap();
        std::fs::write(directory.path().join("cluster.toml"), config).unwrap();
        Self { directory }
    }

    pub(crate) fn path(&self) -> &Path {
        self.directory.path()
    }

    pub(crate) fn command(&self, arguments: &[&str]) -> Command {
        let mut command = Command::new(env!("CARGO_BIN_EXE_rookery"));
        command.args(arguments).current_dir(self.path()).stdin(Stdio::null());
        command
    }

    pub(crate) fn run(&self, arguments: &[&str]) -> Output {
        self.command(arguments).output().unwrap()
    }

    /// What a command that succeeds prints.
    pub(crate) fn stdout_of(&self, arguments: &[&str]) -> String {
        let output = self.run(arguments);
        assert!(output.status.success(), "{arguments:?}: {output:?}");
        String::from_utf8(output.stdout).unwrap()
    }

    /// How a command that fails does so: its exit code and message.
    pub(crate) fn failure_of(&self, arguments: &[&str]) -> (i32, String) {
        let output = self.run(arguments);
        assert!(output.stdout.is_empty(), "{arguments:?}: {output:?}");
        (output.status.code().unwrap(), String::from_utf8(output.stderr).unwrap())
    }

    /// Starts `rookery node` and waits until it is ready.
    pub(crate) fn start_node(&self) -> RunningNode {
        self.start(&["node"])
    }

    /// Starts a command that runs a node and waits until it is ready.
    pub(crate) fn start(&self, arguments: &[&str]) -> RunningNode {
        let log = self.path().join("stderr");
        let stderr = std::fs::File::create(&log).unwrap();
        let mut child = self.command(arguments).stdout(Stdio::piped()).stderr(stderr).spawn().unwrap();
        let mut stdout = BufReader::new(child.stdout.take().unwrap());
        let mut clients = Vec::new();
        let mut http = String::new();
        let mut said = String::new();
        while !(said.contains("ready ") || said.contains("Ctrl-C")) {
            let mut line = String::new();
            if stdout.read_line(&mut line).unwrap() == 0 {
                let stderr = std::fs::read_to_string(&log).unwrap();
                panic!("it ended before it was ready: {:?}\n{said}{stderr}", child.wait());
            }
            for word in line.split([' ', ',', '=', '\n']) {
                match word.split_once("://") {
                    Some(("http", address)) => http = address.to_owned(),
                    Some((scheme, address)) => {
                        clients.push((scheme.to_owned(), address.trim_end_matches("/v1").to_owned()));
                    }
                    None => {}
                }
            }
            said += &line;
        }
        RunningNode { child, clients, http, said, log, _stdout: stdout }
    }
}

/// A node in a process of its own, killed when dropped.
pub(crate) struct RunningNode {
    child: Child,
    clients: Vec<(String, String)>,
    /// The operators' address.
    pub(crate) http: String,
    /// What it said until it was ready.
    pub(crate) said: String,
    log: PathBuf,
    _stdout: BufReader<ChildStdout>,
}

impl RunningNode {
    /// Where it speaks `scheme`.
    pub(crate) fn address(&self, scheme: &str) -> &str {
        let found = self.clients.iter().find(|(found, _)| found == scheme);
        &found.unwrap_or_else(|| panic!("no {scheme} in {:?}", self.clients)).1
    }

    /// Where each node speaks `scheme`.
    pub(crate) fn addresses<'a>(&'a self, scheme: &'a str) -> impl Iterator<Item = &'a str> {
        self.clients.iter().filter(move |(found, _)| found == scheme).map(|(_, address)| address.as_str())
    }

    pub(crate) fn pid(&self) -> u32 {
        self.child.id()
    }

    pub(crate) fn signal(&self, signal: rustix::process::Signal) {
        let pid = rustix::process::Pid::from_child(&self.child);
        rustix::process::kill_process(pid, signal).unwrap();
    }

    /// Waits for the end; its exit code.
    pub(crate) fn wait(mut self) -> Option<i32> {
        self.child.wait().unwrap().code()
    }
}

impl Drop for RunningNode {
    fn drop(&mut self) {
        // After `wait` there is nothing left to kill.
        let _ = self.child.kill();
        let _ = self.child.wait();
        // What a test that fails is asked for.
        if std::thread::panicking() {
            println!("it logged:\n{}", std::fs::read_to_string(&self.log).unwrap_or_default());
        }
    }
}
