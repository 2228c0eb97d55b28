//! A cluster of three processes on loopback, with real disks and certificates.

use std::collections::BTreeMap;
use std::fs::{self, File};
use std::net::TcpListener;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, ExitStatus, Output, Stdio};
use std::sync::Arc;
use std::thread::sleep;
use std::time::{Duration, Instant};

use nix::sys::signal::{Signal, kill};
use nix::unistd::Pid;
use serde_json::Value;
use steadfast_config::{ClientConfig, client_config, server_name};
use tempfile::TempDir;
use tokio::io::{AsyncReadExt, AsyncWriteExt};

/// How long a condition may take to hold. It bounds a test that fails, and is no claim on speed.
const DEADLINE: Duration = Duration::from_secs(90);
const PAUSE: Duration = Duration::from_millis(50);

/// The names of the nodes.
pub(crate) const NAMES: [&str; 3] = ["a", "b", "c"];

/// Three nodes. Those that run end with it.
pub(crate) struct Cluster {
    around: TempDir,
    running: BTreeMap<String, Child>,
}

impl Cluster {
    /// Makes the files of a cluster with these options of `init`, and starts no node.
    pub(crate) fn make(options: &[&str]) -> Cluster {
        let around = TempDir::new().expect("a temporary directory");
        let cluster = Cluster { around, running: BTreeMap::new() };
        // All are bound at once, so that they differ.
        let bound = NAMES.map(|_| TcpListener::bind(("127.0.0.1", 0)).expect("a free port"));
        let addresses = bound.map(|it| it.local_addr().expect("an address"));
        let nodes: Vec<String> =
            NAMES.iter().zip(addresses).map(|(name, at)| format!("{name}={at}")).collect();
        cluster.text(&[&["init", "cluster", "--nodes", &nodes.join(",")], options].concat());
        cluster
    }

    /// Starts all nodes, and waits until they have a leader.
    pub(crate) fn start(options: &[&str]) -> Cluster {
        let mut cluster = Cluster::make(options);
        NAMES.iter().for_each(|it| cluster.serve(it));
        cluster.settle();
        cluster
    }

    pub(crate) fn path(&self, name: &str) -> PathBuf {
        self.around.path().join(name)
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
        let mut command = Command::new(env!("CARGO_BIN_EXE_steadfast"));
        command.args(arguments).current_dir(self.around.path()).stdin(Stdio::null());
        command.env("STEADFAST_CLIENT", "cluster/client").env_remove("RUST_LOG");
        command
    }

    pub(crate) fn run(&self, arguments: &[&str]) -> Output {
        self.command(arguments).output().expect("the program ends")
    }

    /// Standard output of a command that succeeds.
    pub(crate) fn text(&self, arguments: &[&str]) -> String {
        let output = self.run(arguments);
        assert_eq!(output.status.code(), Some(0), "{arguments:?}: {output:?}\n{}", self.logs());
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

    /// Starts a node. It writes its log to a file.
    pub(crate) fn serve(&mut self, name: &str) {
        let log = File::options().create(true).append(true).open(self.path(&format!("{name}.log")));
        let mut command = self.command(&["serve", &format!("cluster/{name}")]);
        let child = command.stderr(log.expect("a log")).spawn().expect("the program starts");
        self.running.insert(name.to_owned(), child);
    }

    /// Ends a node with SIGKILL.
    pub(crate) fn kill(&mut self, name: &str) {
        let mut child = self.running.remove(name).expect("a node that runs");
        child.kill().expect("a process");
        child.wait().expect("an end");
    }

    /// The process of a node that runs.
    pub(crate) fn process_id(&self, name: &str) -> Pid {
        Pid::from_raw(i32::try_from(self.running[name].id()).expect("a process id"))
    }

    /// Ends a node with SIGTERM.
    pub(crate) fn stop(&mut self, name: &str) -> ExitStatus {
        kill(self.process_id(name), Signal::SIGTERM).expect("a process");
        let mut child = self.running.remove(name).expect("a node that runs");
        self.until("the end of the node", || child.try_wait().expect("a process"))
    }

    /// Waits until this is there.
    pub(crate) fn until<T>(&self, what: &str, mut found: impl FnMut() -> Option<T>) -> T {
        let start = Instant::now();
        loop {
            if let Some(found) = found() {
                return found;
            }
            assert!(start.elapsed() < DEADLINE, "waited in vain for {what}\n{}", self.logs());
            sleep(PAUSE);
        }
    }

    /// The report of `status`, whether all nodes answer or not.
    pub(crate) fn status(&self) -> Value {
        let output = self.run(&["status", "--json", "--timeout", "2"]);
        serde_json::from_slice(&output.stdout).expect("JSON")
    }

    /// Waits until all nodes answer, one leads, and all have the same files with all their contents. Returns the
    /// name of the leader.
    pub(crate) fn settle(&self) -> String {
        self.until("nodes that hold the same", || {
            let report = self.status();
            let nodes = report["nodes"].as_array().expect("nodes");
            let is_whole = |it: &Value| {
                it["status"]["leader"].is_string()
                    && it["status"]["contents"]["missing"] == 0
                    && it["status"]["contents"]["bad"] == 0
            };
            let is_settled = report["same"] == true && nodes.iter().all(is_whole);
            is_settled.then(|| report["leader"].as_str().map(str::to_owned)).flatten()
        })
    }

    /// The directory of a client that knows only these nodes. Its options go behind a command.
    pub(crate) fn client_of(&self, names: &[&str]) -> [String; 2] {
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

    /// The file of a content on a node.
    pub(crate) fn content_file(&self, node: &str, content: &str) -> PathBuf {
        self.path(&format!("cluster/{node}/data/contents/{content}"))
    }

    /// The logs of all nodes, for a test that fails.
    fn logs(&self) -> String {
        let log = |name: &&str| {
            let text = fs::read_to_string(self.path(&format!("{name}.log"))).unwrap_or_default();
            format!("--- {name}\n{text}")
        };
        NAMES.iter().map(log).collect()
    }
}

impl Drop for Cluster {
    fn drop(&mut self) {
        for child in self.running.values_mut() {
            // It may have ended by itself.
            let _ = child.kill();
            let _ = child.wait();
        }
    }
}

/// The answer of a node to a GET, as text with its headers.
fn get(client: &Path, node: &str, target: &str) -> String {
    let config = ClientConfig::load(client).expect("a configuration");
    let mut tls = client_config(&config).expect("certificates");
    tls.alpn_protocols = vec![b"http/1.1".to_vec()];
    let found = config.nodes.iter().find(|it| it.name.as_str() == node).expect("a node");
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build();
    runtime.expect("a runtime").block_on(async {
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
