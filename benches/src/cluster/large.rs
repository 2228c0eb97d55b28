//! A large file: its first put, and a change of one byte, beside rsync to two targets.

use std::fs::{self, File};
use std::io::{Read, Write};
use std::net::{Ipv4Addr, TcpListener};
use std::os::unix::fs::FileExt;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::{Duration, Instant};

use serde::Serialize;
use steadfast_client::Upload;
use steadfast_delta::manifest::{Depth, Manifest};
use tokio::io::{AsyncReadExt, AsyncWriteExt};

use super::Result;
use super::load::value;
use super::processes::{forget_peak, memory_bytes};
use super::system::System;

/// What a large file takes.
#[derive(Clone, Debug, Serialize)]
pub(crate) struct Large {
    /// Its length.
    pub(crate) bytes: u64,
    /// Seconds until the put was acknowledged.
    pub(crate) put_s: f64,
    /// Seconds until all nodes had it.
    pub(crate) everywhere_s: f64,
    /// Seconds for the same bytes into one file, synced.
    pub(crate) disk_s: f64,
    /// Seconds for the same bytes over one connection of TLS within this process.
    pub(crate) tls_s: f64,
    /// The most memory of any node meanwhile.
    pub(crate) node_peak_bytes: u64,
    /// Seconds from the put of the file with one other byte until all nodes had it.
    pub(crate) change_s: f64,
    /// The bytes of the delta that the client sent.
    pub(crate) change_uploaded_bytes: u64,
    /// The bytes of sections and chunks by hash that the client got for it.
    pub(crate) change_signature_bytes: u64,
    /// The bytes that the nodes sent to each other.
    pub(crate) change_sent_bytes: u64,
    /// Seconds for another changed byte when the client sends the file whole.
    pub(crate) whole_s: f64,
    /// The same change with `rsync --inplace` to two targets at once, if rsync is installed.
    pub(crate) rsync: Option<Rsync>,
}

/// What rsync takes.
#[derive(Clone, Debug, Serialize)]
pub(crate) struct Rsync {
    pub(crate) change_s: f64,
    /// Sent and received, both targets.
    pub(crate) bytes: u64,
}

const PIECE_BYTES: usize = 1 << 20;

/// Puts a file of this length and changes a byte in its middle.
pub(crate) async fn measure(system: &System, place: &Path, bytes: u64) -> Result<Large> {
    let testbed = system.testbed().ok_or("this is about our nodes")?;
    let file = place.join("large");
    let disk_s = write_file(&file, bytes)?;
    let tls_s = tls_s(system, bytes).await?;
    let client = testbed.client()?;
    for process in system.processes()? {
        forget_peak(process)?;
    }
    let begun = Instant::now();
    client.put("large", Upload::file(&file)).await?;
    let put_s = begun.elapsed().as_secs_f64();
    system.settle().await?;
    let everywhere_s = begun.elapsed().as_secs_f64();
    let mut node_peak_bytes = 0;
    for process in system.processes()? {
        node_peak_bytes = node_peak_bytes.max(memory_bytes(process)?.1);
    }
    let copies = Copies::new(place, &file)?;
    let old = manifest_of(&file)?;
    change(&file, bytes / 2)?;
    let change_signature_bytes = signature_bytes(&old, &manifest_of(&file)?);
    let sent_before = system.counted("_bytes_sent").await?;
    let uploaded = Arc::new(AtomicU64::new(0));
    let count = Arc::clone(&uploaded);
    let upload = Upload::file(&file).on_progress(move |it| count.store(it, Ordering::Relaxed));
    let begun = Instant::now();
    client.put("large", upload).await?;
    system.settle().await?;
    let change_s = begun.elapsed().as_secs_f64();
    let change_sent_bytes = system.counted("_bytes_sent").await? - sent_before;
    let rsync = copies.map(|it| it.update(&file)).transpose()?;
    change(&file, bytes / 3)?;
    let begun = Instant::now();
    client.put("large", Upload::reader(tokio::fs::File::open(&file).await?)).await?;
    system.settle().await?;
    let whole_s = begun.elapsed().as_secs_f64();
    let change_uploaded_bytes = uploaded.load(Ordering::Relaxed);
    Ok(Large {
        bytes,
        put_s,
        everywhere_s,
        disk_s,
        tls_s,
        node_peak_bytes,
        change_s,
        change_uploaded_bytes,
        change_signature_bytes,
        change_sent_bytes,
        whole_s,
        rsync,
    })
}

