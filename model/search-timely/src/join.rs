//! Connections between the processes of a search, and the comparison of their identities.

use std::fmt::Write as _;
use std::io::{self, Read, Write};
use std::net::{TcpListener, TcpStream, ToSocketAddrs};
use std::thread;
use std::time::{Duration, Instant};

use nix::sys::socket::{setsockopt, sockopt};

use crate::rounds::Rounds;

const MAGIC: [u8; 8] = *b"SEARCH-1";
/// The time in which a peer must identify itself.
const GREETING: Duration = Duration::from_secs(5);
/// How often a process tries again to reach one that is not there yet.
const RETRY: Duration = Duration::from_millis(50);
/// No identity has more fields, and no text in one more bytes.
const FIELDS_MAX: u64 = 16;
const TEXT_MAX: u64 = 1 << 20;

/// A process that joins the others.
pub struct Join<'a> {
    /// The socket on which this process listens. Of the first address in `addresses` that it has.
    pub listener: TcpListener,
    /// The addresses of all processes, by their numbers.
    pub addresses: &'a [String],
    /// The number of this process, from 0.
    pub index: usize,
    /// The identity of the search, field by field; see
    /// [`Search::identity`](steadfast_search::Search::identity). It must be equal in all processes.
    pub identity: &'a [(&'static str, String)],
    /// How long to wait for the others.
    pub patience: Duration,
}

/// The reason why a process could not join the others.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum JoinError {
    /// A process did not come in time.
    #[error("process {process} ({address}) did not come within {} s; start it, and look whether its address is right", patience.as_secs())]
    Missing {
        /// The number of the process.
        process: usize,
        /// Its address.
        address: String,
        /// How long this process waited.
        patience: Duration,
    },
    /// A process belongs to another search.
    #[error("process {process} ({address}) has another {field}: {theirs}, and this is {ours}")]
    Other {
        /// The number of the process.
        process: usize,
        /// Its address.
        address: String,
        /// The field that differs.
        field: String,
        /// Its value there.
        theirs: String,
        /// Its value here.
        ours: String,
    },
    /// Two processes have the same number, or a number that no process has.
    #[error(
        "a process at {address} calls itself number {process} of {count}: give each process its own line of the hosts file"
    )]
    Number {
        /// The number.
        process: u64,
        /// The number of processes that it knows.
        count: u64,
        /// Its address.
        address: String,
    },
    /// A process went away before all had joined.
    #[error(
        "process {process} ({address}) went away before all had joined: {error}; its own message says why"
    )]
    Gone {
        /// The number of the process.
        process: usize,
        /// Its address.
        address: String,
        /// The error.
        error: io::Error,
    },
    /// The connections cannot be used.
    #[error("the connections to the other processes fail: {0}")]
    Io(#[from] io::Error),
}

/// Connects a process with all others: to those with lower numbers it connects, those with higher
/// ones connect to it.
///
/// # Errors
///
/// [`JoinError`] if a process does not come, belongs to another search, or goes away.
pub fn join(join: Join<'_>) -> Result<Rounds, JoinError> {
    let Join { listener, addresses, index, .. } = &join;
    let begun = Instant::now();
    let mut streams: Vec<Option<TcpStream>> = addresses.iter().map(|_| None).collect();
    for (process, stream) in streams.iter_mut().enumerate().take(*index) {
        *stream = Some(connect(&join, process, begun)?);
    }
    listener.set_nonblocking(true)?;
    while let Some(missing) = (index + 1..addresses.len()).find(|it| streams[*it].is_none()) {
        let Some((process, stream)) = accept(&join, &streams)? else {
            check_patience(&join, missing, begun)?;
            thread::sleep(RETRY);
            continue;
        };
        streams[process] = Some(stream);
    }
    for stream in streams.iter().flatten() {
        stream.set_nodelay(true)?;
        notice_silence(stream)?;
    }
    Ok(Rounds::new(*index, addresses.to_vec(), streams)?)
}

