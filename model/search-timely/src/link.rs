//! A connection as timely reads and writes it, which notes the loss of its peer instead of panicking.

use std::io::{self, Read, Write};
use std::net::{Shutdown, TcpStream};
use std::sync::{Arc, Condvar, Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

use timely::communication::allocator::zero_copy::stream::Stream;

/// The state of all connections of a process.
pub(crate) struct Links {
    state: Mutex<State>,
    changed: Condvar,
}

#[derive(Default)]
struct State {
    /// The peers that send nothing any more, with the reason, in the order in which this was noticed.
    ended: Vec<(usize, String)>,
    /// The number of peers to which everything was sent.
    sent: usize,
    /// Whether this process needs its connections no longer.
    is_closed: bool,
}

impl Links {
    /// No connection yet.
    pub(crate) fn new() -> Arc<Links> {
        Arc::new(Links { state: Mutex::default(), changed: Condvar::new() })
    }

    fn state(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// The first peer that ended, and how.
    pub(crate) fn first_ended(&self) -> Option<(usize, String)> {
        self.state().ended.first().cloned()
    }

    fn note_end(&self, peer: usize, why: String) {
        let mut state = self.state();
        if !state.is_closed && state.ended.iter().all(|it| it.0 != peer) {
            state.ended.push((peer, why));
        }
        drop(state);
        self.changed.notify_all();
    }

    fn note_sent(&self) {
        self.state().sent += 1;
        self.changed.notify_all();
    }

    /// Waits until everything is sent to this many peers, and until these have sent everything, unless
    /// one was lost. Then the connections end.
    pub(crate) fn close(&self, peers: usize, is_lost: bool, patience: Duration) {
        let begun = Instant::now();
        let mut state = self.state();
        let is_open = |it: &State| it.sent < peers || (!is_lost && it.ended.len() < peers);
        while is_open(&state) && begun.elapsed() < patience {
            let left = patience.saturating_sub(begun.elapsed());
            let waited = self.changed.wait_timeout(state, left);
            state = waited.unwrap_or_else(PoisonError::into_inner).0;
        }
        state.is_closed = true;
        drop(state);
        self.changed.notify_all();
    }

    /// Ends a thread of timely that reads from a peer that has ended, once its queue is needed no
    /// longer. Reading on would panic, with a message.
    fn end_reading(&self) -> ! {
        let mut state = self.state();
        while !state.is_closed {
            state = self.changed.wait(state).unwrap_or_else(PoisonError::into_inner);
        }
        drop(state);
        std::panic::resume_unwind(Box::new("the peer has ended"))
    }
}

/// A connection to a peer.
pub(crate) struct Link {
    pub stream: TcpStream,
    pub peer: usize,
    pub links: Arc<Links>,
}

impl Read for Link {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        match self.stream.read(buffer) {
            Ok(read) if read > 0 => return Ok(read),
            Ok(_) => self.links.note_end(self.peer, "closed the connection".into()),
            Err(error) if error.kind() == io::ErrorKind::Interrupted => return Err(error),
            Err(error) => {
                self.links.note_end(self.peer, format!("is not reached any more: {error}"))
            }
        }
        self.links.end_reading()
    }
}

impl Write for Link {
    /// Of a peer that is lost, the reading end hears; words for it are dropped.
    fn write(&mut self, buffer: &[u8]) -> io::Result<usize> {
        match self.stream.write(buffer) {
            Err(error) if error.kind() != io::ErrorKind::Interrupted => {
                self.links.note_end(self.peer, format!("is not reached any more: {error}"));
                Ok(buffer.len())
            }
            written => written,
        }
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

impl Stream for Link {
    fn try_clone(&self) -> io::Result<Self> {
        let stream = self.stream.try_clone()?;
        Ok(Link { stream, peer: self.peer, links: Arc::clone(&self.links) })
    }

    fn set_nonblocking(&self, is_nonblocking: bool) -> io::Result<()> {
        self.stream.set_nonblocking(is_nonblocking)
    }

    /// Timely calls it when everything is written.
    fn shutdown(&self, how: Shutdown) -> io::Result<()> {
        // A peer that is gone is not connected any more.
        let _ = self.stream.shutdown(how);
        self.links.note_sent();
        Ok(())
    }
}