/// Writes and syncs a file that does not compress, and returns the seconds of it.
fn write_file(path: &Path, bytes: u64) -> Result<f64> {
    let mut piece = value(0, 0, PIECE_BYTES).to_vec();
    let mut file = File::create(path)?;
    let begun = Instant::now();
    let mut left = bytes;
    while left > 0 {
        // No two pieces are alike.
        piece[..8].copy_from_slice(&left.to_le_bytes());
        let count = left.min(PIECE_BYTES as u64);
        file.write_all(&piece[..usize::try_from(count)?])?;
        left -= count;
    }
    file.sync_all()?;
    Ok(begun.elapsed().as_secs_f64())
}

fn change(path: &Path, at: u64) -> Result<()> {
    let file = File::options().read(true).write(true).open(path)?;
    let mut byte = [0];
    file.read_exact_at(&mut byte, at)?;
    file.write_all_at(&[!byte[0]], at)?;
    Ok(file.sync_all()?)
}

fn manifest_of(path: &Path) -> Result<Manifest> {
    Ok(Manifest::read(File::open(path)?, Depth::Chunks)?)
}

/// The bytes that a client asks for before it sends a delta.
fn signature_bytes(old: &Manifest, new: &Manifest) -> u64 {
    let known: Vec<_> = new.sections().iter().map(|it| it.hash()).collect();
    let changed = old.sections().iter().filter(|it| !known.contains(&it.hash()));
    let lists: usize = changed.map(|it| 4 + it.to_bytes().len()).sum();
    (old.outline_to_bytes().len() + lists) as u64
}

/// The seconds of this number of bytes over a connection with the certificates of the cluster, both ends of which are
/// threads of this process.
async fn tls_s(system: &System, bytes: u64) -> Result<f64> {
    let testbed = system.testbed().ok_or("this is about our nodes")?;
    let name = testbed.names().next().ok_or("no node")?.to_owned();
    let node = steadfast_config::NodeConfig::load(&testbed.node(&name).join("node.toml"))?;
    let acceptor =
        tokio_rustls::TlsAcceptor::from(Arc::new(steadfast_config::server_config(&node)?));
    let listener = tokio::net::TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).await?;
    let port = listener.local_addr()?.port();
    let receiver = std::thread::spawn(move || -> Result<()> {
        let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build()?;
        runtime.block_on(async {
            let listener = tokio::net::TcpListener::from_std(listener.into_std()?)?;
            let (stream, _) = listener.accept().await?;
            let mut stream = acceptor.accept(stream).await?;
            let mut buffer = vec![0; PIECE_BYTES];
            let mut left = bytes;
            while left > 0 {
                match stream.read(&mut buffer).await? {
                    0 => return Err("the connection ended".into()),
                    count => left = left.saturating_sub(count as u64),
                }
            }
            stream.write_all(&[1]).await?;
            Ok(stream.flush().await?)
        })
    });
    let mut stream = system.endpoint(0).open_tls(port).await?;
    let piece = value(0, 0, PIECE_BYTES);
    let begun = Instant::now();
    let mut left = bytes;
    while left > 0 {
        let count = left.min(PIECE_BYTES as u64);
        stream.write_all(&piece[..usize::try_from(count)?]).await?;
        left -= count;
    }
    stream.flush().await?;
    stream.read_exact(&mut [0]).await?;
    let elapsed = begun.elapsed().as_secs_f64();
    receiver.join().map_err(|_| "the receiver panicked")??;
    Ok(elapsed)
}

