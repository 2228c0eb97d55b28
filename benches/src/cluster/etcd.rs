//! Three members of etcd, with the certificates that `steadfast init` makes.

pub(crate) mod messages;

use std::fs::File;
use std::net::{Ipv4Addr, TcpListener};
use std::path::PathBuf;
use std::process::{Child, Command, Stdio};

use nix::unistd::Pid;
use steadfast_config::ClientConfig;
use steadfast_testbed::Testbed;

use super::Result;

/// The room that etcd's database may take; its default of 2 GiB is less than a long run writes.
const QUOTA_BYTES: &str = "8589934592";

/// A cluster of etcd.
pub(crate) struct Etcd {
    /// Has the certificates. Its own nodes never run.
    files: Testbed,
    members: Vec<Member>,
}

struct Member {
    name: String,
    port: u16,
    peer_port: u16,
    process: Option<Child>,
}

impl Etcd {
    /// Whether there is a program `etcd`.
    pub(crate) fn is_installed() -> bool {
        let mut command = Command::new("etcd");
        command.arg("--version").stdin(Stdio::null()).stdout(Stdio::null()).stderr(Stdio::null());
        command.status().is_ok_and(|it| it.success())
    }

    /// Members for the names and ports of this cluster of ours, whose nodes must not be started.
    pub(crate) fn new(files: Testbed) -> Result<Etcd> {
        let config = ClientConfig::load(&files.cluster().join("client"))?;
        // All are held until all are chosen, so that they differ.
        let mut held = Vec::new();
        let mut members = Vec::new();
        for node in &config.nodes {
            let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0))?;
            let peer_port = listener.local_addr()?.port();
            held.push(listener);
            let (name, port) = (node.name.to_string(), node.address.port());
            members.push(Member { name, port, peer_port, process: None });
        }
        Ok(Etcd { files, members })
    }

    pub(crate) fn config(&self) -> Result<ClientConfig> {
        Ok(ClientConfig::load(&self.files.cluster().join("client"))?)
    }

    pub(crate) fn data(&self, node: usize) -> PathBuf {
        self.files.directory().join(format!("etcd-{}", self.members[node].name))
    }

    pub(crate) fn process(&self, node: usize) -> Option<Pid> {
        let process = self.members[node].process.as_ref()?;
        Some(Pid::from_raw(process.id().cast_signed()))
    }

    /// Starts a member. Its timeouts are those of our nodes.
    pub(crate) fn start(&mut self, node: usize) -> Result<()> {
        let data = self.data(node);
        let member = &self.members[node];
        let url = |port: u16| format!("https://127.0.0.1:{port}");
        let peers = self.members.iter().map(|it| format!("{}={}", it.name, url(it.peer_port)));
        let peers = peers.collect::<Vec<_>>().join(",");
        let own = self.files.node(&member.name);
        let file = |name: &str| own.join(name).display().to_string();
        let (certificate, key, authority) = (file("cert.pem"), file("key.pem"), file("ca.pem"));
        let log = data.with_extension("log");
        let log = File::options().create(true).append(true).open(log)?;
        let mut command = Command::new("etcd");
        command.args(["--name", &member.name, "--data-dir"]).arg(&data);
        for (option, port) in [
            ("--listen-client-urls", member.port),
            ("--advertise-client-urls", member.port),
            ("--listen-peer-urls", member.peer_port),
            ("--initial-advertise-peer-urls", member.peer_port),
        ] {
            command.args([option, &url(port)]);
        }
        command.args(["--initial-cluster", &peers, "--initial-cluster-state", "new"]);
        for prefix in ["--", "--peer-"] {
            command.args([&format!("{prefix}cert-file"), &certificate]);
            command.args([&format!("{prefix}key-file"), &key]);
            command.args([&format!("{prefix}trusted-ca-file"), &authority]);
            command.arg(format!("{prefix}client-cert-auth"));
        }
        command.args(["--heartbeat-interval", "100", "--election-timeout", "1000"]);
        command.args(["--quota-backend-bytes", QUOTA_BYTES]);
        command.args(["--logger", "zap", "--log-level", "error"]);
        command.stdin(Stdio::null()).stdout(Stdio::null()).stderr(log);
        self.members[node].process = Some(command.spawn()?);
        Ok(())
    }

    /// Ends a member with SIGKILL.
    pub(crate) fn kill(&mut self, node: usize) -> Result<()> {
        if let Some(mut process) = self.members[node].process.take() {
            process.kill()?;
            process.wait()?;
        }
        Ok(())
    }
}

impl Drop for Etcd {
    fn drop(&mut self) {
        for member in &mut self.members {
            if let Some(process) = &mut member.process {
                // It may have ended by itself.
                let _ = process.kill();
                let _ = process.wait();
            }
        }
    }
}
