//! Makes long recordings of real nodes, for `check conform`, and shows what recording costs: three processes of
//! `steadfast serve` on loopback, and clients that write and read.
//!
//! ```sh
//! cargo build --release -p steadfast
//! cargo run --release -p steadfast-checks --example record -- recordings --operations 100000
//! target/release/check conform recordings/recordings/*
//! ```

use std::error::Error;
use std::fs;
use std::path::PathBuf;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Instant;

use clap::Parser;
use steadfast_client::{Client, Upload};
use steadfast_testbed::{Plan, Program, Testbed};

/// Makes recordings of three nodes under load.
#[derive(Parser)]
struct Options {
    /// The directory for the cluster and its recordings, which must not exist.
    directory: PathBuf,
    /// How many operations the clients perform.
    #[arg(long, default_value_t = 10_000)]
    operations: u64,
    /// How many clients work at a time.
    #[arg(long, default_value_t = 64)]
    clients: u64,
    /// How many paths there are; the paths of a long run stay few if this is few.
    #[arg(long, default_value_t = 10_000)]
    paths: u64,
    /// One of this many operations is a read; with 0, none is.
    #[arg(long, default_value_t = 4)]
    reads: u64,
    /// The length of a file, in bytes.
    #[arg(long, default_value_t = 1024)]
    bytes: usize,
    /// Do not record.
    #[arg(long)]
    unrecorded: bool,
    /// The program `steadfast` [default: the one beside this program].
    #[arg(long)]
    binary: Option<PathBuf>,
}

const NODES: [&str; 3] = ["a", "b", "c"];

fn main() -> Result<(), Box<dyn Error>> {
    let options = Options::parse();
    tokio::runtime::Builder::new_multi_thread().enable_all().build()?.block_on(record(options))
}

async fn record(options: Options) -> Result<(), Box<dyn Error>> {
    let program = Program::find(options.binary.as_deref())?;
    let nodes = NODES.map(|it| (it.to_owned(), None));
    let mut testbed = Plan::new(program).nodes(nodes).directory(&options.directory).make()?;
    testbed.keep();
    for name in NODES.iter().filter(|_| !options.unrecorded) {
        let recording = options.directory.join("recordings").join(name);
        testbed.set_options(name, ["--record".into(), recording.into_os_string()])?;
    }
    testbed.start_all()?;
    testbed.settle().await?;
    let before = seconds_of_nodes(&testbed)?;
    let begun = Instant::now();
    let (options, next) = (Arc::new(options), Arc::new(AtomicU64::new(0)));
    let mut tasks = Vec::new();
    for _ in 0..options.clients {
        let work = work(testbed.client()?, Arc::clone(&options), Arc::clone(&next));
        tasks.push(tokio::spawn(work));
    }
    for task in tasks {
        task.await??;
    }
    let seconds = begun.elapsed().as_secs_f64();
    let processor_seconds = seconds_of_nodes(&testbed)? - before;
    testbed.settle().await?;
    for name in NODES {
        testbed.terminate(name)?;
    }
    println!(
        "{} operations in {seconds:.2} s: {:.0} per second, {processor_seconds:.2} s of processor time in the nodes",
        options.operations,
        options.operations as f64 / seconds,
    );
    Ok(())
}

/// One client.
async fn work(
    client: Client,
    options: Arc<Options>,
    next: Arc<AtomicU64>,
) -> Result<(), steadfast_client::Error> {
    loop {
        let number = next.fetch_add(1, Ordering::Relaxed);
        if number >= options.operations {
            return Ok(());
        }
        // The paths take turns in an order without a pattern.
        let path = format!("d/{}", number.wrapping_mul(0x9E37_79B9_7F4A_7C15) % options.paths);
        if options.reads > 0 && number.is_multiple_of(options.reads) {
            match client.get(&path).await {
                Ok(_) => {}
                Err(error) if error.code().is_some() => {}
                Err(error) => return Err(error),
            }
        } else {
            let mut bytes = vec![b'.'; options.bytes];
            let count = bytes.len().min(8);
            bytes[..count].copy_from_slice(&number.to_le_bytes()[..count]);
            client.put(&path, Upload::bytes(bytes)).await?;
        }
    }
}

/// The processor time that the nodes have used, in seconds.
fn seconds_of_nodes(testbed: &Testbed) -> Result<f64, Box<dyn Error>> {
    const TICKS_PER_SECOND: f64 = 100.0;
    let mut ticks = 0;
    for name in NODES {
        let stat = fs::read_to_string(format!("/proc/{}/stat", testbed.process_id(name)?))?;
        let behind = stat.rsplit_once(')').map_or("", |(_, it)| it);
        // The fields 14 and 15 of proc(5), `utime` and `stime`; the name before is the second field.
        let times = behind.split_whitespace().skip(11).take(2);
        ticks += times.filter_map(|it| it.parse::<u64>().ok()).sum::<u64>();
    }
    Ok(ticks as f64 / TICKS_PER_SECOND)
}