/// Copies a file through this process, so that the copy is in the page cache as the contents of the nodes are, also where
/// the system would make it by reference.
fn write_copy(from: &Path, to: &Path) -> Result<()> {
    let (mut from, mut to) = (File::open(from)?, File::create(to)?);
    let mut piece = vec![0; PIECE_BYTES];
    loop {
        match from.read(&mut piece)? {
            0 => return Ok(to.sync_all()?),
            count => to.write_all(&piece[..count])?,
        }
    }
}

/// Two copies of a file, which an rsync daemon serves.
struct Copies {
    daemon: Child,
    port: u16,
}

const TARGETS: [&str; 2] = ["one", "two"];

impl Copies {
    /// Copies of this file; `None` if rsync is not installed.
    fn new(place: &Path, file: &Path) -> Result<Option<Copies>> {
        let port = TcpListener::bind((Ipv4Addr::LOCALHOST, 0))?.local_addr()?.port();
        let mut config = "use chroot = no\nreverse lookup = no\n".to_owned();
        for target in TARGETS {
            let directory: PathBuf = place.join(format!("rsync-{target}"));
            fs::create_dir(&directory)?;
            write_copy(file, &directory.join("large"))?;
            let directory = directory.display();
            config +=
                &format!("[{target}]\npath = {directory}\nread only = no\nuid = 0\ngid = 0\n");
        }
        let path = place.join("rsyncd.conf");
        fs::write(&path, config)?;
        let daemon = Command::new("rsync")
            .args(["--daemon", "--no-detach", "--address=127.0.0.1"])
            .arg(format!("--port={port}"))
            .arg(format!("--config={}", path.display()))
            .stdin(Stdio::null())
            .stdout(Stdio::null())
            .stderr(Stdio::null())
            .spawn();
        match daemon {
            Ok(daemon) => {
                std::thread::sleep(Duration::from_millis(500));
                Ok(Some(Copies { daemon, port }))
            }
            Err(error) if error.kind() == std::io::ErrorKind::NotFound => Ok(None),
            Err(error) => Err(error.into()),
        }
    }

    /// Updates both copies at once.
    fn update(self, file: &Path) -> Result<Rsync> {
        let begun = Instant::now();
        let mut running = Vec::new();
        for target in TARGETS {
            let url = format!("rsync://127.0.0.1:{}/{target}/", self.port);
            // Without `--no-whole-file` nothing is saved on paths that look local; without `--ignore-times` a file that was
            // changed in the second of its copy counts as the same; without `--fsync` nothing is durable.
            let child = Command::new("rsync")
                .args(["--inplace", "--no-whole-file", "--ignore-times", "--fsync", "--stats"])
                .arg(file)
                .arg(url)
                .stdin(Stdio::null())
                .stdout(Stdio::piped())
                .stderr(Stdio::piped())
                .spawn()?;
            running.push(child);
        }
        let mut bytes = 0;
        for child in running {
            let output = child.wait_with_output()?;
            if !output.status.success() {
                let why = String::from_utf8_lossy(&output.stderr).trim().to_owned();
                return Err(format!("rsync fails: {why}").into());
            }
            bytes += bytes_of(&String::from_utf8_lossy(&output.stdout));
        }
        Ok(Rsync { change_s: begun.elapsed().as_secs_f64(), bytes })
    }
}

impl Drop for Copies {
    fn drop(&mut self) {
        // It may have ended by itself.
        let _ = self.daemon.kill();
        let _ = self.daemon.wait();
    }
}

/// The bytes that the statistics of rsync name as sent and received.
fn bytes_of(stats: &str) -> u64 {
    let values = stats.lines().filter_map(|it| {
        let it = it.strip_prefix("Total bytes ")?;
        let digits: String = it.split_once(": ")?.1.chars().filter(char::is_ascii_digit).collect();
        digits.parse::<u64>().ok()
    });
    values.sum()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn sent_and_received_bytes_of_rsync_are_added() {
        let stats = "Literal data: 32,768 bytes\nTotal bytes sent: 164,033\nTotal bytes received: 655,417\n";
        assert_eq!(bytes_of(stats), 819_450);
    }
}
