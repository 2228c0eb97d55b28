//! The program at a cluster of three nodes: its commands, and checks that fail a test.

use std::fs;
use std::ops::{Deref, DerefMut};
use std::path::{Path, PathBuf};
use std::process::{Command, Output, Stdio};
use std::sync::Arc;
use std::thread::sleep;
use std::time::{Duration, Instant};

use serde_json::Value;
use steadfast_config::{ClientConfig, client_config, server_name};
use steadfast_testbed::{Plan, Program, Testbed};
use tokio::io::{AsyncReadExt, AsyncWriteExt};

/// How long a condition may take to hold. It bounds a test that fails, and is no claim on speed.
const DEADLINE: Duration = Duration::from_secs(90);
const PAUSE: Duration = Duration::from_millis(50);

const PROGRAM: &str = env!("CARGO_BIN_EXE_steadfast");

/// The names of the nodes.
pub(crate) const NAMES: [&str; 3] = ["a", "b", "c"];

/// Three nodes. Those that run end with it.
pub(crate) struct Cluster(Testbed);

impl Deref for Cluster {
    type Target = Testbed;

    fn deref(&self) -> &Testbed {
        &self.0
    }
}

impl DerefMut for Cluster {
    fn deref_mut(&mut self) -> &mut Testbed {
        &mut self.0
    }
}

impl Cluster {
    /// Makes the files of a cluster with these options of `init`, and starts no node.
    pub(crate) fn make(options: &[&str]) -> Cluster {
        let program = Program::find(Some(Path::new(PROGRAM))).expect("the program");
        let plan = Plan::new(program).options(options.iter().copied());
        Cluster(plan.make().expect("the files of a cluster"))
    }

    /// Starts all nodes, and waits until they have a leader.
    pub(crate) fn start(options: &[&str]) -> Cluster {
        let mut cluster = Cluster::make(options);
        cluster.start_all().expect("processes");
        cluster.settled();
        cluster
    }

    pub(crate) fn path(&self, name: &str) -> PathBuf {
        self.directory().join(name)
    }

    pub(crate) fn write(&self, name: &str, content: impl AsRef<[u8]>) {
        let path = self.path(name);
        fs::create_dir_all(path.parent().expect("a directory")).expect("a directory");
        fs::write(path, content).expect("a file");
    }

    pub(crate) fn read(&self, name: &str) -> Vec<u8> {
        fs::read(self.path(name)).expect("a file")
    }

    pub(crate) fn command(&self, arguments: &[&str]) -> Command {
        let mut command = Command::new(PROGRAM);
        command.args(arguments).current_dir(self.directory()).stdin(Stdio::null());
        command.env("STEADFAST_CLIENT", "cluster/client").env_remove("RUST_LOG");
        command
    }

    pub(crate) fn run(&self, arguments: &[&str]) -> Output {
        self.command(arguments).output().expect("the program ends")
    }

    /// Standard output of a command that succeeds.
    pub(crate) fn text(&self, arguments: &[&str]) -> String {
        let output = self.run(arguments);
        let code = output.status.code();
        assert_eq!(code, Some(0), "{arguments:?}: {output:?}\n{}", self.messages());
        String::from_utf8(output.stdout).expect("text")
    }

    /// The lines of JSON of a command that succeeds.
    pub(crate) fn lines(&self, arguments: &[&str]) -> Vec<Value> {
        let parse = |it: &str| serde_json::from_str(it).expect("a line of JSON");
        self.text(&[arguments, &["--json"]].concat()).lines().map(parse).collect()
    }

    /// The exit code and standard error of a command that fails.
    pub(crate) fn failure(&self, arguments: &[&str]) -> (i32, String) {
        let output = self.run(arguments);
        let code = output.status.code().expect("no signal");
        assert_ne!(code, 0, "{arguments:?}: {output:?}");
        (code, String::from_utf8(output.stderr).expect("text"))
    }