/// Lets the system notice within some ten seconds that a machine is gone.
fn notice_silence(stream: &TcpStream) -> io::Result<()> {
    setsockopt(stream, sockopt::KeepAlive, &true)?;
    #[cfg(target_os = "linux")]
    {
        setsockopt(stream, sockopt::TcpKeepIdle, &3)?;
        setsockopt(stream, sockopt::TcpKeepInterval, &2)?;
        setsockopt(stream, sockopt::TcpKeepCount, &3)?;
        setsockopt(stream, sockopt::TcpUserTimeout, &10_000)?;
    }
    Ok(())
}

fn check_patience(join: &Join<'_>, process: usize, begun: Instant) -> Result<(), JoinError> {
    if begun.elapsed() < join.patience {
        return Ok(());
    }
    let address = join.addresses[process].clone();
    Err(JoinError::Missing { process, address, patience: join.patience })
}

fn connect(join: &Join<'_>, process: usize, begun: Instant) -> Result<TcpStream, JoinError> {
    loop {
        // A name that is not known yet may be known later, as one that is not listening yet.
        let addresses = join.addresses[process].to_socket_addrs();
        let reached = addresses.map_or(None, |mut addresses| {
            addresses.find_map(|it| TcpStream::connect_timeout(&it, GREETING).ok())
        });
        if let Some(stream) = reached {
            return match greet(join, &stream, Some(process))? {
                Ok(_) => Ok(stream),
                Err(error) => {
                    let address = join.addresses[process].clone();
                    Err(JoinError::Gone { process, address, error })
                }
            };
        }
        check_patience(join, process, begun)?;
        thread::sleep(RETRY);
    }
}

/// A process that connects to this one, if one does just now. Connections that do not come from
/// a search are closed.
fn accept(
    join: &Join<'_>,
    streams: &[Option<TcpStream>],
) -> Result<Option<(usize, TcpStream)>, JoinError> {
    let (stream, address) = match join.listener.accept() {
        Ok(accepted) => accepted,
        Err(error) if error.kind() == io::ErrorKind::WouldBlock => return Ok(None),
        Err(error) => return Err(error.into()),
    };
    stream.set_nonblocking(false)?;
    let Ok(process) = greet(join, &stream, None)? else {
        return Ok(None);
    };
    match streams.get(process) {
        Some(None) if process > join.index => Ok(Some((process, stream))),
        _ => {
            let (process, count) = (process as u64, join.addresses.len() as u64);
            Err(JoinError::Number { process, count, address: address.to_string() })
        }
    }
}

/// Tells a peer the identity of this process and compares its own. Returns the number of the peer; the
/// inner error is one of the connection.
fn greet(
    join: &Join<'_>,
    stream: &TcpStream,
    expected: Option<usize>,
) -> Result<io::Result<usize>, JoinError> {
    let greeted = (|| {
        stream.set_read_timeout(Some(GREETING))?;
        stream.set_write_timeout(Some(GREETING))?;
        (&mut &*stream).write_all(&greeting(join))?;
        let theirs = read_greeting(stream)?;
        stream.set_read_timeout(None)?;
        stream.set_write_timeout(None)?;
        Ok(theirs)
    })();
    let theirs = match greeted {
        Ok(theirs) => theirs,
        Err(error) => return Ok(Err(error)),
    };
    let (process, count) = (theirs.index, theirs.count);
    let ours = join.addresses.len() as u64;
    let index = usize::try_from(process).unwrap_or(usize::MAX);
    if count != ours || process >= ours || expected.is_some_and(|it| it != index) {
        let address = stream.peer_addr().map_or_else(|_| "?".to_owned(), |it| it.to_string());
        return Err(JoinError::Number { process, count, address });
    }
    compare(join, index, &theirs.identity)?;
    Ok(Ok(index))
}

struct Greeting {
    index: u64,
    count: u64,
    identity: Vec<(String, String)>,
}

fn greeting(join: &Join<'_>) -> Vec<u8> {
    let mut bytes = MAGIC.to_vec();
    for number in [join.index, join.addresses.len(), join.identity.len()] {
        bytes.extend((number as u64).to_le_bytes());
    }
    for (field, value) in join.identity {
        for text in [*field, value.as_str()] {
            bytes.extend((text.len() as u64).to_le_bytes());
            bytes.extend(text.as_bytes());
        }
    }
    bytes
}

fn read_greeting(stream: &TcpStream) -> io::Result<Greeting> {
    let mut from = stream;
    let mut magic = [0; 8];
    from.read_exact(&mut magic)?;
    if magic != MAGIC {
        return Err(io::Error::other("it is no process of a search, or of another version"));
    }
    let mut number = |max: u64| {
        let mut bytes = [0; 8];
        from.read_exact(&mut bytes)?;
        let number = u64::from_le_bytes(bytes);
        match number <= max {
            true => Ok(number),
            false => Err(io::Error::other("its greeting is too long")),
        }
    };
    let (index, count, fields) = (number(u64::MAX)?, number(u64::MAX)?, number(FIELDS_MAX)?);
    let mut identity = Vec::new();
    for _ in 0..fields {
        identity.push((read_text(stream)?, read_text(stream)?));
    }
    Ok(Greeting { index, count, identity })
}

fn read_text(mut from: &TcpStream) -> io::Result<String> {
    let mut bytes = [0; 8];
    from.read_exact(&mut bytes)?;
    let len = u64::from_le_bytes(bytes);
    if len > TEXT_MAX {
        return Err(io::Error::other("its greeting is too long"));
    }
    let mut text = Vec::new();
    from.take(len).read_to_end(&mut text)?;
    if text.len() as u64 != len {
        return Err(io::ErrorKind::UnexpectedEof.into());
    }
    String::from_utf8(text).map_err(|_| io::Error::other("its greeting is not UTF-8"))
}

fn compare(join: &Join<'_>, process: usize, theirs: &[(String, String)]) -> Result<(), JoinError> {
    let other = |field: &str, theirs: &str, ours: &str| {
        let (theirs, ours) = apart(theirs, ours);
        let address = join.addresses[process].clone();
        Err(JoinError::Other { process, address, field: field.to_owned(), theirs, ours })
    };
    for (at, (field, ours)) in join.identity.iter().enumerate() {
        match theirs.get(at) {
            Some((name, value)) if name == field && value == ours => {}
            Some((name, value)) if name == field => return other(field, value, ours),
            _ => return other("list of fields", &fields(theirs), &own_fields(join)),
        }
    }
    match theirs.len() == join.identity.len() {
        true => Ok(()),
        false => other("list of fields", &fields(theirs), &own_fields(join)),
    }
}

fn fields(identity: &[(String, String)]) -> String {
    identity.iter().fold(String::new(), |mut text, it| {
        let _ = write!(text, "{} ", it.0);
        text
    })
}

fn own_fields(join: &Join<'_>) -> String {
    join.identity.iter().map(|it| format!("{} ", it.0)).collect()
}

/// How many characters of a long value a message shows.
const SHOWN: usize = 60;

/// Two different values, long ones from shortly before their first difference on.
fn apart(one: &str, other: &str) -> (String, String) {
    let same = one.chars().zip(other.chars()).take_while(|it| it.0 == it.1).count();
    let from = same.saturating_sub(SHOWN / 3);
    let shown = |text: &str| {
        let part: String = text.chars().skip(from).take(SHOWN).collect();
        let begin = if from > 0 { "..." } else { "" };
        let end = if text.chars().count() > from + SHOWN { "..." } else { "" };
        format!("{begin}{}{end}", part.escape_debug())
    };
    match one.chars().count().max(other.chars().count()) <= SHOWN {
        true => (one.escape_debug().to_string(), other.escape_debug().to_string()),
        false => (shown(one), shown(other)),
    }
}