    /// Waits until this is there.
    pub(crate) fn until<T>(&self, what: &str, mut found: impl FnMut() -> Option<T>) -> T {
        let start = Instant::now();
        loop {
            if let Some(found) = found() {
                return found;
            }
            assert!(start.elapsed() < DEADLINE, "waited in vain for {what}\n{}", self.messages());
            sleep(PAUSE);
        }
    }

    /// The report of `status`, whether all nodes answer or not.
    pub(crate) fn status(&self) -> Value {
        let output = self.run(&["status", "--json", "--timeout", "2"]);
        serde_json::from_slice(&output.stdout).expect("JSON")
    }

    /// Waits until all nodes hold the same. Returns the name of the leader.
    pub(crate) fn settled(&self) -> String {
        let settled = runtime().block_on(self.settle());
        settled.unwrap_or_else(|error| panic!("{error}\n{}", self.messages()))
    }

    /// The directory of a client that knows only these nodes. Its options go behind a command.
    pub(crate) fn client_options(&self, names: &[&str]) -> [String; 2] {
        let of = self.path("cluster/client");
        let to = format!("client-{}", names.concat());
        for file in ["ca.pem", "cert.pem", "key.pem"] {
            // A copy keeps the mode, and a private key must be readable by its owner alone.
            fs::create_dir_all(self.path(&to)).expect("a directory");
            fs::copy(of.join(file), self.path(&to).join(file)).expect("a copy");
        }
        let config = fs::read_to_string(of.join("client.toml")).expect("a configuration");
        let mut parts = config.split("[[nodes]]");
        let mut own = parts.next().expect("a head").to_owned();
        let is_one = |it: &&str| names.iter().any(|n| it.contains(&format!("name = \"{n}\"")));
        parts.filter(is_one).for_each(|it| own += &format!("[[nodes]]{it}"));
        self.write(&format!("{to}/client.toml"), own);
        ["--client".to_owned(), to]
    }

    /// A figure of a node, without its prefix.
    pub(crate) fn metric(&self, node: &str, name: &str) -> u64 {
        let text = get(&self.path("cluster/client"), node, "/metrics");
        let name = format!("steadfast_{name}_total ");
        let line = text.lines().find_map(|it| it.strip_prefix(name.as_str()));
        line.expect("a figure of this name").trim().parse().expect("a number")
    }
}

/// A runtime for the calls of a client library.
pub(crate) fn runtime() -> tokio::runtime::Runtime {
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build();
    runtime.expect("a runtime")
}

/// The answer of a node to a GET, as text with its headers.
fn get(client: &Path, node: &str, target: &str) -> String {
    let config = ClientConfig::load(client).expect("a configuration");
    let mut tls = client_config(&config).expect("certificates");
    tls.alpn_protocols = vec![b"http/1.1".to_vec()];
    let found = config.nodes.iter().find(|it| it.name.as_str() == node).expect("a node");
    runtime().block_on(async {
        let stream = tokio::net::TcpStream::connect(found.address.to_string()).await;
        let connector = tokio_rustls::TlsConnector::from(Arc::new(tls));
        let stream = connector.connect(server_name(&found.name), stream.expect("a node")).await;
        let mut stream = stream.expect("a handshake");
        let request = format!("GET {target} HTTP/1.1\r\nHost: {node}\r\nConnection: close\r\n\r\n");
        stream.write_all(request.as_bytes()).await.expect("a connection");
        let mut answer = Vec::new();
        // The node may close without the alert that ends a TLS connection.
        let _ = stream.read_to_end(&mut answer).await;
        String::from_utf8_lossy(&answer).into_owned()
    })
}

/// Bytes that do not compress, the same for the same seed.
pub(crate) fn noise(length: usize, seed: u64) -> Vec<u8> {
    let mut state = seed | 1;
    let mut next = || {
        state ^= state << 13;
        state ^= state >> 7;
        state ^= state << 17;
        state.wrapping_mul(0x2545_F491_4F6C_DD1D).to_le_bytes()
    };
    let mut bytes = Vec::with_capacity(length + 8);
    while bytes.len() < length {
        bytes.extend(next());
    }
    bytes.truncate(length);
    bytes
}
